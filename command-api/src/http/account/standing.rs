//! `/v1/accounts/{id}/…`: what those above may do to an account. Sessions end with whatever their tokens stand for.

use super::RoleSchema;
use crate::{
    domain::{
        account::{self, Command, Standing},
        auth_session::Command::End as EndSession,
    },
    execute::{Answer, Context, Executor, Reply},
    http::auth,
    openapi::Done,
};
use axum::extract::State;
use events::{Role, account::Account, auth_session::EndReason, ids::AccountId};
use ops::{
    extract::{EmptyBody, Json, Path},
    problem::Problem,
};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

/// Loads, decides and appends; the account's sessions end where there is a reason for it.
async fn stand(
    executor: &Executor,
    context: &Context,
    name: &'static str,
    id: AccountId,
    standing: &Standing,
    ending: Option<EndReason>,
) -> Result<Answer, Problem> {
    executor
        .execute(context, name, |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let command = Command::Stand { account_id: id, standing: standing.clone() };
                let events = account::decide(&account.state, context, command)?;
                work.check_if_match(&account)?;
                work.append::<Account>(id, events);
                if let Some(reason) = ending {
                    auth::end_sessions(work, context, id, EndSession { reason }, None).await?;
                }
                Ok(Reply::ok(id))
            })
        })
        .await
}

/// Shuts an account of a role below one's own out; its sessions end.
#[utoipa::path(post, path = "/v1/accounts/{id}/deactivate", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Deactivated", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`account-already-inactive`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn deactivate(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let ending = Some(EndReason::AccountDeactivated);
    stand(&executor, &context, "account.deactivate", id, &Standing::Deactivate, ending).await
}

/// Shuts an account out, as `/deactivate` does: accounts are never deleted, for what they did stays told.
#[utoipa::path(delete, path = "/v1/accounts/{id}", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Deactivated", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`account-already-inactive`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn remove(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let ending = Some(EndReason::AccountDeactivated);
    stand(&executor, &context, "account.deactivate", id, &Standing::Deactivate, ending).await
}

/// Lets a deactivated account of a role below one's own in again.
#[utoipa::path(post, path = "/v1/accounts/{id}/activate", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Activated", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`account-already-active`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn activate(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let ending = None;
    stand(&executor, &context, "account.activate", id, &Standing::Activate, ending).await
}

/// A role to give.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRole {
    /// What the account may do: a role below the caller's own.
    #[schema(value_type = RoleSchema)]
    role: Role,
}

/// Gives an account of a role below one's own another one below one's own. Its sessions end, whose tokens speak of
/// the role before.
#[utoipa::path(post, path = "/v1/accounts/{id}/role", tag = "account", security(("bearer" = [])),
    request_body = ChangeRole,
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Changed", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`account-already-in-role`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn change_role(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    Json(body): Json<ChangeRole>,
) -> Result<Answer, Problem> {
    let ending = Some(EndReason::RoleChanged);
    stand(&executor, &context, "account.change_role", id, &Standing::ChangeRole { role: body.role }, ending).await
}

/// Lets an account log in to the portal.
#[utoipa::path(post, path = "/v1/accounts/{id}/grant-portal-access", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Granted", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`portal-access-already-granted`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn grant_portal_access(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let ending = None;
    stand(&executor, &context, "account.grant_portal_access", id, &Standing::SetPortalAccess { granted: true }, ending)
        .await
}

/// Lets an account log in to the portal no more; its sessions end.
#[utoipa::path(post, path = "/v1/accounts/{id}/revoke-portal-access", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Revoked", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`portal-access-already-revoked`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn revoke_portal_access(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let ending = Some(EndReason::PortalAccessRevoked);
    stand(
        &executor,
        &context,
        "account.revoke_portal_access",
        id,
        &Standing::SetPortalAccess { granted: false },
        ending,
    )
    .await
}

/// Lets the log-ins of an account through again that is locked because too many have failed.
#[utoipa::path(post, path = "/v1/accounts/{id}/unlock", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Unlocked", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`account-not-locked`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn unlock(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let ending = None;
    stand(&executor, &context, "account.unlock", id, &Standing::Unlock, ending).await
}
