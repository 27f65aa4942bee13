//! Which organisation a request means by a name, and whether it is entered from another.

use crate::{
    consistency::min_position,
    session::{Plans, Session},
    state::State,
};
use axum::http::{HeaderMap, HeaderValue};
use events::{
    Role,
    tenant::{DEFAULT_SLUG, DEFAULT_TENANT},
};
use ops::{http::TENANT, problem::Problem};
use uuid::Uuid;

/// The projection that organisations are found in.
const READS: &[&str] = &["tenant_list"];

/// The tenant that a slug, or an id, names; when the request asks for a position, as of that.
pub async fn find(state: &State, headers: &HeaderMap, name: &str) -> Result<Option<Uuid>, Problem> {
    if name == DEFAULT_SLUG {
        return Ok(Some(DEFAULT_TENANT.as_uuid()));
    }
    if let Some(wanted) = min_position(headers)? {
        state.positions.reach(READS, wanted).await?;
    }
    // Of no tenant: it is seen by its name.
    let mut session = Session::begin(state.pool.acquire().await?, Uuid::nil(), READS, Plans::Once).await?;
    sqlx::query!("select set_config('registrar.tenant_name', $1, true) as name", name)
        .fetch_one(session.connection())
        .await?;
    let found = sqlx::query_scalar!(
        "select tenant_id
         from read.tenant_list
         where $1 in (slug, tenant_id::text)",
        name,
    )
    .fetch_optional(session.connection())
    .await?;
    session.end().await?;
    Ok(found)
}

/// The tenant that is looked at by somebody of a tenant: their own, or the one that they name in `Registrar-Tenant`,
/// which only a superadmin may.
pub async fn enter(state: &State, headers: &HeaderMap, role: Role, home: Uuid) -> Result<Uuid, Problem> {
    let mut sent = headers.get_all(TENANT).iter();
    let name = match (sent.next().map(HeaderValue::to_str), sent.next()) {
        (None, _) => return Ok(home),
        (Some(Ok(name)), None) => name,
        _ => return Err(wrong("invalid", "must be one slug or id")),
    };
    if !role.crosses_tenants() {
        return Err(Problem::forbidden(
            "Only a superadmin looks into another organisation: leave out Registrar-Tenant.",
        ));
    }
    find(state, headers, name).await?.ok_or_else(|| wrong("unknown", "there is no organisation of this name or id"))
}

fn wrong(code: &str, detail: &str) -> Problem {
    Problem::invalid_field(format!("/headers/{TENANT}"), code, detail)
}
