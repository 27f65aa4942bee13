//! `/v1/courses`: make, change, fill, publish and archive them.

use super::{money::Amount, patch::present};
use crate::{
    domain::course::{self, Changes, Command, NewLesson, Refusal},
    execute::{Answer, Context, Executor, Reply, Work},
    openapi::Done,
};
use axum::extract::State;
use events::{
    category::Category,
    course::{ContentType, Course, CourseDetails, CourseStatus},
    ids::{CategoryId, CourseId, LessonId},
};
use ops::{
    extract::{EmptyBody, Json, Path},
    problem::{Problem, ProblemType},
    validate::{http_url, not_blank, refusal},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

/// The longest text of a lesson.
const MAX_CONTENT_BYTES: usize = 100 * 1024;

const HAS_NO_LESSONS: ProblemType = ProblemType {
    slug: "course-has-no-lessons",
    status: 409,
    title: "The course has no lessons",
    meaning: "A course is published with at least one lesson: add one first.",
};
const ALREADY_PUBLISHED: ProblemType = ProblemType {
    slug: "course-already-published",
    status: 409,
    title: "The course is already published",
    meaning: "The course can be found and taken: there is nothing to do.",
};
const ALREADY_ARCHIVED: ProblemType = ProblemType {
    slug: "course-already-archived",
    status: 409,
    title: "The course is already archived",
    meaning: "The course was withdrawn before: there is nothing to do.",
};
const ARCHIVED: ProblemType = ProblemType {
    slug: "course-archived",
    status: 409,
    title: "The course is archived",
    meaning: "An archived course can no longer be changed or published.",
};
const FULL: ProblemType = ProblemType {
    slug: "course-full",
    status: 409,
    title: "The course is full",
    meaning: "A course holds at most 500 lessons: make another course.",
};

/// What this file refuses with, beside the problems of every route.
pub const PROBLEMS: &[ProblemType] = &[HAS_NO_LESSONS, ALREADY_PUBLISHED, ALREADY_ARCHIVED, ARCHIVED, FULL];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotFound => Self::not_found().detail(detail),
            Refusal::NotInstructor | Refusal::NotOwner | Refusal::NotAdmin => Self::forbidden(detail),
            Refusal::UnknownCategory => Self::invalid_field("/category_id", "unknown", detail),
            Refusal::Archived => Self::new(ARCHIVED).detail(detail),
            Refusal::AlreadyPublished => Self::new(ALREADY_PUBLISHED).detail(detail),
            Refusal::AlreadyArchived => Self::new(ALREADY_ARCHIVED).detail(detail),
            Refusal::NoLessons => Self::new(HAS_NO_LESSONS).detail(detail),
            Refusal::Full => Self::new(FULL).detail(detail),
            Refusal::ContentMissing => Self::invalid_field("/content", "missing", detail),
            Refusal::UrlMissing(_) => Self::invalid_field("/url", "missing", detail),
            Refusal::ContentNotApplicable(_) => Self::invalid_field("/content", "not-applicable", detail),
            Refusal::UrlNotApplicable => Self::invalid_field("/url", "not-applicable", detail),
        }
    }
}

/// A course to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCourse {
    /// Title.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// What it teaches.
    #[validate(length(max = 10_000))]
    #[schema(max_length = 10_000)]
    description: Option<String>,
    /// What it costs; without it, nothing.
    #[validate(nested)]
    price: Option<Amount>,
    /// The category in which it is found.
    category_id: Option<Uuid>,
    /// Where a picture is.
    #[validate(custom(function = http_url))]
    #[schema(format = "uri", max_length = 2048)]
    thumbnail_url: Option<String>,
}

/// Changes to a course: what is absent stays as it is, and null takes it away.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCourse {
    /// Title.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    title: Option<String>,
    /// What it teaches.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 10_000))]
    #[schema(value_type = Option<String>, max_length = 10_000)]
    description: Option<Option<String>>,
    /// What it costs.
    #[serde(default, deserialize_with = "present")]
    #[validate(nested)]
    #[schema(value_type = Option<Amount>)]
    price: Option<Option<Amount>>,
    /// The category in which it is found.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    category_id: Option<Option<Uuid>>,
    /// Where a picture is.
    #[serde(default, deserialize_with = "present")]
    #[validate(custom(function = http_url))]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048)]
    thumbnail_url: Option<Option<String>>,
}

/// A lesson to add at the end of a course.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddLesson {
    /// Title, public with the outline.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// What it is made of: `text`, `video` or `pdf`.
    #[schema(value_type = String, pattern = "^(text|video|pdf)$", example = "text")]
    content_type: ContentType,
    /// The text of a `text` lesson, and of no other: at most 100 KiB.
    #[validate(custom(function = short_enough))]
    content: Option<String>,
    /// Where the video or document is; not for a `text` lesson.
    #[validate(custom(function = http_url))]
    #[schema(format = "uri", max_length = 2048)]
    url: Option<String>,
    /// Whether anyone may see its content.
    #[serde(default)]
    preview: bool,
}

/// What is answered where a course came to stand elsewhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneWithStatus {
    /// As every command answers.
    #[serde(flatten)]
    pub done: Done,
    /// Where the course stands: `draft`, `published` or `archived`.
    #[schema(example = "published")]
    pub status: String,
}

fn short_enough(content: &str) -> Result<(), ValidationError> {
    if content.len() > MAX_CONTENT_BYTES {
        return Err(refusal("length", "must be at most 102400 bytes of UTF-8"));
    }
    Ok(())
}

impl From<CreateCourse> for CourseDetails {
    fn from(body: CreateCourse) -> Self {
        Self {
            title: body.title.trim().to_owned(),
            description: body.description,
            price: body.price.map(Into::into),
            category_id: body.category_id.map(Into::into),
            thumbnail_url: body.thumbnail_url,
        }
    }
}

impl From<ChangeCourse> for Changes {
    fn from(body: ChangeCourse) -> Self {
        Self {
            title: body.title.map(|title| title.trim().to_owned()),
            description: body.description,
            price: body.price.map(|price| price.map(Into::into)),
            category_id: body.category_id.map(|id| id.map(Into::into)),
            thumbnail_url: body.thumbnail_url,
        }
    }
}

impl AddLesson {
    fn into_lesson(self, lesson_id: LessonId) -> NewLesson {
        let Self { title, content_type, content, url, preview } = self;
        NewLesson { lesson_id, title: title.trim().to_owned(), content_type, content, url, preview }
    }
}

/// Makes a course, as a draft of the caller's own.
#[utoipa::path(
    post,
    path = "/v1/courses",
    tag = "course",
    security(("bearer" = [])),
    request_body = CreateCourse,
    responses(
        (status = 201, description = "The course, a draft", body = DoneWithStatus),
        (status = 403, description = "`forbidden`"),
    )
)]
pub async fn create(
    State(executor): State<Executor>,
    context: Context,
    Json(body): Json<CreateCourse>,
) -> Result<Answer, Problem> {
    let id = CourseId::new(Uuid::now_v7());
    let details = CourseDetails::from(body);
    let (context, details) = (&context, &details);
    executor
        .execute(context, "course.create", |work| {
            Box::pin(async move {
                let category = find_category(work, details.category_id).await?;
                let command = Command::Create { details: details.clone(), category };
                let events = course::decide(&Course::default(), context, command)?;
                work.append::<Course>(id, events);
                Ok(Reply::created(id, format!("/v1/courses/{id}")).with("status", CourseStatus::Draft.as_str()))
            })
        })
        .await
}

/// Changes what a course says of itself.
#[utoipa::path(
    patch,
    path = "/v1/courses/{id}",
    tag = "course",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The course"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was seen: refused where it has changed since"),
    ),
    request_body = ChangeCourse,
    responses(
        (status = 200, description = "The course", body = Done),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`course-archived`"),
        (status = 412, description = "`version-conflict`"),
    )
)]
pub async fn change(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<CourseId>,
    Json(body): Json<ChangeCourse>,
) -> Result<Answer, Problem> {
    let changes = Changes::from(body);
    let (context, changes) = (&context, &changes);
    executor
        .execute(context, "course.change", |work| {
            Box::pin(async move {
                let category = find_category(work, changes.category_id.flatten()).await?;
                let command = Command::Change { changes: changes.clone(), category };
                carry_out(work, id, context, command).await?;
                Ok(Reply::ok(id))
            })
        })
        .await
}

/// Adds a lesson at the end of a course. The id is the lesson's, the version its course's.
#[utoipa::path(
    post,
    path = "/v1/courses/{id}/lessons",
    tag = "course",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The course"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was seen: refused where it has changed since"),
    ),
    request_body = AddLesson,
    responses(
        (status = 201, description = "The lesson", body = Done),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`course-archived`, `course-full`"),
        (status = 412, description = "`version-conflict`"),
    )
)]
pub async fn add_lesson(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<CourseId>,
    Json(body): Json<AddLesson>,
) -> Result<Answer, Problem> {
    let lesson_id = LessonId::new(Uuid::now_v7());
    let lesson = body.into_lesson(lesson_id);
    let (context, lesson) = (&context, &lesson);
    executor
        .execute(context, "course.add_lesson", |work| {
            Box::pin(async move {
                carry_out(work, id, context, Command::AddLesson(lesson.clone())).await?;
                Ok(Reply::created(lesson_id, format!("/v1/courses/{id}/lessons")).of_stream(id))
            })
        })
        .await
}

/// Lets a course be found and taken.
#[utoipa::path(
    post,
    path = "/v1/courses/{id}/publish",
    tag = "course",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The course"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was seen: refused where it has changed since"),
    ),
    responses(
        (status = 200, description = "The course, published", body = DoneWithStatus),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`course-has-no-lessons`, `course-already-published`, `course-archived`"),
        (status = 412, description = "`version-conflict`"),
    )
)]
pub async fn publish(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<CourseId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "course.publish", |work| {
            Box::pin(async move {
                carry_out(work, id, context, Command::Publish).await?;
                Ok(Reply::ok(id).with("status", CourseStatus::Published.as_str()))
            })
        })
        .await
}

/// Withdraws a course; those in it keep it.
#[utoipa::path(
    post,
    path = "/v1/courses/{id}/archive",
    tag = "course",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The course"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was seen: refused where it has changed since"),
    ),
    responses(
        (status = 200, description = "The course, archived", body = DoneWithStatus),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`course-already-archived`"),
        (status = 412, description = "`version-conflict`"),
    )
)]
pub async fn archive(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<CourseId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "course.archive", |work| {
            Box::pin(async move {
                carry_out(work, id, context, Command::Archive).await?;
                Ok(Reply::ok(id).with("status", CourseStatus::Archived.as_str()))
            })
        })
        .await
}

async fn carry_out(work: &mut Work<'_>, id: CourseId, context: &Context, command: Command) -> Result<(), Problem> {
    let course = work.load::<Course>(id).await?;
    let events = course::decide(&course.state, context, command)?;
    // After the refusals: a precondition counts only for what would otherwise be done (RFC 9110, 13.2.1).
    work.check_if_match(&course)?;
    work.append::<Course>(id, events);
    Ok(())
}

async fn find_category(work: &mut Work<'_>, id: Option<CategoryId>) -> Result<Option<Category>, Problem> {
    let Some(id) = id else { return Ok(None) };
    let category = work.load::<Category>(id).await?;
    Ok(Some((*category.state).clone()))
}

#[cfg(test)]
mod tests;
