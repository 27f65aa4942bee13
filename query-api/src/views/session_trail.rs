//! Every log-in from its start to its end: `/v1/me/sessions`, `/v1/accounts/{id}/sessions`, `/v1/audit/sessions`. They
//! are ended by DELETE on the same paths, which is the command API's.

use super::account_list;
use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use events::Role;
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery, PageRequest},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

const READS: &[&str] = &["session_trail"];

/// A log-in session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// The session.
    pub id: Uuid,
    /// Whose it is.
    pub account_id: Uuid,
    /// What its tokens admit to: `full`, or `set-password`.
    pub scope: String,
    /// Whether it can still be used.
    pub active: bool,
    /// Whether it is the one that this request was made in.
    pub current: bool,
    /// The log-in.
    pub started_at: DateTime<Utc>,
    /// The last time that its token was renewed.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was ended.
    pub reason: Option<String>,
    /// The network address that it was started from.
    pub address: Option<String>,
    /// What the client said it was.
    pub agent: Option<String>,
}

async fn sessions(
    caller: SignedIn,
    reader: Reader,
    page: PageRequest,
    account: Option<Uuid>,
    active: Option<bool>,
) -> Result<Answer, Problem> {
    let (before, id) = page.after::<(DateTime<Utc>, Uuid)>()?.unzip();
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let rows = sqlx::query_as!(
        Session,
        r#"select session_id as id, account_id, scope, ended_at is null and expires_at > now() as "active!",
                  session_id = $2 as "current!", started_at, refreshed_at, expires_at, ended_at, reason, address, agent
           from read.session_trail
           where tenant_id = $1
             and ($3::uuid is null or account_id = $3)
             and ($4::boolean is null or (ended_at is null and expires_at > now()) = $4)
             and ($5::timestamptz is null or (started_at, session_id) < ($5, $6::uuid))
           order by started_at desc, session_id desc
           limit $7"#,
        snapshot.tenant_id(),
        caller.session_id,
        account,
        active,
        before,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |session| (session.started_at, session.id))).await
}

/// One's own sessions, newest first.
#[utoipa::path(get, path = "/v1/me/sessions", tag = "me", security(("bearer" = [])), params(PageParams), responses(
    (status = 200, description = "A page of sessions", body = Page<Session>),
))]
pub async fn mine(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    sessions(caller, reader, page, Some(caller.account_id), None).await
}

/// The sessions of an account, newest first: one's own, or for admins anyone's.
#[utoipa::path(get, path = "/v1/accounts/{id}/sessions", tag = "account", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account"), PageParams), responses(
        (status = 200, description = "A page of sessions", body = Page<Session>),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn of_account(
    caller: SignedIn,
    reader: Reader,
    Path(id): Path<Uuid>,
    PageQuery { page, .. }: PageQuery,
) -> Result<Answer, Problem> {
    if id != caller.account_id {
        caller.require(&[Role::Admin])?;
    }
    account_list::require(caller, &reader, id).await?;
    sessions(caller, reader, page, Some(id), None).await
}

/// Which sessions.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionFilter {
    /// Of this account.
    account: Option<Uuid>,
    /// Whether they can still be used.
    active: Option<bool>,
}

/// The session trail, newest first.
#[utoipa::path(get, path = "/v1/audit/sessions", tag = "audit", security(("bearer" = [])),
    params(PageParams, SessionFilter), responses(
        (status = 200, description = "A page of sessions", body = Page<Session>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn list(
    caller: SignedIn,
    reader: Reader,
    PageQuery { page, filter }: PageQuery<SessionFilter>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Auditor, Role::Admin])?;
    sessions(caller, reader, page, filter.account, filter.active).await
}
