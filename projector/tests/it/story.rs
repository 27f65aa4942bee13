//! A small academy: Ada learns, Ines teaches, one course is paid for and finished, one assessment is passed, Bob leaves.

use crate::world::{World, at};
use events::{
    Currency, Metadata, Money, Personal, Role,
    account::{AccountEvent, Origin, PasswordReason},
    account_import::{AccountImportEvent, ImportFailure, RowError},
    assessment::{AnswerOption, AssessmentEvent, Definition, Item, Kind},
    auth_session::{AuthSessionEvent, EndReason, SessionScope},
    category::CategoryEvent,
    course::{ContentType, CourseDetails, CourseEvent, Lesson},
    enrollment::{Basis, EnrollmentEvent},
    ids::{
        AccountId, AccountImportId, AssessmentId, AttemptsId, AuthSessionId, CategoryId, CourseId, EnrollmentId,
        InvitationId, LessonId, PaymentId, SubmissionId,
    },
    invitation::InvitationEvent,
    payment::{PaymentEvent, Provider},
    submission::{Answer, Response, Scored, SubmissionEvent},
    tenant::{DEFAULT_TENANT, RegistrationPolicy, TenantDetails, TenantEvent},
};
use uuid::Uuid;

pub(crate) const ADA: AccountId = AccountId::new(Uuid::from_u128(0xada));
pub(crate) const BOB: AccountId = AccountId::new(Uuid::from_u128(0xb0b));
pub(crate) const INES: AccountId = AccountId::new(Uuid::from_u128(0x17e5));
const CAY: AccountId = AccountId::new(Uuid::from_u128(0xca1));
const SESSION: AuthSessionId = AuthSessionId::new(Uuid::from_u128(0x5e));
const BUSINESS: CategoryId = CategoryId::new(Uuid::from_u128(0xca));
pub(crate) const BOOKKEEPING: CourseId = CourseId::new(Uuid::from_u128(0xc0));
const DRAFT: CourseId = CourseId::new(Uuid::from_u128(0xc1));
const PAYMENT: PaymentId = PaymentId::new(Uuid::from_u128(0xba));
const FIRST_DAY: AssessmentId = AssessmentId::new(Uuid::from_u128(0xa5));

/// A person comes, as a learner unless said otherwise.
pub(crate) async fn register(world: &World, person: AccountId, first_name: &str, role: Role) {
    world.new_person(person).await;
    let of = |text: String| Personal::new(person, text);
    let registered = AccountEvent::Registered {
        account_id: person,
        email: of(format!("{}@example.org", first_name.to_lowercase())),
        username: None,
        role,
        first_name: of(first_name.to_owned()),
        last_name: of("Example".to_owned()),
        origin: Origin::SelfRegistration,
        portal_access: true,
        address: Some(of("192.0.2.1".to_owned())),
        agent: None,
    };
    world.append(person, registered).await;
}

pub(crate) fn profile(person: AccountId, first_name: &str, bio: &str) -> AccountEvent {
    let of = |text: &str| Personal::new(person, text.to_owned());
    AccountEvent::ProfileUpdated {
        first_name: of(first_name),
        last_name: of("Example"),
        bio: Some(of(bio)),
        avatar_url: None,
    }
}

pub(crate) fn enrolled(learner_id: AccountId, course_id: CourseId) -> (EnrollmentId, EnrollmentEvent) {
    (EnrollmentId::of(learner_id, course_id), EnrollmentEvent::Enrolled { learner_id, course_id, basis: Basis::Free })
}

fn lesson(number: u32, content_type: ContentType) -> CourseEvent {
    CourseEvent::LessonAdded {
        lesson: Lesson {
            lesson_id: lesson_id(number),
            title: format!("Lesson {number}"),
            content_type,
            content: (content_type == ContentType::Text).then(|| "Two columns.".to_owned()),
            url: (content_type != ContentType::Text).then(|| "https://example.org/v".to_owned()),
            preview: number == 1,
            order_index: number,
        },
    }
}

fn lesson_id(number: u32) -> LessonId {
    LessonId::new(Uuid::from_u128(0x1e00 + u128::from(number)))
}

fn details(title: &str) -> CourseDetails {
    CourseDetails {
        title: title.to_owned(),
        description: Some("Debit and credit".to_owned()),
        price: None,
        category_id: None,
        thumbnail_url: None,
    }
}

/// Tells the whole story.
pub(crate) async fn tell(world: &World) {
    organisation(world).await;
    people(world).await;
    newcomers(world).await;
    courses(world).await;
    learning(world).await;
    testing(world).await;
    world.append(BOB, AccountEvent::Deactivated {}).await;
    world.append(BOB, AccountEvent::RoleChanged { before: Role::Learner, after: Role::Auditor }).await;
    world.append(SESSION, AuthSessionEvent::Ended { reason: EndReason::LoggedOut }).await;
}

async fn organisation(world: &World) {
    let details = |name: &str, registration| TenantDetails {
        name: name.to_owned(),
        registration,
        settings: [("colour".to_owned(), "#004488".into())].into(),
    };
    let before = details("Default", RegistrationPolicy::Open);
    let created = TenantEvent::Created { slug: "default".to_owned(), details: before.clone() };
    world.append(DEFAULT_TENANT, created).await;
    let after = details("The Academy", RegistrationPolicy::Invite);
    world.append(DEFAULT_TENANT, TenantEvent::Updated { before, after }).await;
}

async fn people(world: &World) {
    register(world, ADA, "Ada", Role::Learner).await;
    register(world, BOB, "Bob", Role::Learner).await;
    register(world, INES, "Ines", Role::Instructor).await;
    let temporary_until = Some(at(10_000));
    world.append(INES, AccountEvent::PasswordSet { reason: PasswordReason::Temporary, temporary_until }).await;
    world.append(ADA, profile(ADA, "Ada", "Countess")).await;
    world.append(ADA, AccountEvent::UsernameChanged { username: Some(Personal::new(ADA, "ada".to_owned())) }).await;
    let email = Personal::new(BOB, "bob@example.com".to_owned());
    world.append(BOB, AccountEvent::EmailChanged { email }).await;
    world.append(BOB, AccountEvent::Locked { failures: 10, until: at(9_000) }).await;
    world.append(ADA, AccountEvent::Locked { failures: 10, until: at(9_000) }).await;
    world.append(ADA, AccountEvent::Unlocked {}).await;
    world.append(INES, AccountEvent::PortalAccessChanged { before: true, after: false }).await;
    let started = AuthSessionEvent::Started {
        account_id: ADA,
        scope: SessionScope::Full,
        expires_at: at(1_000),
        address: Some(Personal::new(ADA, "192.0.2.1".to_owned())),
        agent: None,
    };
    world.append(SESSION, started).await;
    let by_ada = Metadata {
        actor_id: Some(ADA),
        actor_role: Some(Role::Learner),
        session_id: Some(SESSION),
        correlation_id: Uuid::from_u128(0xc0de),
        ..Metadata::default()
    };
    world.append_as(SESSION, AuthSessionEvent::Refreshed { expires_at: at(2_000) }, by_ada).await;
}

/// One who was invited comes, one does not; a list comes to its end, another does not.
async fn newcomers(world: &World) {
    for (number, fate) in [(1_u128, InvitationEvent::Accepted { account_id: CAY }), (2, InvitationEvent::Revoked {})] {
        let invitation = InvitationId::new(Uuid::from_u128(0x117 + number));
        let account_id = AccountId::new(Uuid::from_u128(CAY.as_uuid().as_u128() + number - 1));
        world.new_person(account_id).await;
        let issued = InvitationEvent::Issued {
            account_id,
            email: Personal::new(account_id, "cay@example.org".to_owned()),
            role: Role::Instructor,
            invited_by: INES,
            expires_at: at(10_000),
        };
        world.append(invitation, issued).await;
        world.append(invitation, fate).await;
    }
    for (number, end) in [
        (1_u128, AccountImportEvent::Finished { accepted: 3, refused: 1 }),
        (2, AccountImportEvent::Failed { reason: ImportFailure::ListLost }),
    ] {
        let import = AccountImportId::new(Uuid::from_u128(0x1157 + number));
        world.append(import, AccountImportEvent::Started { started_by: INES, bytes: 512, dry_run: number == 2 }).await;
        for (accepted, line) in [(1, 3), (2, 5)] {
            let errors = vec![RowError { line, column: Some("email".to_owned()), code: "taken".to_owned() }];
            world.append(import, AccountImportEvent::Progressed { accepted, refused: line / 3, errors }).await;
        }
        world.append(import, end).await;
    }
}

async fn courses(world: &World) {
    world.append(BUSINESS, CategoryEvent::Created { name: "Business".to_owned(), description: None }).await;
    let details_of = details;
    world.append(BOOKKEEPING, CourseEvent::Created { owner_id: INES, details: details_of("Bookkeping") }).await;
    world.append(DRAFT, CourseEvent::Created { owner_id: INES, details: details_of("Not yet") }).await;
    let corrected = CourseDetails {
        price: Some(Money { amount_minor: 4_999, currency: Currency::EUR }),
        category_id: Some(BUSINESS),
        ..details_of("Bookkeeping")
    };
    world.append(BOOKKEEPING, CourseEvent::Updated { details: corrected }).await;
    world.append(BOOKKEEPING, lesson(1, ContentType::Text)).await;
    world.append(BOOKKEEPING, lesson(2, ContentType::Video)).await;
    world.append(BOOKKEEPING, CourseEvent::Published {}).await;
}

async fn learning(world: &World) {
    let (learner_id, course_id) = (ADA, BOOKKEEPING);
    let enrollment_id = EnrollmentId::of(learner_id, course_id);
    let captured = PaymentEvent::Captured {
        learner_id,
        course_id,
        enrollment_id,
        amount: Money { amount_minor: 4_999, currency: Currency::EUR },
        transaction_id: "TXN-0123456789AB".to_owned(),
        provider: Provider::Dummy,
    };
    world.append(PAYMENT, captured).await;
    let basis = Basis::Payment { payment_id: PAYMENT };
    world.append(enrollment_id, EnrollmentEvent::Enrolled { learner_id, course_id, basis }).await;
    for (number, progress_percent) in [(1, 50), (2, 100)] {
        let lesson_id = lesson_id(number);
        let finished = EnrollmentEvent::LessonCompleted { learner_id, course_id, lesson_id, progress_percent };
        world.append(enrollment_id, finished).await;
    }
    world.append(enrollment_id, EnrollmentEvent::Completed { learner_id, course_id }).await;
    let (bobs, enrolled) = enrolled(BOB, BOOKKEEPING);
    world.append(bobs, enrolled).await;
}

async fn testing(world: &World) {
    let definition = Definition {
        title: "First day".to_owned(),
        kind: Kind::Sjt,
        items: vec![Item {
            id: "q1".to_owned(),
            prompt: "What now?".to_owned(),
            options: vec![AnswerOption { id: "a".to_owned(), text: "Ask".to_owned(), score: 2 }],
        }],
        pass_percent: Some(60),
        time_limit_seconds: None,
        max_attempts: Some(3),
    };
    let created = AssessmentEvent::Created { author_id: INES, course_id: Some(BOOKKEEPING), definition };
    world.append(FIRST_DAY, created).await;
    for (learner_id, attempt, result) in [
        (ADA, 1, Some(Scored { score: 0, max_score: 2, passed: Some(false) })),
        (ADA, 2, Some(Scored { score: 2, max_score: 2, passed: Some(true) })),
        (BOB, 1, None),
    ] {
        let submitted = SubmissionEvent::Submitted {
            submission_id: SubmissionId::new(Uuid::from_u128(
                learner_id.as_uuid().as_u128() << 8 | u128::from(attempt),
            )),
            assessment_id: FIRST_DAY,
            course_id: Some(BOOKKEEPING),
            learner_id,
            attempt,
            answers: vec![Answer { item_id: "q1".to_owned(), response: Response::OptionId("a".to_owned()) }],
            result,
            banked: false,
        };
        world.append(AttemptsId::of(learner_id, FIRST_DAY), submitted).await;
    }
}
