//! `POST /v1/payments`: pay for a course, and enter it.

use super::{
    enrollment::{ALREADY_ENROLLED, COURSE_NOT_PUBLISHED},
    money::Amount,
};
use crate::{
    domain::payment::{self, Pay, Refusal},
    execute::{Answer, Context, Executor, Reply},
    openapi::Done,
};
use axum::extract::State;
use events::{
    course::Course,
    enrollment::Enrollment,
    ids::{CourseId, EnrollmentId, PaymentId},
    payment::{Payment, PaymentStatus},
};
use ops::{
    extract::Json,
    problem::{FieldError, IDEMPOTENCY_KEY_REQUIRED, Problem, ProblemType},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

const ALREADY_PAID: ProblemType = ProblemType {
    slug: "already-paid",
    status: 409,
    title: "Already paid",
    meaning: "The caller paid for this course before, and is enrolled in it: nothing was taken now.",
};
const COURSE_IS_FREE: ProblemType = ProblemType {
    slug: "course-is-free",
    status: 409,
    title: "The course is free",
    meaning: "There is nothing to pay: POST /v1/enrollments enters the course.",
};
const AMOUNT_MISMATCH: ProblemType = ProblemType {
    slug: "amount-mismatch",
    status: 422,
    title: "The amount is not the price",
    meaning: "The amount is not what the course costs, which `price` says: nothing was taken. Show the new price first.",
};

/// What this file refuses with, beside the problems of every route and of enrolments.
pub const PROBLEMS: &[ProblemType] = &[ALREADY_PAID, COURSE_IS_FREE, AMOUNT_MISMATCH];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::IdempotencyKeyRequired => Self::new(IDEMPOTENCY_KEY_REQUIRED).detail(detail),
            Refusal::NotSignedIn => Self::unauthenticated(),
            Refusal::CourseNotFound => Self::not_found().detail(detail),
            Refusal::AlreadyPaid => Self::new(ALREADY_PAID).detail(detail),
            Refusal::AlreadyEnrolled => Self::new(ALREADY_ENROLLED).detail(detail),
            Refusal::CourseNotPublished => Self::new(COURSE_NOT_PUBLISHED).detail(detail),
            Refusal::CourseIsFree => Self::new(COURSE_IS_FREE).detail(detail),
            Refusal::AmountMismatch { price } => Self::new(AMOUNT_MISMATCH)
                .errors([FieldError::new("/amount", "mismatch", detail.clone())])
                .detail(detail)
                .with("price", price),
        }
    }
}

/// A course to pay for.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayForCourse {
    /// Which.
    course_id: Uuid,
    /// What the payer was shown as the price; where it is given, the payment is refused if the price has changed.
    #[validate(nested)]
    amount: Option<Amount>,
}

/// A payment that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneWithPayment {
    /// As every command answers.
    #[serde(flatten)]
    pub done: Done,
    /// The reference to quote.
    #[schema(pattern = "^TXN-[0-9A-F]{12}$", example = "TXN-0123456789AB")]
    pub transaction_id: String,
    /// Where the payment stands.
    #[schema(example = "completed")]
    pub status: String,
    /// The enrolment that it opened.
    pub enrollment_id: Uuid,
}

/// Pays for a course and enters it.
#[utoipa::path(
    post,
    path = "/v1/payments",
    tag = "payment",
    security(("bearer" = [])),
    params(
        ("Idempotency-Key" = String, Header, description = "A new one for each intent to pay: with it, a repeated request never pays twice"),
    ),
    request_body = PayForCourse,
    responses(
        (status = 201, description = "The payment", body = DoneWithPayment),
        (status = 400, description = "`idempotency-key-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`already-paid`, `already-enrolled`, `course-not-published`, `course-is-free`"),
        (status = 422, description = "`amount-mismatch`"),
    )
)]
pub async fn pay(
    State(executor): State<Executor>,
    context: Context,
    Json(body): Json<PayForCourse>,
) -> Result<Answer, Problem> {
    let learner_id = context.actor.ok_or_else(Problem::unauthenticated)?.account_id;
    let course_id = CourseId::new(body.course_id);
    let enrollment_id = EnrollmentId::of(learner_id, course_id);
    let id = PaymentId::new(Uuid::now_v7());
    let command =
        Pay { payment_id: id, transaction_id: draw_transaction_id(), course_id, amount: body.amount.map(Into::into) };
    let (context, command) = (&context, &command);
    executor
        .execute(context, "payment.pay", |work| {
            Box::pin(async move {
                let course = work.load::<Course>(course_id).await?;
                let enrollment = work.load::<Enrollment>(enrollment_id).await?;
                let paid = payment::decide(&course.state, &enrollment.state, context, command.clone())?;
                work.append::<Payment>(id, vec![paid.payment]);
                work.append::<Enrollment>(enrollment_id, vec![paid.enrollment]);
                Ok(Reply::created(id, "/v1/me/payments")
                    .with("transaction_id", command.transaction_id.clone())
                    .with("status", PaymentStatus::Completed.as_str())
                    .with("enrollment_id", enrollment_id.to_string()))
            })
        })
        .await
}

fn draw_transaction_id() -> String {
    transaction_id(rand::random())
}

/// `TXN-` and twelve upper-case hexadecimal digits, the last of the number.
pub(super) fn transaction_id(number: u64) -> String {
    let digits = number & 0xffff_ffff_ffff;
    format!("TXN-{digits:012X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_id_is_twelve_upper_case_hexadecimal_digits() {
        let drawn = draw_transaction_id();
        let digits = drawn.strip_prefix("TXN-").unwrap();
        assert!(
            digits.len() == 12 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')),
            "{drawn}"
        );
        assert_ne!(draw_transaction_id(), drawn);
    }
}
