//! What a course is made of: `/v1/courses/{id}/lessons`. The outline is open to all who may see the course; the content
//! to those who are in it, its owner and admins, and of a preview to everyone.

use super::course_catalogue::{self, READS_ONE, Sight, TenantParam};
use crate::{
    caller::Anyone,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A lesson.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lesson {
    /// The lesson.
    pub id: Uuid,
    /// The course that it belongs to.
    pub course_id: Uuid,
    /// Its place in the course, from 1.
    pub order_index: i32,
    /// Title.
    pub title: String,
    /// What it is made of: `text`, `video` or `pdf`.
    #[schema(example = "text")]
    pub content_type: String,
    /// Whether its content is kept from the caller.
    pub locked: bool,
    /// Whether its content is open to everyone.
    pub preview: bool,
    /// The text of a `text` lesson, unless it is locked.
    pub content: Option<String>,
    /// Where the video or document is, unless it is locked.
    pub url: Option<String>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// The lessons of a course, in order.
#[utoipa::path(get, path = "/v1/courses/{id}/lessons", tag = "course", security((), ("bearer" = [])),
    params(("id" = Uuid, Path, description = "The course"), PageParams, TenantParam), responses(
        (status = 200, description = "A page of lessons", body = Page<Lesson>),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn list(
    caller: Anyone,
    reader: Reader,
    Path(course_id): Path<Uuid>,
    PageQuery { page, filter }: PageQuery<TenantParam>,
) -> Result<Answer, Problem> {
    let tenant_id = caller.tenant(filter.tenant.as_deref())?;
    let (order_index, lesson_id) = page.after::<(i32, Uuid)>()?.unzip();
    let mut snapshot = reader.open(tenant_id, &[READS_ONE, &["course_detail"]].concat()).await?;
    let (_, sight) = course_catalogue::find(&mut snapshot, caller.0, course_id).await?;
    let rows = sqlx::query_as!(
        Lesson,
        r#"select lesson_id as id, course_id, order_index, title, content_type, preview, created_at,
                  not ($3 or preview) as "locked!",
                  case when $3 or preview then content end as content,
                  case when $3 or preview then url end as url
           from read.course_detail
           where tenant_id = $1
             and course_id = $2
             and ($4::integer is null or (order_index, lesson_id) > ($4, $5::uuid))
           order by order_index, lesson_id
           limit $6"#,
        snapshot.tenant_id(),
        course_id,
        sight == Sight::Content,
        order_index,
        lesson_id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |lesson| (lesson.order_index, lesson.id))).await
}
