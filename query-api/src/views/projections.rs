//! How far each projection has come: `/v1/projections`, and the readiness check that tells the same in a few words.

use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use events::Role;
use ops::{
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

/// The readiness check shows a projection that is further behind than this.
const NOTABLE_LAG_SECONDS: f64 = 10.0;

/// A projection and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projection {
    /// Its name.
    #[schema(example = "course_catalogue")]
    pub name: String,
    /// The last position in the log that it reflects.
    pub position: i64,
    /// How many events of the log it does not reflect yet.
    pub lag_events: i64,
    /// For how long, at most, it has been behind, in seconds; 0 where it is not.
    pub lag_seconds: f64,
    /// How many of the organisation's streams it has put aside, because an event of theirs could not be applied.
    pub parked: i64,
    /// `running`, `paused` or `rebuilding`.
    #[schema(example = "running")]
    pub state: String,
    /// When its position last moved.
    pub updated_at: DateTime<Utc>,
}

/// The projections, by name.
#[utoipa::path(get, path = "/v1/projections", tag = "audit", security(("bearer" = [])), params(PageParams), responses(
    (status = 200, description = "A page of projections", body = Page<Projection>),
    (status = 403, description = "`forbidden`"),
))]
pub async fn list(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    caller.require(&[Role::Auditor, Role::Admin])?;
    let after = page.after::<String>()?;
    let mut snapshot = reader.open(caller.tenant_id, &[]).await?;
    let rows = sqlx::query_as!(
        Projection,
        r#"select p.name, p.position, p.state, p.updated_at,
                  greatest(head.position - p.position, 0) as "lag_events!",
                  case
                      when p.position >= head.position then 0
                      else coalesce(greatest(extract(epoch from now() - p.event_recorded_at), 0), 0)::double precision
                  end as "lag_seconds!",
                  (select count(*)
                   from read.parked_streams s
                   where s.tenant_id = $1
                     and s.projection = p.name) as "parked!"
           from read.projections p
           cross join read.log_head head
           where $2::text is null or p.name > $2
           order by p.name
           limit $3"#,
        snapshot.tenant_id(),
        after,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |projection| projection.name.clone())).await
}

/// Names the projection that is furthest behind, where one is notably so or does not run.
pub async fn check(pool: &PgPool) -> Result<(), String> {
    let behind = sqlx::query!(
        r#"select p.name, p.state, greatest(head.position - p.position, 0) as "events!"
           from read.projections p
           cross join read.log_head head
           where p.state = 'paused'
              or (p.position < head.position and extract(epoch from now() - p.event_recorded_at) > $1::double precision)
           order by head.position - p.position desc
           limit 1"#,
        NOTABLE_LAG_SECONDS,
    )
    .fetch_optional(pool)
    .await
    .map_err(|_| "not known".to_owned())?;
    behind.map_or(Ok(()), |row| Err(format!("{} is {}, {} events behind", row.name, row.state, row.events)))
}
