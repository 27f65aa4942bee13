//! The categories of courses: `/v1/categories`.

use crate::{
    caller::Anyone,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use ops::{
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

const READS: &[&str] = &["category_list"];

/// A category.
#[derive(Debug, Serialize, ToSchema)]
pub struct Category {
    /// The category.
    pub id: Uuid,
    /// Its name, unique within the organisation.
    pub name: String,
    /// What belongs into it.
    pub description: Option<String>,
    /// The published courses in it.
    pub course_count: i64,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// What If-Match compares.
    pub version: i64,
}

/// Whose categories.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CategoryFilter {
    /// The organisation that is looked at without a token; without it, the default one.
    #[validate(length(max = 100))]
    tenant: Option<String>,
}

/// The categories, by name.
#[utoipa::path(get, path = "/v1/categories", tag = "category", security((), ("bearer" = [])),
    params(PageParams, CategoryFilter), responses(
        (status = 200, description = "A page of categories", body = Page<Category>),
    ))]
pub async fn list(
    caller: Anyone,
    reader: Reader,
    PageQuery { page, filter }: PageQuery<CategoryFilter>,
) -> Result<Answer, Problem> {
    let tenant_id = caller.tenant(filter.tenant.as_deref())?;
    let (name, id) = page.after::<(String, Uuid)>()?.unzip();
    let mut snapshot = reader.open(tenant_id, READS).await?;
    let rows = sqlx::query_as!(
        Category,
        r#"select g.category_id as id, g.name, g.description, g.created_at, g.version,
                  (select count(*)
                   from read.category_list_courses c
                   where c.tenant_id = g.tenant_id
                     and c.category_id = g.category_id
                     and c.status = 'published') as "course_count!"
           from read.category_list g
           where g.tenant_id = $1
             and ($2::text is null or (g.name, g.category_id) > ($2, $3::uuid))
           order by g.name, g.category_id
           limit $4"#,
        snapshot.tenant_id(),
        name,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |category| (category.name.clone(), category.id))).await
}
