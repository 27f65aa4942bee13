//! The courses as they are looked for: `/v1/courses`, `/v1/courses/{id}`. Everyone sees what is published; its owner and
//! admins see a course from its first draft on, and learners keep in sight the courses that they are in.

use self::page::{CourseFilter, Key, Wanted};
use super::{Money, enrollment_progress};
use crate::{
    caller::{Anyone, SignedIn},
    gather::{Gathered, Kind, Loaded, Loading},
    snapshot::{Answer, Reader, Snapshot},
};
use axum::extract::State;
use chrono::{DateTime, Utc};
use events::course::CourseStatus;
use ops::{
    extract::{Path, Query},
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

const READS: &[&str] = &["course_catalogue", "category_list", "account_list"];
/// What tells whether a caller may see one course: its catalogue entry, and whether they are in it.
pub(super) const READS_ONE: &[&str] = &["course_catalogue", "category_list", "account_list", "enrollment_progress"];

/// A course, without its lessons.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Course {
    /// The course.
    pub id: Uuid,
    /// Who made it, and may change it.
    pub owner_id: Uuid,
    /// The owner's name.
    pub owner_name: Option<String>,
    /// Where it is found.
    pub category_id: Option<Uuid>,
    /// That category's name.
    pub category_name: Option<String>,
    /// Title.
    pub title: String,
    /// What it teaches.
    pub description: Option<String>,
    /// Where a picture is.
    pub thumbnail_url: Option<String>,
    /// What it costs; free where null or zero.
    pub price: Option<Money>,
    /// Where it stands.
    #[schema(value_type = CourseStatusSchema)]
    pub status: String,
    /// How many lessons it has.
    pub lesson_count: i32,
    /// The mean of its ratings, 1 to 5.
    pub avg_rating: Option<f64>,
    /// How many learners entered it and did not leave.
    pub total_students: i64,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// What If-Match compares.
    pub version: i64,
    #[serde(skip)]
    rating_rank: i64,
}

#[derive(ToSchema)]
#[schema(as = CourseStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes events::course::CourseStatus, whose crate knows no OpenAPI")]
enum CourseStatusSchema {
    Draft,
    Published,
    Archived,
}

struct Row {
    id: Uuid,
    owner_id: Uuid,
    owner_name: Option<String>,
    category_id: Option<Uuid>,
    category_name: Option<String>,
    title: String,
    description: Option<String>,
    thumbnail_url: Option<String>,
    price_minor: i64,
    currency: Option<String>,
    status: String,
    lesson_count: i32,
    avg_rating: Option<f64>,
    rating_rank: i64,
    total_students: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
    version: i64,
    reflected: Option<i64>,
}

impl From<Row> for Course {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            owner_id: row.owner_id,
            owner_name: row.owner_name,
            category_id: row.category_id,
            category_name: row.category_name,
            title: row.title,
            description: row.description,
            thumbnail_url: row.thumbnail_url,
            price: row.currency.map(|currency| Money { amount_minor: row.price_minor, currency }),
            status: row.status,
            lesson_count: row.lesson_count,
            avg_rating: row.avg_rating,
            rating_rank: row.rating_rank,
            total_students: row.total_students,
            created_at: row.created_at,
            updated_at: row.updated_at,
            published_at: row.published_at,
            version: row.version,
        }
    }
}

/// Ratings are ranked by whole millionths, because a cursor does not carry a fraction exactly. `$reflected` is the position
/// that the statement reflects, or null.
macro_rules! select_courses {
    ([$($where:tt)+], $($argument:expr),+ $(,)?) => {
        select_courses!("null::bigint", [$($where)+], $($argument),+)
    };
    ($reflected:literal, [$($where:tt)+], $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select c.course_id as id, c.owner_id,
                      nullif(concat_ws(' ', o.first_name, o.last_name), '') as "owner_name?",
                      c.category_id, g.name as "category_name?", c.title, c.description, c.thumbnail_url,
                      c.price_minor, c.currency, c.status, c.lessons as lesson_count, c.avg_rating,
                      (coalesce(c.avg_rating, 0) * 1000000)::bigint as "rating_rank!",
                      coalesce(s.total_students, 0) as "total_students!",
                      c.created_at, c.updated_at, c.published_at, c.version, "# + $reflected + r#" as reflected
               from read.course_catalogue c
               left join read.course_catalogue_students s using (tenant_id, course_id)
               left join read.category_list g using (tenant_id, category_id)
               left join read.account_list o on o.tenant_id = c.tenant_id and o.account_id = c.owner_id
               "# + $($where)+,
            $($argument),+
        )
    };
}

// Below the macro that it uses.
mod page;

/// The courses that the caller may see.
#[utoipa::path(get, path = "/v1/courses", tag = "course", security((), ("bearer" = [])),
    params(PageParams, CourseFilter), responses(
        (status = 200, description = "A page of courses", body = Page<Course>),
    ))]
pub async fn list(
    caller: Anyone,
    reader: Reader,
    PageQuery { page, filter }: PageQuery<CourseFilter>,
) -> Result<Answer, Problem> {
    let tenant_id = caller.tenant(filter.tenant.as_deref())?;
    let sort = filter.sort_by.unwrap_or_default();
    let mut snapshot = reader.open(tenant_id, READS).await?;
    let rows = page::select(&mut snapshot, &Wanted::new(caller, &filter), sort, &page).await?;
    let courses = rows.into_iter().map(Course::from).collect();
    snapshot.answer(page.page(courses, |course| Key::of(course, sort))).await
}

/// Which organisation.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TenantParam {
    /// The organisation that is looked at without a token; without it, the default one.
    #[validate(length(max = 100))]
    pub(super) tenant: Option<String>,
}

/// One course.
#[utoipa::path(get, path = "/v1/courses/{id}", tag = "course", security((), ("bearer" = [])),
    params(("id" = Uuid, Path, description = "The course"), TenantParam), responses(
        (status = 200, description = "The course", body = Course),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(
    caller: Anyone,
    reader: Reader,
    State(courses): State<Gathered<OneCourse>>,
    Path(id): Path<Uuid>,
    Query(params): Query<TenantParam>,
) -> Result<Answer, Problem> {
    let tenant_id = caller.tenant(params.tenant.as_deref())?;
    let found = courses.find(&reader, tenant_id, id).await?;
    if found.value.as_ref().is_none_or(|course| course.status == CourseStatus::Published.as_str()) {
        return Ok(found.answer(|course| course.version)?.into());
    }
    // Who may see it hangs on who asks.
    let mut snapshot = reader.open(tenant_id, READS_ONE).await?;
    let (course, _) = find(&mut snapshot, caller.0, id).await?;
    // Its students and ratings change without its version, so that nobody is told that nothing changed.
    let version = course.version;
    snapshot.answer_version(course, version).await
}

/// Courses, read together.
#[derive(Debug)]
pub struct OneCourse;

impl Kind for OneCourse {
    type Key = Uuid;
    type Value = Course;

    const READS: &'static [&'static str] = READS_ONE;

    fn load<'a>(connection: &'a mut PgConnection, tenant_id: Uuid, ids: &'a [Uuid]) -> Loading<'a, Self> {
        Box::pin(async move {
            let found = select_courses!(
                "(select min(p.position) from read.projections p where p.name = any($3))",
                ["where c.tenant_id = $1 and c.course_id = any($2)"],
                tenant_id,
                ids,
                Self::READS as _,
            )
            .fetch_all(connection)
            .await?;
            let loaded = |row: Row| {
                let position = row.reflected.unwrap_or_default();
                Loaded { key: row.id, value: row.into(), position }
            };
            Ok(found.into_iter().map(loaded).collect())
        })
    }
}

/// How much of a course somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// What it is about.
    Outline,
    /// All of it.
    Content,
}

/// A course that the caller may see, and how much of it; 404 for every other.
pub(super) async fn find(
    snapshot: &mut Snapshot,
    caller: Option<SignedIn>,
    id: Uuid,
) -> Result<(Course, Sight), Problem> {
    let found = select_courses!(["where c.tenant_id = $1 and c.course_id = $2"], snapshot.tenant_id(), id)
        .fetch_optional(snapshot.connection())
        .await?;
    let course = Course::from(found.ok_or_else(|| snapshot.not_found())?);
    let inside = match caller {
        Some(caller) if caller.role.administers() || caller.account_id == course.owner_id => true,
        Some(caller) => enrollment_progress::is_enrolled(snapshot, caller.account_id, id).await?,
        None => false,
    };
    if inside {
        return Ok((course, Sight::Content));
    }
    if course.status == CourseStatus::Published.as_str() {
        return Ok((course, Sight::Outline));
    }
    Err(snapshot.not_found())
}
