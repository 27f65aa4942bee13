//! For every sequence of events in which what makes a thing comes once, and in whatever batches it was applied: a view
//! that is built from the log at once is the view that was built as the events came.

use crate::{
    lockstep::march,
    rebuild::run,
    story,
    world::{World, at, drain},
};
use events::{
    Currency, Event, Money, Personal, Role,
    account::{AccountEvent, Origin, PasswordReason},
    account_import::{AccountImportEvent, ImportFailure, RowError},
    assessment::{AssessmentEvent, Definition, Kind},
    auth_session::{AuthSessionEvent, EndReason, SessionScope},
    category::CategoryEvent,
    course::{ContentType, CourseDetails, CourseEvent, Lesson},
    enrollment::{Basis, EnrollmentEvent},
    ids::{
        AccountId, AssessmentId, AttemptsId, AuthSessionId, CategoryId, CourseId, EnrollmentId, LessonId, PaymentId,
        SubmissionId,
    },
    invitation::InvitationEvent,
    payment::{PaymentEvent, Provider},
    submission::{Scored, SubmissionEvent},
    tenant::{RegistrationPolicy, TenantDetails, TenantEvent},
};
use projector::{lockstep::Lockstep, projections, rebuild::Purpose, run::Runner};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_oneof},
    test_runner::{Config, TestCaseError, TestRunner},
};
use std::collections::HashSet;
use uuid::Uuid;

/// People, courses and whatever else there is: few, so that events meet.
const FEW: u8 = 4;

/// One event, by what it is, who or what it is of, and a number to vary it.
#[derive(Debug, Clone, Copy)]
struct Draw {
    kind: u8,
    who: u8,
    what: u8,
    number: u8,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let one = (0..28_u8, 0..FEW, 0..FEW, 0..100_u8);
    vec(one.prop_map(|(kind, who, what, number)| Draw { kind, who, what, number }), 1..80).prop_map(sensible)
}

/// Without what the rules never let happen: that a thing is made twice, and that a session goes on that never began.
fn sensible(mut draws: Vec<Draw>) -> Vec<Draw> {
    let mut made = HashSet::new();
    draws.retain(|draw| {
        let (stream, event) = draw.event();
        match event {
            Event::Account(AccountEvent::Registered { .. })
            | Event::AuthSession(AuthSessionEvent::Started { .. })
            | Event::Category(_)
            | Event::Course(CourseEvent::Created { .. })
            | Event::Enrollment(EnrollmentEvent::Enrolled { .. })
            | Event::Assessment(_)
            | Event::Invitation(InvitationEvent::Issued { .. })
            | Event::AccountImport(AccountImportEvent::Started { .. })
            | Event::Tenant(TenantEvent::Created { .. }) => made.insert(stream),
            Event::AuthSession(_) | Event::Invitation(_) | Event::AccountImport(_) | Event::Tenant(_) => {
                made.contains(&stream)
            }
            _ => true,
        }
    });
    draws
}

/// How many events each step applies.
fn batches() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![Just(1), 2..9_usize, Just(500)], projections::ALL.len())
}

impl Draw {
    /// The stream, and what happens in it.
    fn event(self) -> (Uuid, Event) {
        let Self { kind, who, what, number } = self;
        let uuid = |kind: u8, number: u8| Uuid::from_u128((u128::from(kind) << 64) | (u128::from(number) + 1));
        let (learner_id, course_id) = (person(who), CourseId::new(uuid(2, what)));
        let enrollment_id = EnrollmentId::of(learner_id, course_id);
        let of = |text: &str| Personal::new(learner_id, text.to_owned());
        let money = Money { amount_minor: i64::from(number), currency: Currency::EUR };
        let details = CourseDetails {
            title: format!("Course {number}"),
            description: None,
            price: (number > 50).then_some(money),
            category_id: (number > 20).then(|| CategoryId::new(uuid(3, what))),
            thumbnail_url: None,
        };
        let session = uuid(4, what);
        match kind {
            0 => (learner_id.as_uuid(), registered(learner_id, number).into()),
            1 => (learner_id.as_uuid(), story::profile(learner_id, "Ada", &format!("bio {number}")).into()),
            2 => {
                let temporary_until = (number > 50).then(|| at(i64::from(number)));
                let event = AccountEvent::PasswordSet { reason: PasswordReason::Temporary, temporary_until };
                (learner_id.as_uuid(), event.into())
            }
            3 => (learner_id.as_uuid(), AccountEvent::Deactivated {}.into()),
            4 => (learner_id.as_uuid(), AccountEvent::Activated {}.into()),
            5 => {
                let event = AuthSessionEvent::Started {
                    account_id: learner_id,
                    scope: SessionScope::Full,
                    expires_at: at(i64::from(number)),
                    address: Some(of("192.0.2.1")),
                    agent: None,
                };
                (AuthSessionId::new(session).into(), event.into())
            }
            6 => (session, AuthSessionEvent::Refreshed { expires_at: at(i64::from(number)) }.into()),
            7 => (session, AuthSessionEvent::Ended { reason: EndReason::LoggedOut }.into()),
            8 => {
                let event = CategoryEvent::Created { name: format!("Category {number}"), description: None };
                (uuid(3, what), event.into())
            }
            9 => (course_id.into(), CourseEvent::Created { owner_id: learner_id, details }.into()),
            10 => (course_id.into(), CourseEvent::Updated { details }.into()),
            11 => (course_id.into(), CourseEvent::LessonAdded { lesson: lesson(number) }.into()),
            12 => (course_id.into(), CourseEvent::Published {}.into()),
            13 => (course_id.into(), CourseEvent::Archived {}.into()),
            14 => {
                let event = EnrollmentEvent::Enrolled { learner_id, course_id, basis: Basis::Free };
                (enrollment_id.into(), event.into())
            }
            15 => {
                let lesson_id = LessonId::new(uuid(5, number));
                let event =
                    EnrollmentEvent::LessonCompleted { learner_id, course_id, lesson_id, progress_percent: number };
                (enrollment_id.into(), event.into())
            }
            16 => (enrollment_id.into(), EnrollmentEvent::Completed { learner_id, course_id }.into()),
            17 => {
                let event = PaymentEvent::Captured {
                    learner_id,
                    course_id,
                    enrollment_id,
                    amount: money,
                    transaction_id: format!("TXN-{number:012}"),
                    provider: Provider::Dummy,
                };
                (PaymentId::new(uuid(6, number)).into(), event.into())
            }
            18 => assessed(learner_id, AssessmentId::new(uuid(7, what)), number),
            19..22 => (uuid(8, what), invited(kind - 19, learner_id, number).into()),
            22..26 => (uuid(9, what), imported(kind - 22, learner_id, number).into()),
            26 => {
                let event = TenantEvent::Created { slug: "school".to_owned(), details: organisation(number) };
                (uuid(10, 0), event.into())
            }
            _ => {
                let event = TenantEvent::Updated { before: organisation(what), after: organisation(number) };
                (uuid(10, 0), event.into())
            }
        }
    }
}

fn invited(step: u8, account_id: AccountId, number: u8) -> InvitationEvent {
    match step {
        0 => InvitationEvent::Issued {
            account_id,
            email: Personal::new(account_id, format!("{number}@example.org")),
            role: Role::Learner,
            invited_by: person(0),
            expires_at: at(i64::from(number)),
        },
        1 => InvitationEvent::Accepted { account_id },
        _ => InvitationEvent::Revoked {},
    }
}

fn imported(step: u8, started_by: AccountId, number: u8) -> AccountImportEvent {
    let (accepted, refused) = (number.into(), (number % 7).into());
    match step {
        0 => AccountImportEvent::Started { started_by, bytes: 100, dry_run: number > 50 },
        1 => {
            let error = RowError { line: number.into(), column: Some("email".to_owned()), code: "taken".to_owned() };
            AccountImportEvent::Progressed { accepted, refused, errors: vec![error] }
        }
        2 => AccountImportEvent::Finished { accepted, refused },
        _ => AccountImportEvent::Failed { reason: ImportFailure::ListLost },
    }
}

fn organisation(number: u8) -> TenantDetails {
    let settings = [("colour".to_owned(), number.into())].into();
    TenantDetails { name: format!("School {number}"), registration: RegistrationPolicy::Invite, settings }
}

fn person(who: u8) -> AccountId {
    AccountId::new(Uuid::from_u128(0xa00 + u128::from(who)))
}

fn registered(account_id: AccountId, number: u8) -> AccountEvent {
    let of = |text: String| Personal::new(account_id, text);
    AccountEvent::Registered {
        account_id,
        email: of(format!("{number}@example.org")),
        username: None,
        role: if number > 50 { Role::Learner } else { Role::Instructor },
        first_name: of("Ada".to_owned()),
        last_name: of("Example".to_owned()),
        origin: Origin::SelfRegistration,
        portal_access: true,
        address: None,
        agent: None,
    }
}

fn lesson(number: u8) -> Lesson {
    Lesson {
        lesson_id: LessonId::new(Uuid::from_u128(u128::from(number))),
        title: format!("Lesson {number}"),
        content_type: ContentType::Text,
        content: Some("Two columns.".to_owned()),
        url: None,
        preview: number > 50,
        order_index: number.into(),
    }
}

fn assessed(learner_id: AccountId, assessment_id: AssessmentId, number: u8) -> (Uuid, Event) {
    if number < 30 {
        let definition = Definition {
            title: format!("Assessment {number}"),
            kind: Kind::Sjt,
            items: Vec::new(),
            pass_percent: Some(60),
            time_limit_seconds: None,
            max_attempts: None,
        };
        let event = AssessmentEvent::Created { author_id: learner_id, course_id: None, definition };
        return (assessment_id.into(), event.into());
    }
    let event = SubmissionEvent::Submitted {
        submission_id: SubmissionId::new(Uuid::from_u128(u128::from(number))),
        assessment_id,
        course_id: None,
        learner_id,
        attempt: 1,
        answers: Vec::new(),
        result: Some(Scored { score: 1, max_score: 2, passed: Some(number > 60) }),
        banked: false,
    };
    (AttemptsId::of(learner_id, assessment_id).into(), event.into())
}

async fn append(world: &World, draws: &[Draw]) {
    for draw in draws {
        let (id, event) = draw.event();
        world.append(id, event).await;
    }
}

/// Half of the events are applied by each view alone, the others by all in lockstep.
async fn rebuild_equals_incremental(draws: &[Draw], batches: &[usize]) -> Result<(), TestCaseError> {
    let world = World::new().await;
    for who in 0..FEW {
        world.new_person(person(who)).await;
    }
    let (early, late) = draws.split_at(draws.len() / 2);
    append(&world, early).await;
    let feed = world.feed();
    let mut lockstep = Lockstep::new(world.read.clone(), feed.clone(), batches[0]);
    for (projection, batch) in projections::ALL.iter().zip(batches) {
        let mut runner = Runner::new(*projection, world.read.clone(), feed.clone(), *batch);
        drain(&mut runner).await;
        lockstep.admit(runner);
    }
    append(&world, late).await;
    for mut unfit in march(&mut lockstep).await {
        drain(&mut unfit).await;
    }
    let report = run(&world, projections::ALL, Purpose::Verify).await;
    let different: Vec<_> = report
        .projections
        .iter()
        .filter(|outcome| !outcome.comparison.as_ref().is_some_and(|found| found.equal))
        .collect();
    if different.is_empty() { Ok(()) } else { Err(TestCaseError::fail(format!("{different:#?}"))) }
}

#[test]
fn a_rebuilt_view_equals_the_one_that_grew() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 6, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(draws(), batches()), |(draws, batches)| runtime.block_on(rebuild_equals_incremental(&draws, &batches)))
        .unwrap();
}
