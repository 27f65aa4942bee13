//! The rules of imports, each as given, when, then.

use super::{
    payment::{ImportPayment, Paid},
    *,
};
use crate::{
    domain::{
        account::identifier::Email,
        given::{ADA, BOB, ada_as, euro, given, nobody},
    },
    execute::Import,
};
use chrono::TimeDelta;
use events::{
    ids::{EnrollmentId, PaymentId},
    payment::{Payment, PaymentEvent, Provider},
};
use uuid::Uuid;

const COURSE: CourseId = CourseId::new(Uuid::from_u128(9));
const ASSESSMENT: AssessmentId = AssessmentId::new(Uuid::from_u128(7));
const PAYMENT: PaymentId = PaymentId::new(Uuid::from_u128(8));

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(number)
}

/// An admin's request on day 1000 that tells of day 10.
fn on_day_10() -> Context {
    let import = Import { source: "old".to_owned(), occurred_at: day(10) };
    Context { now: day(1_000), import: Some(import), ..ada_as(Role::Admin) }
}

fn person() -> ImportAccount {
    let person = Person {
        account_id: BOB,
        email: Email::try_new("bob@example.org").unwrap(),
        username: None,
        first_name: "Bob".to_owned(),
        last_name: "Learner".to_owned(),
    };
    ImportAccount { person, role: Role::Learner, portal_access: true, has_password: false }
}

fn bob() -> Account {
    given(account(&Account::default(), &on_day_10(), person()).unwrap())
}

fn told_course(published_at: Option<DateTime<Utc>>, archived_at: Option<DateTime<Utc>>) -> ImportCourse {
    let details = CourseDetails {
        title: "Law 2013".to_owned(),
        description: None,
        price: Some(euro(100)),
        category_id: None,
        thumbnail_url: None,
    };
    ImportCourse { details, owner_id: None, published_at, archived_at }
}

fn events<E>(history: History<E>) -> Vec<E> {
    history.into_iter().map(|(_, event)| event).collect()
}

fn law() -> Course {
    let told = told_course(Some(day(10)), Some(day(200)));
    given(events(course(&Course::default(), None, None, &on_day_10(), told).unwrap()))
}

fn told_enrollment(completed_at: Option<i64>, withdrawn_at: Option<i64>) -> ImportEnrollment {
    let (completed_at, withdrawn_at) = (completed_at.map(day), withdrawn_at.map(day));
    ImportEnrollment { learner_id: BOB, course_id: COURSE, completed_at, withdrawn_at }
}

fn enrolled(completed_at: Option<i64>, withdrawn_at: Option<i64>) -> History<EnrollmentEvent> {
    let told = told_enrollment(completed_at, withdrawn_at);
    enrollment(&Enrollment::default(), &bob(), &law(), &on_day_10(), told).unwrap()
}

fn exam() -> Assessment {
    let told = ImportAssessment { course_id: Some(COURSE), title: "Exam".to_owned(), pass_percent: Some(40) };
    given(assessment(&Assessment::default(), Some(&law()), &on_day_10(), told).unwrap())
}

fn result(id: u128, score: Option<(i64, i64)>) -> ImportSubmission {
    let submission_id = SubmissionId::new(Uuid::from_u128(id));
    ImportSubmission { submission_id, assessment_id: ASSESSMENT, learner_id: BOB, score, banked: false }
}

fn take(state: &Attempts, told: ImportSubmission) -> Result<Vec<SubmissionEvent>, Refusal> {
    let enrollment = given(events(enrolled(None, Some(20))));
    submission(state, &exam(), Some(&enrollment), &on_day_10(), told)
}

#[test]
fn only_admins_import_and_only_below_themselves() {
    for context in [ada_as(Role::Instructor), ada_as(Role::Auditor), ada_as(Role::Learner), nobody()] {
        assert_eq!(account(&Account::default(), &context, person()), Err(Refusal::NotAdmin));
    }
    let admin = ImportAccount { role: Role::Admin, ..person() };
    assert_eq!(account(&Account::default(), &on_day_10(), admin), Err(Refusal::RoleNotBelowOwn));
}

#[test]
fn an_imported_account_has_no_password() {
    let registered = account(&Account::default(), &on_day_10(), person()).unwrap();
    assert!(matches!(registered[..], [AccountEvent::Registered { origin: Origin::Import, .. }]), "{registered:?}");
}

#[test]
fn whoever_brings_a_password_along_has_it_once() {
    let brought = ImportAccount { has_password: true, ..person() };
    let events = account(&Account::default(), &on_day_10(), brought.clone()).unwrap();
    let password_set = AccountEvent::PasswordSet { reason: PasswordReason::Imported, temporary_until: None };
    assert_eq!(events[1..], [password_set]);
    assert_eq!(account(&given(events), &on_day_10(), brought), Ok(vec![]));
}

#[test]
fn what_was_imported_before_changes_nothing() {
    assert_eq!(account(&bob(), &on_day_10(), person()), Ok(vec![]));
    let told = told_course(Some(day(10)), Some(day(200)));
    assert_eq!(course(&law(), None, None, &on_day_10(), told), Ok(vec![]));
    let told = ImportAssessment { course_id: Some(COURSE), title: "Exam".to_owned(), pass_percent: Some(40) };
    assert_eq!(assessment(&exam(), Some(&law()), &on_day_10(), told), Ok(vec![]));
    let state = given(events(enrolled(Some(30), Some(40))));
    assert_eq!(enrollment(&state, &bob(), &law(), &on_day_10(), told_enrollment(Some(30), Some(40))), Ok(vec![]));
    let state = given(take(&Attempts::default(), result(1, None)).unwrap());
    assert_eq!(take(&state, result(1, None)), Ok(vec![]));
}

#[test]
fn a_course_comes_in_as_far_as_it_came_without_lessons() {
    let history = |published, archived| {
        course(&Course::default(), None, None, &on_day_10(), told_course(published, archived))
            .map(|history| history.into_iter().map(|(at, _)| at).collect::<Vec<_>>())
    };
    assert_eq!(history(None, None), Ok(vec![day(10)]));
    assert_eq!(history(Some(day(11)), Some(day(20))), Ok(vec![day(10), day(11), day(20)]));
    assert_eq!(law().status, CourseStatus::Archived);
}

#[test]
fn a_course_that_went_on_since_is_brought_on() {
    let draft = told_course(None, None);
    let state = given(events(course(&Course::default(), None, None, &on_day_10(), draft).unwrap()));
    let history = course(&state, None, None, &on_day_10(), told_course(Some(day(12)), None));
    assert_eq!(history, Ok(vec![(day(12), CourseEvent::Published {})]));
}

#[test]
fn nothing_ends_before_it_begins_or_in_the_future() {
    let refused = |told| course(&Course::default(), None, None, &on_day_10(), told);
    assert_eq!(refused(told_course(Some(day(9)), None)), Err(Refusal::OutOfOrder(Stage::Published)));
    assert_eq!(refused(told_course(Some(day(12)), Some(day(11)))), Err(Refusal::OutOfOrder(Stage::Archived)));
    assert_eq!(refused(told_course(None, Some(day(1_001)))), Err(Refusal::OutOfOrder(Stage::Archived)));
    for (told, stage) in [
        (told_enrollment(Some(9), None), Stage::Completed),
        (told_enrollment(None, Some(9)), Stage::Withdrawn),
        (told_enrollment(None, Some(1_001)), Stage::Withdrawn),
    ] {
        let refused = enrollment(&Enrollment::default(), &bob(), &law(), &on_day_10(), told);
        assert_eq!(refused, Err(Refusal::OutOfOrder(stage)));
    }
    let tomorrow = Import { source: "old".to_owned(), occurred_at: day(1_001) };
    let context = Context { import: Some(tomorrow), ..on_day_10() };
    let refused = enrollment(&Enrollment::default(), &bob(), &law(), &context, told_enrollment(None, None));
    assert_eq!(refused, Err(Refusal::NotYet));
}

#[test]
fn neither_price_nor_status_keeps_an_enrolment_out() {
    let (learner_id, course_id) = (BOB, COURSE);
    let expected = vec![
        (day(10), EnrollmentEvent::Enrolled { learner_id, course_id, basis: Basis::Import }),
        (day(30), EnrollmentEvent::Completed { learner_id, course_id }),
    ];
    assert_eq!(enrolled(Some(30), None), expected);
}

#[test]
fn whoever_left_and_came_again_is_not_taken_out_again() {
    let again = EnrollmentEvent::Enrolled { learner_id: BOB, course_id: COURSE, basis: Basis::Free };
    let state = given(events(enrolled(None, Some(20))).into_iter().chain([again]));
    let history = enrollment(&state, &bob(), &law(), &on_day_10(), told_enrollment(None, Some(20)));
    assert_eq!(history, Ok(vec![]));
}

fn told_payment(enrolled_at: Option<i64>) -> ImportPayment {
    ImportPayment {
        payment_id: PAYMENT,
        learner_id: BOB,
        course_id: COURSE,
        amount: euro(4_999),
        transaction_id: "old-1".to_owned(),
        enrolled_at: enrolled_at.map(day),
    }
}

fn pay(state: &Payment, enrollment: &Enrollment, told: ImportPayment) -> Result<Paid, Refusal> {
    payment::decide(state, enrollment, &bob(), &law(), &on_day_10(), told)
}

fn captured() -> (DateTime<Utc>, PaymentEvent) {
    let event = PaymentEvent::Captured {
        learner_id: BOB,
        course_id: COURSE,
        enrollment_id: EnrollmentId::of(BOB, COURSE),
        amount: euro(4_999),
        transaction_id: "old-1".to_owned(),
        provider: Provider::Import,
    };
    (day(10), event)
}

#[test]
fn a_payment_opens_its_enrolment_and_is_its_basis() {
    let basis = Basis::Payment { payment_id: PAYMENT };
    let enrolled = EnrollmentEvent::Enrolled { learner_id: BOB, course_id: COURSE, basis };
    for (told, at) in [(None, 10), (Some(12), 12), (Some(8), 8)] {
        let paid = pay(&Payment::default(), &Enrollment::default(), told_payment(told));
        let expected = Paid { payment: vec![captured()], enrollment: vec![(day(at), enrolled.clone())] };
        assert_eq!(paid, Ok(expected), "{told:?}");
    }
    // The enrolment that is told of afterwards only comes to its end.
    let history = enrollment(&given([enrolled]), &bob(), &law(), &on_day_10(), told_enrollment(Some(30), None));
    let completed = EnrollmentEvent::Completed { learner_id: BOB, course_id: COURSE };
    assert_eq!(history, Ok(vec![(day(30), completed)]));
}

#[test]
fn an_enrolment_that_is_there_keeps_the_basis_on_which_it_was_opened() {
    for state in [given(events(enrolled(None, None))), given(events(enrolled(None, Some(20))))] {
        let paid = pay(&Payment::default(), &state, told_payment(Some(12)));
        assert_eq!(paid, Ok(Paid { payment: vec![captured()], enrollment: vec![] }));
    }
}

#[test]
fn a_payment_that_was_imported_before_changes_nothing() {
    let state = given([captured().1]);
    let nothing = Paid { payment: vec![], enrollment: vec![] };
    assert_eq!(pay(&state, &Enrollment::default(), told_payment(None)), Ok(nothing.clone()));
    assert_eq!(pay(&state, &given(events(enrolled(None, None))), told_payment(None)), Ok(nothing));
}

#[test]
fn a_payment_names_who_paid_for_what_and_has_happened() {
    let refused = |learner: &Account, course: &Course, context: &Context, told| {
        payment::decide(&Payment::default(), &Enrollment::default(), learner, course, context, told)
    };
    let (bob, law, told) = (bob(), law(), told_payment(None));
    let nobody = refused(&Account::default(), &law, &on_day_10(), told.clone());
    assert_eq!(nobody, Err(Refusal::Unknown(Named::Learner)));
    let nothing = refused(&bob, &Course::default(), &on_day_10(), told.clone());
    assert_eq!(nothing, Err(Refusal::Unknown(Named::Course)));
    let instructor = Context { import: on_day_10().import, ..ada_as(Role::Instructor) };
    assert_eq!(refused(&bob, &law, &instructor, told.clone()), Err(Refusal::NotAdmin));
    let tomorrow = Import { source: "old".to_owned(), occurred_at: day(1_001) };
    let tomorrow = Context { import: Some(tomorrow), ..on_day_10() };
    assert_eq!(refused(&bob, &law, &tomorrow, told), Err(Refusal::NotYet));
    let to_come = pay(&Payment::default(), &Enrollment::default(), told_payment(Some(1_001)));
    assert_eq!(to_come, Err(Refusal::OutOfOrder(Stage::Enrolled)));
}

#[test]
fn what_a_fact_names_has_to_be_there() {
    let (bob, law, nobody, nothing) = (bob(), law(), Account::default(), Course::default());
    let told = told_enrollment(None, None);
    let refused = |learner, course| enrollment(&Enrollment::default(), learner, course, &on_day_10(), told);
    assert_eq!(refused(&nobody, &law), Err(Refusal::Unknown(Named::Learner)));
    assert_eq!(refused(&bob, &nothing), Err(Refusal::Unknown(Named::Course)));
    let owned = ImportCourse { owner_id: Some(BOB), ..told_course(None, None) };
    let refused = course(&nothing, Some(&nobody), None, &on_day_10(), owned);
    assert_eq!(refused, Err(Refusal::Unknown(Named::Owner)));
    let refused = submission(&Attempts::default(), &Assessment::default(), None, &on_day_10(), result(1, None));
    assert_eq!(refused, Err(Refusal::Unknown(Named::Assessment)));
    let refused =
        submission(&Attempts::default(), &exam(), Some(&Enrollment::default()), &on_day_10(), result(1, None));
    assert_eq!(refused, Err(Refusal::NeverEnrolled));
}

#[test]
fn a_result_is_judged_by_the_bar_of_its_assessment() {
    let passed = |score| match take(&Attempts::default(), result(1, score)).as_deref() {
        Ok([SubmissionEvent::Submitted { result, attempt: 1, .. }]) => result.and_then(|result| result.passed),
        other => panic!("{other:?}"),
    };
    assert_eq!(passed(Some((40, 100))), Some(true));
    assert_eq!(passed(Some((39, 100))), Some(false));
    assert_eq!(passed(None), None);
    assert_eq!(take(&Attempts::default(), result(1, Some((101, 100)))), Err(Refusal::ScoreOutOfRange));
}

#[test]
fn results_are_taken_only_for_what_is_held_elsewhere() {
    let definition = Definition {
        title: "Here".to_owned(),
        kind: Kind::Sjt,
        items: vec![],
        pass_percent: None,
        time_limit_seconds: None,
        max_attempts: None,
    };
    let here = given([AssessmentEvent::Created { author_id: ADA, course_id: None, definition }]);
    let refused = submission(&Attempts::default(), &here, None, &on_day_10(), result(1, None));
    assert_eq!(refused, Err(Refusal::HeldHere));
}
