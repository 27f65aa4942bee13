//! A learner pays for a course, and by that enters it: both happen, or neither.

use crate::execute::Context;
use events::{
    Money,
    course::{Course, CourseStatus},
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{CourseId, EnrollmentId, PaymentId},
    payment::{PaymentEvent, Provider},
};

/// Pay for a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pay {
    /// The payment's id, newly drawn.
    pub payment_id: PaymentId,
    /// The reference that people quote, newly drawn: `TXN-` and twelve upper-case hexadecimal digits.
    pub transaction_id: String,
    /// For what.
    pub course_id: CourseId,
    /// What the payer believes the price to be.
    pub amount: Option<Money>,
}

/// What a payment brings about, each on its own stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Paid {
    /// Of the payment.
    pub payment: PaymentEvent,
    /// Of the enrolment that it opens.
    pub enrollment: EnrollmentEvent,
}

/// Why no money is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A repeated request could not be told from a second payment.
    #[error("paying needs an Idempotency-Key, so that a repeated request never pays twice")]
    IdempotencyKeyRequired,
    /// Nobody in particular asks.
    #[error("sign in to pay for courses")]
    NotSignedIn,
    /// There is no such course.
    #[error("there is no such course")]
    CourseNotFound,
    /// The learner paid for it before.
    #[error("you have already paid for this course")]
    AlreadyPaid,
    /// The learner is in the course without having paid.
    #[error("you are already enrolled in this course")]
    AlreadyEnrolled,
    /// The course is not open to learners.
    #[error("the course is not published")]
    CourseNotPublished,
    /// There is nothing to pay.
    #[error("the course is free: enrol in it without paying")]
    CourseIsFree,
    /// The payer believes in another price.
    #[error("the course costs {price}")]
    AmountMismatch {
        /// What it costs.
        price: Money,
    },
}

/// Decides on a payment that has no history yet. `enrollment` is the caller's in `course`.
pub fn decide(course: &Course, enrollment: &Enrollment, context: &Context, command: Pay) -> Result<Paid, Refusal> {
    if context.idempotency.is_none() {
        return Err(Refusal::IdempotencyKeyRequired);
    }
    let learner_id = context.actor.as_ref().map(|actor| actor.account_id).ok_or(Refusal::NotSignedIn)?;
    if course.details.is_none() {
        return Err(Refusal::CourseNotFound);
    }
    match enrollment.basis {
        Some(Basis::Payment { .. }) => return Err(Refusal::AlreadyPaid),
        Some(Basis::Free | Basis::Import) if enrollment.is_enrolled() => return Err(Refusal::AlreadyEnrolled),
        Some(Basis::Free | Basis::Import) | None => {}
    }
    if course.status != CourseStatus::Published {
        return Err(Refusal::CourseNotPublished);
    }
    let price = course.price().ok_or(Refusal::CourseIsFree)?;
    if command.amount.is_some_and(|amount| amount != price) {
        return Err(Refusal::AmountMismatch { price });
    }
    let Pay { payment_id, transaction_id, course_id, .. } = command;
    Ok(Paid {
        payment: PaymentEvent::Captured {
            learner_id,
            course_id,
            enrollment_id: EnrollmentId::of(learner_id, course_id),
            amount: price,
            transaction_id,
            provider: Provider::Dummy,
        },
        enrollment: EnrollmentEvent::Enrolled { learner_id, course_id, basis: Basis::Payment { payment_id } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ADA, BOB, ada_as, euro, given, nobody};
    use events::{
        Currency, Role,
        course::{CourseDetails, CourseEvent},
    };
    use uuid::Uuid;

    const COURSE: CourseId = CourseId::new(Uuid::from_u128(9));
    const PAYMENT: PaymentId = PaymentId::new(Uuid::from_u128(8));

    fn created(price: Option<Money>) -> CourseEvent {
        let details = CourseDetails {
            title: "Contracts".to_owned(),
            description: None,
            price,
            category_id: None,
            thumbnail_url: None,
        };
        CourseEvent::Created { owner_id: BOB, details }
    }

    fn priced() -> Course {
        given([created(Some(euro(4999))), CourseEvent::Published {}])
    }

    fn pay(amount: Option<Money>) -> Pay {
        let transaction_id = "TXN-0123456789AB".to_owned();
        Pay { payment_id: PAYMENT, transaction_id, course_id: COURSE, amount }
    }

    fn enrolled(basis: Basis) -> EnrollmentEvent {
        EnrollmentEvent::Enrolled { learner_id: ADA, course_id: COURSE, basis }
    }

    fn paid() -> Paid {
        Paid {
            payment: PaymentEvent::Captured {
                learner_id: ADA,
                course_id: COURSE,
                enrollment_id: EnrollmentId::of(ADA, COURSE),
                amount: euro(4999),
                transaction_id: "TXN-0123456789AB".to_owned(),
                provider: Provider::Dummy,
            },
            enrollment: enrolled(Basis::Payment { payment_id: PAYMENT }),
        }
    }

    #[test]
    fn who_pays_is_enrolled_by_that_payment() {
        for amount in [None, Some(euro(4999))] {
            assert_eq!(decide(&priced(), &Enrollment::default(), &ada_as(Role::Learner), pay(amount)), Ok(paid()));
        }
    }

    #[test]
    fn an_amount_other_than_the_price_is_refused() {
        let pounds = Currency::try_from("GBP".to_owned()).unwrap();
        for amount in [euro(4998), euro(5000), euro(0), Money { currency: pounds, ..euro(4999) }] {
            let refused = decide(&priced(), &Enrollment::default(), &ada_as(Role::Learner), pay(Some(amount)));
            assert_eq!(refused, Err(Refusal::AmountMismatch { price: euro(4999) }));
        }
    }

    #[test]
    fn a_payment_needs_an_idempotency_key() {
        let context = Context { idempotency: None, ..ada_as(Role::Learner) };
        let refused = decide(&priced(), &Enrollment::default(), &context, pay(None));
        assert_eq!(refused, Err(Refusal::IdempotencyKeyRequired));
    }

    #[test]
    fn a_payment_needs_a_payer() {
        let refused = decide(&priced(), &Enrollment::default(), &nobody(), pay(None));
        assert_eq!(refused, Err(Refusal::NotSignedIn));
    }

    #[test]
    fn a_course_is_paid_for_once() {
        let enrollment = given([enrolled(Basis::Payment { payment_id: PAYMENT })]);
        let refused = decide(&priced(), &enrollment, &ada_as(Role::Learner), pay(None));
        assert_eq!(refused, Err(Refusal::AlreadyPaid));
    }

    #[test]
    fn who_entered_for_free_does_not_pay_afterwards() {
        let refused = decide(&priced(), &given([enrolled(Basis::Free)]), &ada_as(Role::Learner), pay(None));
        assert_eq!(refused, Err(Refusal::AlreadyEnrolled));
    }

    #[test]
    fn a_free_course_takes_no_money() {
        for price in [None, Some(euro(0))] {
            let free = given([created(price), CourseEvent::Published {}]);
            let refused = decide(&free, &Enrollment::default(), &ada_as(Role::Learner), pay(None));
            assert_eq!(refused, Err(Refusal::CourseIsFree));
        }
    }

    #[test]
    fn only_a_published_course_takes_money() {
        let archived = given([created(Some(euro(4999))), CourseEvent::Published {}, CourseEvent::Archived {}]);
        for course in [given([created(Some(euro(4999)))]), archived] {
            let refused = decide(&course, &Enrollment::default(), &ada_as(Role::Learner), pay(None));
            assert_eq!(refused, Err(Refusal::CourseNotPublished));
        }
    }

    #[test]
    fn a_course_that_is_not_there_takes_no_money() {
        let refused = decide(&Course::default(), &Enrollment::default(), &ada_as(Role::Learner), pay(None));
        assert_eq!(refused, Err(Refusal::CourseNotFound));
    }
}
