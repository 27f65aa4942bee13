//! `POST /v1/auth/forgot-password` and `/reset-password`: somebody who forgot their password sets another one, by a token
//! that is mailed to them. Whatever is asked, the first answers 202 with the same body after the same time.

use super::{INVALID_RESET_TOKEN, at, end_sessions, password::known_of};
use crate::{
    domain::{
        account::{self, Command},
        auth_session::Command::End as EndSession,
        password::Password,
    },
    execute::{Answer, Context, Executor, Reply, StoredResetToken},
    http::{
        auth::session::normal_name,
        context::{Anonymous, ClientAddress},
    },
    mail::Letter,
    openapi::Done,
    passwords::Passwords,
    recovery::{self, Recovery, ResetToken},
    state::{ResetLimits, Tried},
};
use axum::{extract::State, http::StatusCode};
use events::{account::Account, auth_session::EndReason, log::Keyring};
use ops::{extract::Json, problem::Problem, validate::refusal};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

/// Whose password was forgotten: an e-mail address or a user name, not both.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = one_name, skip_on_field_errors = false))]
pub struct ForgotPassword {
    /// The account's address; or else `username`.
    #[validate(length(max = 254))]
    #[schema(max_length = 254)]
    email: Option<String>,
    /// The account's user name; or else `email`.
    #[validate(length(max = 254))]
    #[schema(max_length = 254)]
    username: Option<String>,
    /// The organisation; without it, the default one.
    tenant: Option<String>,
}

fn one_name(body: &ForgotPassword) -> Result<(), ValidationError> {
    match (&body.email, &body.username) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err(refusal("one-of", "must have either email or username")),
    }
}

/// What everyone is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The same whether or not there is such an account.
    #[schema(example = "If there is such an account, a letter is on its way to its address.")]
    detail: &'static str,
}

/// Mails a token that sets another password to the address of the account, if there is one.
#[utoipa::path(post, path = "/v1/auth/forgot-password", tag = "auth", request_body = ForgotPassword, responses(
    (status = 202, description = "Accepted, whether or not there is such an account", body = Accepted),
    (status = 429, description = "`too-many-requests`: of one address, never of one account"),
))]
pub async fn forgot_password(
    State(executor): State<Executor>,
    State(keyring): State<Keyring>,
    State(recovery): State<Recovery>,
    State(limits): State<ResetLimits>,
    ClientAddress(address): ClientAddress,
    anonymous: Anonymous,
    Json(body): Json<ForgotPassword>,
) -> Result<(StatusCode, axum::Json<Accepted>), Problem> {
    let context = anonymous.in_tenant(&executor, body.tenant.as_deref()).await?;
    limits.check_address(address)?;
    let (scope, name) = normal_name(body.email.as_deref(), body.username.as_deref());
    let digest = keyring.claim_digest(scope, &name);
    // Asked too often, nothing more is sent, and nobody is told: the answer must not depend on the account.
    if limits.check_account(&Tried::Name(context.tenant_id, digest.clone())).is_ok() {
        recovery.request(recovery::Request { context, scope, digest })?;
    }
    let detail = "If there is such an account, a letter is on its way to its address.";
    Ok((StatusCode::ACCEPTED, axum::Json(Accepted { detail })))
}

/// A password to set in place of a forgotten one.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// The token out of the letter; it works once.
    #[schema(format = Password)]
    token: String,
    /// At least 12 characters unless configured otherwise, at most 1024 bytes, and hard to guess.
    #[schema(format = Password)]
    new_password: String,
}

/// Sets a password with a token that was mailed. All sessions of the account end; log in with the new password.
#[utoipa::path(post, path = "/v1/auth/reset-password", tag = "auth", request_body = ResetPassword, responses(
    (status = 200, description = "Set; the id is the account's", body = Done),
    (status = 422, description = "`invalid-reset-token`, `weak-password`, after which the token is still good"),
    (status = 429, description = "`too-many-requests`"),
))]
pub async fn reset_password(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(limits): State<ResetLimits>,
    ClientAddress(address): ClientAddress,
    Anonymous(context): Anonymous,
    Json(body): Json<ResetPassword>,
) -> Result<Answer, Problem> {
    limits.check_address(address)?;
    let token_hash = ResetToken::presented(body.token).hash();
    let found = find(&executor, &token_hash, &context).await.inspect_err(|problem| {
        executor.refused(&context, "account.recover", problem, None);
    })?;
    let context = Context { tenant_id: found.tenant_id, ..context };
    let account_id = found.account_id;
    // Hashed once, however often the command is decided.
    let hashed = &OnceCell::new();
    let (executor, context, passwords, token_hash) = (&executor, &context, &passwords, &token_hash);
    let new_password = &body.new_password;
    executor
        .execute(context, "account.recover", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(account_id).await?;
                // Looked up after the account, which moves when the token is used: it works once.
                find(executor, token_hash, context).await?;
                let events = account::decide(&account.state, context, Command::Recover)?;
                let admit = || passwords.admit(Password::new(new_password), known_of(&account.state));
                let phc = hashed.get_or_try_init(admit).await.map_err(at("/new_password"))?;
                work.append::<Account>(account_id, events);
                work.set_credential(account_id, phc.clone());
                let end = EndSession { reason: EndReason::PasswordReset };
                end_sessions(work, context, account_id, end, None).await?;
                if let Some(to) = account.state.profile.as_ref().and_then(|profile| profile.email.clone()) {
                    let until = context.now + chrono::TimeDelta::days(1);
                    work.send_mail(account_id, Letter::PasswordWasReset { to }, until);
                }
                Ok(Reply::ok(account_id))
            })
        })
        .await
}

async fn find(executor: &Executor, token_hash: &[u8; 32], context: &Context) -> Result<StoredResetToken, Problem> {
    let found = executor.find_reset_token(token_hash).await?.filter(|token| token.expires_at > context.now);
    let detail = "The token is unknown, was used, or has expired: ask for another one.";
    found.ok_or_else(|| Problem::new(INVALID_RESET_TOKEN).detail(detail))
}
