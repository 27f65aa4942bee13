//! Organisations: `/v1/tenants`. Superadmins see all of them, an admin their own.

use super::{account_list, admin_dashboard};
use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader, Snapshot},
};
use chrono::{DateTime, Utc};
use events::Role;
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["tenant_list"];

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// The organisation.
    pub id: Uuid,
    /// The name by which requests choose it.
    #[schema(example = "north")]
    pub slug: String,
    /// Name, as it is shown.
    pub name: String,
    /// Whether people may register themselves: `open`, `invite` or `closed`.
    #[schema(example = "invite")]
    pub registration: String,
    /// What frontends keep for it.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// What If-Match compares.
    pub version: i64,
}

/// Opens what the directory shows, for this transaction alone.
async fn open_directory(snapshot: &mut Snapshot) -> Result<(), sqlx::Error> {
    sqlx::query!("select set_config('registrar.tenant_directory', 'open', true) as directory")
        .fetch_one(snapshot.connection())
        .await?;
    Ok(())
}

/// The organisations of the installation, newest first, for superadmins.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenant", security(("bearer" = [])), params(PageParams), responses(
    (status = 200, description = "A page of organisations", body = Page<Tenant>),
    (status = 403, description = "`forbidden`"),
))]
pub async fn list(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    if !caller.role.crosses_tenants() {
        return Err(Problem::forbidden("This is for the role superadmin."));
    }
    let (before, id) = page.after::<(DateTime<Utc>, Uuid)>()?.unzip();
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    open_directory(&mut snapshot).await?;
    let rows = sqlx::query_as!(
        Tenant,
        "select tenant_id as id, slug, name, registration, settings, created_at, updated_at, version
         from read.tenant_list
         where ($1::timestamptz is null or (created_at, tenant_id) < ($1, $2::uuid))
         order by created_at desc, tenant_id desc
         limit $3",
        before,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |tenant| (tenant.created_at, tenant.id))).await
}

/// One organisation: one's own as its admin, or any as a superadmin.
#[utoipa::path(get, path = "/v1/tenants/{id}", tag = "tenant", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The organisation")), responses(
        (status = 200, description = "The organisation", body = Tenant),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(caller: SignedIn, reader: Reader, Path(id): Path<Uuid>) -> Result<Answer, Problem> {
    check_runs(caller, id)?;
    let mut snapshot = reader.open(id, READS).await?;
    let tenant = find(&mut snapshot).await?.ok_or_else(|| snapshot.not_found())?;
    let version = tenant.version;
    snapshot.answer_unless_known(tenant, version).await
}

/// What an organisation adds up to: what its admin dashboard shows.
#[utoipa::path(get, path = "/v1/tenants/{id}/statistics", tag = "tenant", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The organisation")), responses(
        (status = 200, description = "Its numbers", body = admin_dashboard::AdminDashboard),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn statistics(caller: SignedIn, reader: Reader, Path(id): Path<Uuid>) -> Result<Answer, Problem> {
    check_runs(caller, id)?;
    require(&reader, id).await?;
    admin_dashboard::of_tenant(reader, id).await
}

/// The accounts of an organisation, newest first.
#[utoipa::path(get, path = "/v1/tenants/{id}/accounts", tag = "tenant", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The organisation"), PageParams, account_list::AccountFilter), responses(
        (status = 200, description = "A page of accounts", body = Page<account_list::Account>),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn accounts(
    caller: SignedIn,
    reader: Reader,
    Path(id): Path<Uuid>,
    query: PageQuery<account_list::AccountFilter>,
) -> Result<Answer, Problem> {
    check_runs(caller, id)?;
    require(&reader, id).await?;
    account_list::of_tenant(reader, id, query).await
}

/// Whether who asks runs this organisation: as its own admin, or as somebody who looks into any. To admins of others it
/// is not there.
fn check_runs(caller: SignedIn, tenant_id: Uuid) -> Result<(), Problem> {
    caller.require(&[Role::Admin])?;
    if caller.tenant_id == tenant_id || caller.role.crosses_tenants() {
        return Ok(());
    }
    Err(Problem::not_found())
}

async fn require(reader: &Reader, tenant_id: Uuid) -> Result<(), Problem> {
    let mut snapshot = reader.open(tenant_id, READS).await?;
    find(&mut snapshot).await?.map(drop).ok_or_else(|| snapshot.not_found())
}

async fn find(snapshot: &mut Snapshot) -> Result<Option<Tenant>, sqlx::Error> {
    sqlx::query_as!(
        Tenant,
        "select tenant_id as id, slug, name, registration, settings, created_at, updated_at, version
         from read.tenant_list
         where tenant_id = $1",
        snapshot.tenant_id(),
    )
    .fetch_optional(snapshot.connection())
    .await
}
