//! What is taken over from another system: facts of before, which today's rules would refuse.
//!
//! The rules here are other than those of the live commands: an account has no password yet, a course no lessons, a
//! result no answers. Each decision brings a stream to what is told of it and no further, so that told again it changes
//! nothing, and what happened here since then stands. Ids are derived from the source's own keys (`events::ids::of_import`).

use crate::{
    domain::account::Person,
    execute::{Actor, Context},
};
use chrono::{DateTime, Utc};
use events::{
    Personal, Role,
    account::{Account, AccountEvent, Origin, PasswordReason},
    assessment::{Assessment, AssessmentEvent, Definition, Kind},
    category::{Category, CategoryEvent},
    course::{Course, CourseDetails, CourseEvent, CourseStatus},
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{AccountId, AssessmentId, CourseId, SubmissionId},
    submission::{Attempts, Scored, SubmissionEvent},
};

pub mod payment;

/// Events, each with the time at which it happened.
pub type History<E> = Vec<(DateTime<Utc>, E)>;

/// An account that was in another system. Who brings no password along resets it before they first log in.
#[derive(Debug, Clone)]
pub struct ImportAccount {
    /// Whose.
    pub person: Person,
    /// What it may do: a role below that of who imports.
    pub role: Role,
    /// Whether it may log in to the portal.
    pub portal_access: bool,
    /// Whether the person brings a password along.
    pub has_password: bool,
}

/// A course that was given in another system, and how far it came there.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportCourse {
    /// What it says of itself.
    pub details: CourseDetails,
    /// Whose it is; without it, theirs who imports.
    pub owner_id: Option<AccountId>,
    /// When it could first be taken; a draft without it.
    pub published_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub archived_at: Option<DateTime<Utc>>,
}

/// An assessment that is or was held elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportAssessment {
    /// The course that it belongs to.
    pub course_id: Option<CourseId>,
    /// Title.
    pub title: String,
    /// Share of the highest score that passes.
    pub pass_percent: Option<u8>,
}

/// A learner who was in a course, and how that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportEnrollment {
    /// Who.
    pub learner_id: AccountId,
    /// In what.
    pub course_id: CourseId,
    /// When they finished it.
    pub completed_at: Option<DateTime<Utc>>,
    /// When they left it.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// The result of an attempt at an assessment that is held elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportSubmission {
    /// The attempt.
    pub submission_id: SubmissionId,
    /// What was answered to.
    pub assessment_id: AssessmentId,
    /// Who answered.
    pub learner_id: AccountId,
    /// Points reached and to be reached; absent where nobody judged it.
    pub score: Option<(i64, i64)>,
    /// Whether it was carried over from an earlier time that the learner took the course.
    pub banked: bool,
}

/// What a fact names that has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The learner of an enrolment, a payment or a result.
    Learner,
    /// The owner of a course.
    Owner,
    /// The category of a course.
    Category,
    /// The course of an assessment, an enrolment or a payment.
    Course,
    /// The assessment of a result.
    Assessment,
}

/// Why a fact is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller does not run the tenant.
    #[error("only an admin imports")]
    NotAdmin,
    /// The account would be of the importer's own rank, or above it.
    #[error("an import brings in only accounts of roles below your own")]
    RoleNotBelowOwn,
    /// What it names is not there.
    #[error("what it names was not imported from this source: import that first")]
    Unknown(Named),
    /// It is told of the future.
    #[error("it has not happened yet")]
    NotYet,
    /// It ends before it begins.
    #[error("it cannot have happened before what leads to it")]
    OutOfOrder(Stage),
    /// The assessment is held here.
    #[error("the assessment is held here: its results come from answers")]
    HeldHere,
    /// The learner was never in the assessment's course.
    #[error("the learner was never in the assessment's course")]
    NeverEnrolled,
    /// More was reached than there was to reach.
    #[error("the score is between 0 and the highest score")]
    ScoreOutOfRange,
}

/// What comes after the beginning of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A course's publication.
    Published,
    /// A course's end.
    Archived,
    /// A learner's completion of a course.
    Completed,
    /// A learner's entry into a course that was paid for.
    Enrolled,
    /// A learner's withdrawal from it.
    Withdrawn,
}

/// An account comes in once; what became of it since is its own history.
pub fn account(state: &Account, context: &Context, command: ImportAccount) -> Result<Vec<AccountEvent>, Refusal> {
    let importer = importer(context)?;
    if !importer.role.may_create(command.role) {
        return Err(Refusal::RoleNotBelowOwn);
    }
    if state.profile.is_some() {
        return Ok(vec![]);
    }
    let ImportAccount { person, role, portal_access, has_password } = command;
    let own = |text: String| Personal::new(person.account_id, text);
    let registered = AccountEvent::Registered {
        account_id: person.account_id,
        email: own(person.email.as_str().to_owned()),
        username: person.username.as_ref().map(|username| own(username.as_str().to_owned())),
        role,
        first_name: own(person.first_name),
        last_name: own(person.last_name),
        origin: Origin::Import,
        portal_access,
        address: None,
        agent: None,
    };
    let password_set = AccountEvent::PasswordSet { reason: PasswordReason::Imported, temporary_until: None };
    Ok(std::iter::once(registered).chain(has_password.then_some(password_set)).collect())
}

/// A category comes in once.
pub fn category(
    state: &Category,
    context: &Context,
    name: String,
    description: Option<String>,
) -> Result<Vec<CategoryEvent>, Refusal> {
    importer(context)?;
    Ok(if state.name.is_some() { vec![] } else { vec![CategoryEvent::Created { name, description }] })
}

/// A course comes in as far as it came. `owner` and `category` are those that it names.
pub fn course(
    state: &Course,
    owner: Option<&Account>,
    category: Option<&Category>,
    context: &Context,
    command: ImportCourse,
) -> Result<History<CourseEvent>, Refusal> {
    let importer = importer(context)?;
    let ImportCourse { details, owner_id, published_at, archived_at } = command;
    if owner_id.is_some() && owner.is_none_or(|owner| owner.profile.is_none()) {
        return Err(Refusal::Unknown(Named::Owner));
    }
    if details.category_id.is_some() && category.is_none_or(|category| category.name.is_none()) {
        return Err(Refusal::Unknown(Named::Category));
    }
    let begun = begin(context)?;
    in_order(context, Some(begun), published_at, Stage::Published)?;
    in_order(context, published_at.or(Some(begun)), archived_at, Stage::Archived)?;
    let mut history = vec![];
    if state.details.is_none() {
        history.push((begun, CourseEvent::Created { owner_id: owner_id.unwrap_or(importer.account_id), details }));
    }
    if let Some(at) = published_at.filter(|_| state.status == CourseStatus::Draft) {
        history.push((at, CourseEvent::Published {}));
    }
    if let Some(at) = archived_at.filter(|_| state.status != CourseStatus::Archived) {
        history.push((at, CourseEvent::Archived {}));
    }
    Ok(history)
}

/// An assessment comes in once, without items. `course` is the one that it names.
pub fn assessment(
    state: &Assessment,
    course: Option<&Course>,
    context: &Context,
    command: ImportAssessment,
) -> Result<Vec<AssessmentEvent>, Refusal> {
    let importer = importer(context)?;
    begin(context)?;
    let ImportAssessment { course_id, title, pass_percent } = command;
    if course_id.is_some() && course.is_none_or(|course| course.details.is_none()) {
        return Err(Refusal::Unknown(Named::Course));
    }
    if state.definition.is_some() {
        return Ok(vec![]);
    }
    let definition = Definition {
        title,
        kind: Kind::External,
        items: vec![],
        pass_percent,
        time_limit_seconds: None,
        max_attempts: None,
    };
    Ok(vec![AssessmentEvent::Created { author_id: importer.account_id, course_id, definition }])
}

/// A learner comes into a course, and to the end that is told. `learner` and `course` are those that it names. Neither
/// price nor status of the course matters: they were in it. One that a payment opened keeps that as its basis.
pub fn enrollment(
    state: &Enrollment,
    learner: &Account,
    course: &Course,
    context: &Context,
    command: ImportEnrollment,
) -> Result<History<EnrollmentEvent>, Refusal> {
    importer(context)?;
    let ImportEnrollment { learner_id, course_id, completed_at, withdrawn_at } = command;
    if learner.profile.is_none() {
        return Err(Refusal::Unknown(Named::Learner));
    }
    if course.details.is_none() {
        return Err(Refusal::Unknown(Named::Course));
    }
    let begun = begin(context)?;
    in_order(context, Some(begun), completed_at, Stage::Completed)?;
    in_order(context, Some(begun), withdrawn_at, Stage::Withdrawn)?;
    let mut history = vec![];
    if state.learner_id.is_none() {
        history.push((begun, EnrollmentEvent::Enrolled { learner_id, course_id, basis: Basis::Import }));
    }
    if let Some(at) = completed_at.filter(|_| !state.is_completed) {
        history.push((at, EnrollmentEvent::Completed { learner_id, course_id }));
    }
    // Whoever left and came again since then is not taken out again.
    if let Some(at) = withdrawn_at.filter(|_| state.withdrawals == 0) {
        history.push((at, EnrollmentEvent::Withdrawn { learner_id, course_id }));
    }
    Ok(history)
}

/// A result comes in once. `enrollment` is the learner's in the assessment's course, where it has one; it may be over.
pub fn submission(
    state: &Attempts,
    assessment: &Assessment,
    enrollment: Option<&Enrollment>,
    context: &Context,
    command: ImportSubmission,
) -> Result<Vec<SubmissionEvent>, Refusal> {
    importer(context)?;
    begin(context)?;
    let ImportSubmission { submission_id, assessment_id, learner_id, score, banked } = command;
    let definition = assessment.definition.as_ref().ok_or(Refusal::Unknown(Named::Assessment))?;
    if definition.kind != Kind::External {
        return Err(Refusal::HeldHere);
    }
    if assessment.course_id.is_some() && enrollment.is_none_or(|enrollment| enrollment.learner_id.is_none()) {
        return Err(Refusal::NeverEnrolled);
    }
    if score.is_some_and(|(score, max_score)| !(0..=max_score).contains(&score)) {
        return Err(Refusal::ScoreOutOfRange);
    }
    if state.submissions.contains(&submission_id) {
        return Ok(vec![]);
    }
    let result = score.map(|(score, max_score)| Scored {
        score,
        max_score,
        passed: definition.pass_percent.map(|percent| score * 100 >= max_score * i64::from(percent)),
    });
    Ok(vec![SubmissionEvent::Submitted {
        submission_id,
        assessment_id,
        course_id: assessment.course_id,
        learner_id,
        attempt: state.count + 1,
        answers: vec![],
        result,
        banked,
    }])
}

fn importer(context: &Context) -> Result<Actor, Refusal> {
    context.actor.filter(|actor| actor.role.administers()).ok_or(Refusal::NotAdmin)
}

/// When the fact began to be one.
fn begin(context: &Context) -> Result<DateTime<Utc>, Refusal> {
    let at = context.import.as_ref().map_or(context.now, |import| import.occurred_at);
    if at > context.now { Err(Refusal::NotYet) } else { Ok(at) }
}

fn in_order(
    context: &Context,
    before: Option<DateTime<Utc>>,
    at: Option<DateTime<Utc>>,
    stage: Stage,
) -> Result<(), Refusal> {
    match at {
        Some(at) if at > context.now || before.is_some_and(|before| at < before) => Err(Refusal::OutOfOrder(stage)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
