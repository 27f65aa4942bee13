//! What a fact appends: the streams that it needs are loaded, and it is decided on.

use super::{CHANGED, Told};
use crate::{
    domain::{
        account_import::row::BcryptHash,
        category::{NAME_SCOPE, Refusal as CategoryRefusal, name_key},
        import::{self, History},
    },
    execute::{Context, Reply, Work},
    http::account::bring_in,
};
use events::{
    Aggregate,
    account::Account,
    assessment::Assessment,
    category::Category,
    course::Course,
    enrollment::Enrollment,
    ids::{AttemptsId, EnrollmentId},
    payment::Payment,
    submission::Attempts,
};
use ops::problem::Problem;
use uuid::Uuid;

/// Loads what a fact needs, decides, and appends.
pub(super) async fn tell(work: &mut Work<'_>, context: &Context, told: &Told) -> Result<Reply, Problem> {
    match told {
        Told::Category { id, name, description } => {
            let state = work.load::<Category>(*id).await?.state;
            let events = import::category(&state, context, name.clone(), description.clone())?;
            if !events.is_empty() {
                let taken = CategoryRefusal::NameTaken { name: name.clone() };
                work.claim::<Category>(NAME_SCOPE, &name_key(name), *id, taken);
            }
            Ok(append::<Category>(work, *id, *id, now(context, events)))
        }
        Told::Account { account, password_hash } => {
            let id = account.person.account_id;
            let state = work.load::<Account>(id).await?.state;
            let events = import::account(&state, context, account.clone())?;
            if !events.is_empty() {
                bring_in(work, &account.person, password_hash.as_ref().map(BcryptHash::as_str));
            }
            Ok(append::<Account>(work, id, id, now(context, events)))
        }
        Told::Course { id, course } => {
            let state = work.load::<Course>(*id).await?.state;
            let owner = match course.owner_id {
                Some(owner) => Some(work.load::<Account>(owner).await?.state),
                None => None,
            };
            let category = match course.details.category_id {
                Some(category) => Some(work.load::<Category>(category).await?.state),
                None => None,
            };
            let history = import::course(&state, owner.as_deref(), category.as_deref(), context, course.clone())?;
            Ok(append::<Course>(work, *id, *id, history))
        }
        Told::Assessment { id, assessment } => {
            let state = work.load::<Assessment>(*id).await?.state;
            let course = match assessment.course_id {
                Some(course) => Some(work.load::<Course>(course).await?.state),
                None => None,
            };
            let events = import::assessment(&state, course.as_deref(), context, assessment.clone())?;
            Ok(append::<Assessment>(work, *id, *id, now(context, events)))
        }
        Told::Payment(payment) => {
            let (id, enrollment_id) = (payment.payment_id, EnrollmentId::of(payment.learner_id, payment.course_id));
            let state = work.load::<Payment>(id).await?.state;
            let enrollment = work.load::<Enrollment>(enrollment_id).await?.state;
            let learner = work.load::<Account>(payment.learner_id).await?.state;
            let course = work.load::<Course>(payment.course_id).await?.state;
            let paid = import::payment::decide(&state, &enrollment, &learner, &course, context, payment.clone())?;
            if !paid.enrollment.is_empty() {
                work.append_history::<Enrollment>(enrollment_id, paid.enrollment);
            }
            Ok(append::<Payment>(work, id, id, paid.payment))
        }
        Told::Enrollment(enrollment) => {
            let id = EnrollmentId::of(enrollment.learner_id, enrollment.course_id);
            let state = work.load::<Enrollment>(id).await?.state;
            let learner = work.load::<Account>(enrollment.learner_id).await?.state;
            let course = work.load::<Course>(enrollment.course_id).await?.state;
            let history = import::enrollment(&state, &learner, &course, context, *enrollment)?;
            Ok(append::<Enrollment>(work, id, id, history))
        }
        Told::Submission(submission) => {
            let id = AttemptsId::of(submission.learner_id, submission.assessment_id);
            let state = work.load::<Attempts>(id).await?.state;
            let assessment = work.load::<Assessment>(submission.assessment_id).await?.state;
            let enrollment = match assessment.course_id {
                Some(course) => {
                    Some(work.load::<Enrollment>(EnrollmentId::of(submission.learner_id, course)).await?.state)
                }
                None => None,
            };
            let events = import::submission(&state, &assessment, enrollment.as_deref(), context, *submission)?;
            Ok(append::<Attempts>(work, id, submission.submission_id, now(context, events)))
        }
    }
}

/// Events that happened when the fact says.
fn now<E>(context: &Context, events: Vec<E>) -> History<E> {
    let at = context.import.as_ref().map_or(context.now, |import| import.occurred_at);
    events.into_iter().map(|event| (at, event)).collect()
}

fn append<A: Aggregate>(
    work: &mut Work<'_>,
    stream: A::Id,
    answered: impl Into<Uuid>,
    history: History<A::Event>,
) -> Reply {
    let is_changed = !history.is_empty();
    if is_changed {
        work.append_history::<A>(stream, history);
    }
    Reply::ok(answered).of_stream(stream).with(CHANGED, is_changed)
}
