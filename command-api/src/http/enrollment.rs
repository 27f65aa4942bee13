//! `/v1/enrollments`: enter a free course, and finish its lessons.

use crate::{
    domain::enrollment::{self, Command, Refusal},
    execute::{Answer, Context, Executor, Reply},
    openapi::Done,
};
use axum::extract::State;
use events::{
    Aggregate,
    course::Course,
    enrollment::Enrollment,
    ids::{CourseId, EnrollmentId, LessonId},
};
use ops::{
    extract::{EmptyBody, Json, Path},
    problem::{Problem, ProblemType},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

const PAYMENT_REQUIRED: ProblemType = ProblemType {
    slug: "payment-required",
    status: 402,
    title: "The course has to be paid for",
    meaning: "The course costs what `price` says: POST /v1/payments pays for it and enrols.",
};
pub(super) const ALREADY_ENROLLED: ProblemType = ProblemType {
    slug: "already-enrolled",
    status: 409,
    title: "Already enrolled",
    meaning: "The caller is in this course: there is nothing to do.",
};
pub(super) const COURSE_NOT_PUBLISHED: ProblemType = ProblemType {
    slug: "course-not-published",
    status: 409,
    title: "The course is not published",
    meaning: "Only a published course can be entered: it is a draft still, or archived.",
};

/// What this file refuses with, beside the problems of every route.
pub const PROBLEMS: &[ProblemType] = &[PAYMENT_REQUIRED, ALREADY_ENROLLED, COURSE_NOT_PUBLISHED];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotSignedIn => Self::unauthenticated(),
            Refusal::CourseNotFound | Refusal::NotFound | Refusal::LessonNotFound => Self::not_found().detail(detail),
            Refusal::CourseNotPublished => Self::new(COURSE_NOT_PUBLISHED).detail(detail),
            Refusal::PaymentRequired { price } => Self::new(PAYMENT_REQUIRED).detail(detail).with("price", price),
            Refusal::AlreadyEnrolled => Self::new(ALREADY_ENROLLED).detail(detail),
        }
    }
}

/// A course to enter.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    /// Which.
    course_id: Uuid,
}

/// How far the learner is.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneWithProgress {
    /// As every command answers.
    #[serde(flatten)]
    pub done: Done,
    /// Share of the course's lessons finished, rounded down.
    #[schema(minimum = 0, maximum = 100, example = 33)]
    pub progress_percent: u8,
    /// Whether the course was finished. It stays so when the course grows.
    pub completed: bool,
}

/// Enters a course that costs nothing.
#[utoipa::path(
    post,
    path = "/v1/enrollments",
    tag = "enrollment",
    security(("bearer" = [])),
    request_body = Enroll,
    responses(
        (status = 201, description = "The enrolment", body = Done),
        (status = 402, description = "`payment-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`already-enrolled`, `course-not-published`"),
    )
)]
pub async fn enroll(
    State(executor): State<Executor>,
    context: Context,
    Json(body): Json<Enroll>,
) -> Result<Answer, Problem> {
    let learner_id = context.actor.ok_or_else(Problem::unauthenticated)?.account_id;
    let course_id = CourseId::new(body.course_id);
    let id = EnrollmentId::of(learner_id, course_id);
    let context = &context;
    executor
        .execute(context, "enrollment.enroll", |work| {
            Box::pin(async move {
                let course = work.load::<Course>(course_id).await?;
                let enrollment = work.load::<Enrollment>(id).await?;
                let command = Command::Enroll { course_id };
                let events = enrollment::decide(&enrollment.state, &course.state, context, command)?;
                work.append::<Enrollment>(id, events);
                Ok(Reply::created(id, "/v1/me/enrollments"))
            })
        })
        .await
}

/// Finishes a lesson; doing so again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/enrollments/{id}/lessons/{lesson_id}/complete",
    tag = "enrollment",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The caller's enrolment"),
        ("lesson_id" = Uuid, Path, description = "A lesson of its course"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was seen: refused where it has changed since"),
    ),
    responses(
        (status = 200, description = "The enrolment, and how far it is", body = DoneWithProgress),
        (status = 404, description = "`not-found`"),
        (status = 412, description = "`version-conflict`"),
    )
)]
pub async fn complete_lesson(
    State(executor): State<Executor>,
    context: Context,
    Path((id, lesson_id)): Path<(EnrollmentId, LessonId)>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "enrollment.complete_lesson", |work| {
            Box::pin(async move {
                let enrollment = work.load::<Enrollment>(id).await?;
                let course_id = enrollment.state.course_id.ok_or(Refusal::NotFound)?;
                let course = work.load::<Course>(course_id).await?;
                let command = Command::CompleteLesson { lesson_id };
                let events = enrollment::decide(&enrollment.state, &course.state, context, command)?;
                // After the refusals: a precondition counts only for what would otherwise be done (RFC 9110, 13.2.1).
                work.check_if_match(&enrollment)?;

                let mut afterwards = (*enrollment.state).clone();
                for event in &events {
                    afterwards.evolve(event);
                }
                let progress = enrollment::progress(&afterwards, &course.state);
                work.append::<Enrollment>(id, events);
                Ok(Reply::ok(id).with("progress_percent", progress.percent).with("completed", progress.completed))
            })
        })
        .await
}
