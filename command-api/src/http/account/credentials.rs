//! `/v1/accounts/{id}/email` and `/reset-password`: those above give an account another address, or a temporary password.

use super::{EMAIL_SCOPE, email_address};
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

/// An address to give.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// Address to log in with and to write to, unique within the tenant. It is kept in NFC and in lower case.
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
