//! `/v1/accounts/{id}/…`: what those above may do to an account. Sessions end with whatever their tokens stand for.

use super::{EMAIL_SCOPE, RoleSchema, email_address};
use crate::{
    config::Settings,
    domain::{
        account::{self, Command, Refusal, Standing, identifier::Email},
        auth_session::Command::End as EndSession,
        password::Password,
    },
    execute::{Answer, Context, Executor, Reply},
    http::auth,
    openapi::Done,
    passwords::{Passwords, generate_temporary},
};
use axum::extract::State;
use events::{
    Role,
    account::{Account, AccountEvent},
    auth_session::EndReason,
    ids::AccountId,
};
use ops::{
    extract::{EmptyBody, Json, Path},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::OnceCell;
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

/// An address to give.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// Address to log in with and to write to, unique within the tenant.
    #[validate(custom(function = email_address))]
    #[schema(format = Email, max_length = 254)]
    email: String,
}

/// Gives an account of a role below one's own another e-mail address. Nobody changes their own: whoever has stolen a
/// session would take the account along.
#[utoipa::path(post, path = "/v1/accounts/{id}/email", tag = "account", security(("bearer" = [])),
    request_body = ChangeEmail,
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Changed", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`email-taken`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn change_email(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    Json(body): Json<ChangeEmail>,
) -> Result<Answer, Problem> {
    let email = Email::try_new(&body.email)?;
    let (context, email) = (&context, &email);
    executor
        .execute(context, "account.change_email", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let standing = Standing::ChangeEmail { email: email.clone() };
                let events = account::decide(&account.state, context, Command::Stand { account_id: id, standing })?;
                work.check_if_match(&account)?;
                if matches!(events[..], [AccountEvent::EmailChanged { .. }]) {
                    if let Some(old) = account.state.profile.as_ref().and_then(|profile| profile.email.as_deref()) {
                        work.release(EMAIL_SCOPE, old);
                    }
                    work.claim::<Account>(EMAIL_SCOPE, email.as_str(), id, Refusal::EmailTaken);
                }
                work.append::<Account>(id, events);
                Ok(Reply::ok(id))
            })
        })
        .await
}

/// The password that the person logs in with next.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasswordReset {
    #[serde(flatten)]
    done: Done,
    /// Admits to setting another password, for some days. It is shown once: a replay of the request answers null.
    #[schema(example = "k7m2p-x9qwe-rt4yu-hg6fd")]
    temporary_password: Option<String>,
}

/// Gives an account of a role below one's own a temporary password in place of its own; its sessions end.
#[utoipa::path(post, path = "/v1/accounts/{id}/reset-password", tag = "account", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Reset", body = PasswordReset),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn reset_password(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(settings): State<Arc<Settings>>,
    context: Context,
    Path(id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let standing = Standing::ResetPassword { temporary_until: context.now + settings.temporary_password };
    let temporary_password = generate_temporary();
    // Hashed once, however often the command is decided, and not before it is known to be allowed.
    let hashed = &OnceCell::new();
    let (context, passwords, standing) = (&context, &passwords, &standing);
    let temporary_password = temporary_password.as_str();
    executor
        .execute(context, "account.reset_password", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let command = Command::Stand { account_id: id, standing: standing.clone() };
                let events = account::decide(&account.state, context, command)?;
                work.check_if_match(&account)?;
                let phc = hashed.get_or_try_init(|| passwords.hash(Password::new(temporary_password))).await?;
                work.append::<Account>(id, events);
                work.set_credential(id, phc.clone());
                let end = EndSession { reason: EndReason::PasswordChanged };
                auth::end_sessions(work, context, id, end, None).await?;
                Ok(Reply::ok(id).with_secret("temporary_password", temporary_password))
            })
        })
        .await
}
