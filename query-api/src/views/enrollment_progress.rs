//! Who is in which course, and how far: `/v1/me/enrollments`, `/v1/enrollments/{id}`.

use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader, Snapshot},
};
use chrono::{DateTime, Utc};
use events::ids::{AccountId, CourseId, EnrollmentId};
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["enrollment_progress", "course_catalogue"];

/// One learner in one course.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrollment {
    /// The enrolment.
    pub id: Uuid,
    /// Who.
    pub learner_id: Uuid,
    /// In what.
    pub course_id: Uuid,
    /// The course's title.
    pub course_title: Option<String>,
    /// What gave the right to enter: `free`, `payment`, or `import` where they were in it in another system before.
    #[schema(example = "free")]
    pub basis: String,
    /// The payment, where it was paid for.
    pub payment_id: Option<Uuid>,
    /// The share of the course's lessons that are completed, 0 to 100.
    pub progress_percent: i16,
    /// How many lessons are completed.
    pub completed_lessons: i32,
    /// How many lessons the course has.
    pub total_lessons: Option<i32>,
    /// Whether the whole course is completed.
    pub completed: bool,
    /// When the learner entered.
    pub enrolled_at: DateTime<Utc>,
    /// When the learner last did something in it.
    pub last_activity_at: DateTime<Utc>,
    /// When the last lesson was completed.
    pub completed_at: Option<DateTime<Utc>>,
    /// When the learner left the course; null while they are in it.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// What If-Match compares.
    pub version: i64,
}

/// One learner in one course, lesson by lesson.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrollmentDetail {
    /// How far the learner is.
    #[serde(flatten)]
    pub enrollment: Enrollment,
    /// The lessons that are completed, in the order in which they were.
    pub completed_lesson_ids: Vec<Uuid>,
}

macro_rules! select_enrollments {
    ($where:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Enrollment,
            r#"select e.enrollment_id as id, e.learner_id, e.course_id, c.title as "course_title?", e.basis,
                      e.payment_id, e.progress_percent, e.completed_lessons, c.lessons as "total_lessons?",
                      e.completed_at is not null as "completed!", e.enrolled_at, e.last_activity_at, e.completed_at,
                      e.withdrawn_at, e.version
               from read.enrollment_progress e
               left join read.course_catalogue c using (tenant_id, course_id)
               "# + $where,
            $($argument),+
        )
    };
}

/// A learner's enrolments, newest first, from behind `after`.
pub(super) async fn of_learner(
    snapshot: &mut Snapshot,
    learner_id: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Enrollment>, sqlx::Error> {
    let (before, id) = after.unzip();
    select_enrollments!(
        "where e.tenant_id = $1
           and e.learner_id = $2
           and ($3::timestamptz is null or (e.enrolled_at, e.enrollment_id) < ($3, $4::uuid))
         order by e.enrolled_at desc, e.enrollment_id desc
         limit $5",
        snapshot.tenant_id(),
        learner_id,
        before,
        id,
        limit,
    )
    .fetch_all(snapshot.connection())
    .await
}

/// Whether somebody is in a course.
pub(super) async fn is_enrolled(
    snapshot: &mut Snapshot,
    learner_id: Uuid,
    course_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from read.enrollment_progress
               where tenant_id = $1
                 and enrollment_id = $2
                 and withdrawn_at is null
           ) as "is_enrolled!""#,
        snapshot.tenant_id(),
        EnrollmentId::of(AccountId::new(learner_id), CourseId::new(course_id)).as_uuid(),
    )
    .fetch_one(snapshot.connection())
    .await
}

/// One's own enrolments, newest first.
#[utoipa::path(get, path = "/v1/me/enrollments", tag = "me", security(("bearer" = [])), params(PageParams), responses(
    (status = 200, description = "A page of enrolments", body = Page<Enrollment>),
))]
pub async fn mine(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    let after = page.after()?;
    let mut snapshot = reader.open_by_key(caller.tenant_id, READS).await?;
    let rows = of_learner(&mut snapshot, caller.account_id, after, page.fetch()).await?;
    snapshot.answer(page.page(rows, |enrollment| (enrollment.enrolled_at, enrollment.id))).await
}

/// One enrolment: for its learner, the owner of its course, and admins.
#[utoipa::path(get, path = "/v1/enrollments/{id}", tag = "enrollment", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The enrolment")), responses(
        (status = 200, description = "The enrolment", body = EnrollmentDetail),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(caller: SignedIn, reader: Reader, Path(id): Path<Uuid>) -> Result<Answer, Problem> {
    let mut snapshot = reader.open_by_key(caller.tenant_id, READS).await?;
    let found = select_enrollments!(
        "where e.tenant_id = $1
           and e.enrollment_id = $2
           and ($3 or e.learner_id = $4 or c.owner_id = $4)",
        snapshot.tenant_id(),
        id,
        caller.role.administers(),
        caller.account_id,
    )
    .fetch_optional(snapshot.connection())
    .await?;
    let enrollment = found.ok_or_else(|| snapshot.not_found())?;
    let completed_lesson_ids = sqlx::query_scalar!(
        "select lesson_id
         from read.enrollment_progress_lessons
         where tenant_id = $1
           and enrollment_id = $2
         order by completed_at, lesson_id",
        snapshot.tenant_id(),
        id,
    )
    .fetch_all(snapshot.connection())
    .await?;
    // The course's title and lessons change without the enrolment's version.
    let version = enrollment.version;
    snapshot.answer_version(EnrollmentDetail { enrollment, completed_lesson_ids }, version).await
}
