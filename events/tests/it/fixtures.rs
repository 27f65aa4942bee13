//! What was once stored is readable for ever: one stored event of every type under `events/tests/fixtures`, each of
//! which must still decode, and each of which today's code still writes to the letter.

use chrono::DateTime;
use events::{
    Currency, Event, Metadata, Money, Personal, Place, Role, StreamRef,
    account::{AccountEvent, Origin, PasswordReason},
    account_import::{AccountImportEvent, ImportFailure, RowError},
    assessment::{AnswerOption, AssessmentEvent, Definition, Item, Kind},
    auth_session::{AuthSessionEvent, EndReason, SessionScope},
    category::CategoryEvent,
    course::{ContentType, CourseDetails, CourseEvent, Lesson},
    enrollment::{Basis, EnrollmentEvent},
    ids::{AccountId, AssessmentId, CategoryId, CourseId, EnrollmentId, LessonId, PaymentId, SubmissionId},
    invitation::InvitationEvent,
    payment::{PaymentEvent, Provider},
    personal::{self, DataKey},
    refusal::RefusalEvent,
    submission::{Answer, Response, Scored, SubmissionEvent},
    tenant::{DEFAULT_TENANT, RegistrationPolicy, TenantDetails, TenantEvent},
};
use serde_json::{Value, json};
use std::{borrow::Cow, collections::BTreeSet, fs, path::PathBuf};
use uuid::Uuid;

const ADA: AccountId = AccountId::new(Uuid::from_u128(0xada));
const COURSE: CourseId = CourseId::new(Uuid::from_u128(0xc0));

fn adas<T>(value: T) -> Personal<T> {
    Personal::new(ADA, value)
}

/// One of every event.
#[expect(clippy::too_many_lines, reason = "a list, as long as there are events")]
fn one_of_each() -> Vec<Event> {
    let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let text = |text: &str| text.to_owned();
    let lesson_id = LessonId::new(Uuid::from_u128(0x1e));
    let enrollment_id = EnrollmentId::of(ADA, COURSE);
    let payment_id = PaymentId::new(Uuid::from_u128(0xba));
    let assessment_id = AssessmentId::new(Uuid::from_u128(0xa5));
    let price = Money { amount_minor: 4_999, currency: Currency::EUR };
    let details = CourseDetails {
        title: text("Bookkeeping"),
        description: Some(text("Debit and credit")),
        price: Some(price),
        category_id: Some(CategoryId::new(Uuid::from_u128(0xca))),
        thumbnail_url: Some(text("https://example.org/ledger.png")),
    };
    vec![
        AccountEvent::Registered {
            account_id: ADA,
            email: adas(text("ada@example.org")),
            username: Some(adas(text("ada"))),
            role: Role::Learner,
            first_name: adas(text("Ada")),
            last_name: adas(text("Lovelace")),
            origin: Origin::SelfRegistration,
            portal_access: true,
            address: Some(adas(text("192.0.2.1"))),
            agent: Some(adas(text("a browser"))),
        }
        .into(),
        AccountEvent::ProfileUpdated {
            first_name: adas(text("Ada")),
            last_name: adas(text("King")),
            bio: Some(adas(text("Countess"))),
            avatar_url: None,
        }
        .into(),
        AccountEvent::PasswordSet { reason: PasswordReason::Temporary, temporary_until: Some(at) }.into(),
        AccountEvent::Deactivated {}.into(),
        AccountEvent::Activated {}.into(),
        AccountEvent::RoleChanged { before: Role::Learner, after: Role::Instructor }.into(),
        AccountEvent::PortalAccessChanged { before: true, after: false }.into(),
        AccountEvent::EmailChanged { email: adas(text("ada@example.com")) }.into(),
        AccountEvent::UsernameChanged { username: Some(adas(text("countess"))) }.into(),
        AccountEvent::Locked { failures: 10, until: at }.into(),
        AccountEvent::Unlocked {}.into(),
        AccountImportEvent::Started { started_by: ADA, bytes: 512, dry_run: true }.into(),
        AccountImportEvent::Progressed {
            accepted: 5,
            refused: 1,
            errors: vec![RowError { line: 3, column: Some(text("email")), code: text("taken") }],
        }
        .into(),
        AccountImportEvent::Finished { accepted: 5, refused: 1 }.into(),
        AccountImportEvent::Failed { reason: ImportFailure::ListLost }.into(),
        InvitationEvent::Issued {
            account_id: ADA,
            email: adas(text("ada@example.org")),
            role: Role::Instructor,
            invited_by: AccountId::OPERATOR,
            expires_at: at,
        }
        .into(),
        InvitationEvent::Accepted { account_id: ADA }.into(),
        InvitationEvent::Revoked {}.into(),
        AccountEvent::PasswordResetRequested {
            expires_at: at,
            address: Some(adas(text("192.0.2.1"))),
            agent: Some(adas(text("a browser"))),
        }
        .into(),
        AuthSessionEvent::Started {
            account_id: ADA,
            scope: SessionScope::Full,
            expires_at: at,
            address: Some(adas(text("192.0.2.1"))),
            agent: None,
        }
        .into(),
        AuthSessionEvent::Refreshed { expires_at: at }.into(),
        AuthSessionEvent::Ended { reason: EndReason::LoggedOut }.into(),
        AuthSessionEvent::Revoked {}.into(),
        AuthSessionEvent::Expired {}.into(),
        CategoryEvent::Created { name: text("Business"), description: None }.into(),
        CourseEvent::Created { owner_id: ADA, details: details.clone() }.into(),
        CourseEvent::Updated { details }.into(),
        CourseEvent::LessonAdded {
            lesson: Lesson {
                lesson_id,
                title: text("The ledger"),
                content_type: ContentType::Text,
                content: Some(text("Two columns.")),
                url: None,
                preview: true,
                order_index: 1,
            },
        }
        .into(),
        CourseEvent::Published {}.into(),
        CourseEvent::Archived {}.into(),
        EnrollmentEvent::Enrolled { learner_id: ADA, course_id: COURSE, basis: Basis::Payment { payment_id } }.into(),
        EnrollmentEvent::LessonCompleted { learner_id: ADA, course_id: COURSE, lesson_id, progress_percent: 33 }.into(),
        EnrollmentEvent::Completed { learner_id: ADA, course_id: COURSE }.into(),
        EnrollmentEvent::Withdrawn { learner_id: ADA, course_id: COURSE }.into(),
        PaymentEvent::Captured {
            learner_id: ADA,
            course_id: COURSE,
            enrollment_id,
            amount: price,
            transaction_id: text("TXN-0123456789AB"),
            provider: Provider::Dummy,
        }
        .into(),
        AssessmentEvent::Created {
            author_id: ADA,
            course_id: Some(COURSE),
            definition: Definition {
                title: text("First day"),
                kind: Kind::Sjt,
                items: vec![Item {
                    id: text("q1"),
                    prompt: text("What now?"),
                    options: vec![AnswerOption { id: text("a"), text: text("Ask"), score: 2 }],
                }],
                pass_percent: Some(60),
                time_limit_seconds: Some(600),
                max_attempts: Some(3),
            },
        }
        .into(),
        SubmissionEvent::Submitted {
            submission_id: SubmissionId::new(Uuid::from_u128(0x5b)),
            assessment_id,
            course_id: Some(COURSE),
            learner_id: ADA,
            attempt: 1,
            answers: vec![
                Answer { item_id: text("q1"), response: Response::OptionId(text("a")) },
                Answer { item_id: text("q2"), response: Response::Text(text("Because.")) },
            ],
            result: Some(Scored { score: 2, max_score: 2, passed: Some(true) }),
            banked: false,
        }
        .into(),
        RefusalEvent::Recorded {
            command: text("auth_session.log_in"),
            problem: text("wrong-credentials"),
            account_id: Some(ADA),
            address: Some(adas(text("192.0.2.1"))),
            origin: Some(text("9a1f0c3b5d7e8f60")),
            count: 3,
            first_at: at,
            last_at: at,
        }
        .into(),
        TenantEvent::Created { slug: text("north"), details: tenant_details(RegistrationPolicy::Open) }.into(),
        TenantEvent::Updated {
            before: tenant_details(RegistrationPolicy::Open),
            after: tenant_details(RegistrationPolicy::Invite),
        }
        .into(),
    ]
}

fn tenant_details(registration: RegistrationPolicy) -> TenantDetails {
    let settings = [("colour".to_owned(), json!("#004488"))].into();
    TenantDetails { name: "Northern Academy".to_owned(), registration, settings }
}

fn adas_key(subject: AccountId) -> Option<DataKey> {
    (subject == ADA).then(|| DataKey::new(&[7; 32]))
}

/// The event as the log stores it, personal data sealed with a fixed key and nonce.
fn stored(event: &Event) -> Value {
    let place = Place {
        event_id: Uuid::nil(),
        tenant_id: DEFAULT_TENANT,
        stream: StreamRef { stream_type: "any".into(), id: Uuid::nil() },
        version: 1,
        recorded_at: DateTime::UNIX_EPOCH,
    };
    let seal = |json: &mut Value| personal::seal(json, &adas_key, &mut || [9; 24]);
    let recorded = place.record(event, &Metadata::default(), seal).unwrap().recorded;
    json!({"type": recorded.event_type, "data": recorded.data})
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn every_event_is_stored_as_it_always_was() {
    for event in one_of_each() {
        let stored = stored(&event);
        let path = folder("tests/fixtures").join(format!("{}.json", stored["type"].as_str().unwrap()));
        if std::env::var_os("REGISTRAR_UPDATE_SCHEMAS").is_some() {
            fs::create_dir_all(folder("tests/fixtures")).unwrap();
            fs::write(&path, serde_json::to_string_pretty(&stored).unwrap() + "\n").unwrap();
        }
        let fixture: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(stored, fixture, "{}", path.display());
    }
}

#[test]
fn everything_ever_stored_still_decodes() {
    let known = one_of_each();
    for entry in fs::read_dir(folder("tests/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        let mut fixture: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        personal::open(&mut fixture, &adas_key).unwrap();
        let event = Event::decode(fixture["type"].as_str().unwrap(), Cow::Borrowed(&fixture["data"])).unwrap();
        assert!(known.contains(&event), "{} decodes to something else", path.display());
    }
}

#[test]
fn after_erasure_every_event_still_decodes() {
    for event in one_of_each() {
        let stored = stored(&event);
        Event::decode(stored["type"].as_str().unwrap(), Cow::Borrowed(&stored["data"])).unwrap();
    }
}

#[test]
fn every_type_with_a_schema_has_a_fixture() {
    let names =
        |name| -> BTreeSet<_> { fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    assert_eq!(names("schemas"), names("tests/fixtures"));
}
