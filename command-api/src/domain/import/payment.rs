//! Money that was taken in another system.
//!
//! As with a payment that is made here, payment and enrolment come together or not at all: a payment that comes before
//! its enrolment opens it, and is its basis, so that nobody who paid there is asked to pay here again. An enrolment that
//! is there already keeps the basis on which it was opened, for what was recorded is not recorded otherwise: whoever
//! imports both tells of payments first. Neither price nor status of the course matters, and somebody may have paid twice.

use super::{History, Named, Refusal, Stage, begin, importer, in_order};
use crate::execute::Context;
use chrono::{DateTime, Utc};
use events::{
    Money,
    account::Account,
    course::Course,
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{AccountId, CourseId, EnrollmentId, PaymentId},
    payment::{Payment, PaymentEvent, Provider},
};

/// A payment that was captured in another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportPayment {
    /// The payment.
    pub payment_id: PaymentId,
    /// Who paid.
    pub learner_id: AccountId,
    /// For what.
    pub course_id: CourseId,
    /// How much.
    pub amount: Money,
    /// The reference that people quote.
    pub transaction_id: String,
    /// When the learner entered the course, where not when they paid.
    pub enrolled_at: Option<DateTime<Utc>>,
}

/// What a payment brings about, each on its own stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Paid {
    /// Of the payment.
    pub payment: History<PaymentEvent>,
    /// Of the enrolment that it belongs to.
    pub enrollment: History<EnrollmentEvent>,
}

/// A payment comes in once. `learner`, `course` and `enrollment` are those that it names.
pub fn decide(
    state: &Payment,
    enrollment: &Enrollment,
    learner: &Account,
    course: &Course,
    context: &Context,
    command: ImportPayment,
) -> Result<Paid, Refusal> {
    importer(context)?;
    let ImportPayment { payment_id, learner_id, course_id, amount, transaction_id, enrolled_at } = command;
    if learner.profile.is_none() {
        return Err(Refusal::Unknown(Named::Learner));
    }
    if course.details.is_none() {
        return Err(Refusal::Unknown(Named::Course));
    }
    let paid_at = begin(context)?;
    in_order(context, None, enrolled_at, Stage::Enrolled)?;
    let mut paid = Paid { payment: vec![], enrollment: vec![] };
    if state.status.is_some() {
        return Ok(paid);
    }
    let enrollment_id = EnrollmentId::of(learner_id, course_id);
    let provider = Provider::Import;
    let captured = PaymentEvent::Captured { learner_id, course_id, enrollment_id, amount, transaction_id, provider };
    paid.payment.push((paid_at, captured));
    if enrollment.learner_id.is_none() {
        let basis = Basis::Payment { payment_id };
        let enrolled = EnrollmentEvent::Enrolled { learner_id, course_id, basis };
        paid.enrollment.push((enrolled_at.unwrap_or(paid_at), enrolled));
    }
    Ok(paid)
}
