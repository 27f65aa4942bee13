//! `POST /v1/auth/login`, `/refresh` and `/logout`: a session starts, goes on, and ends.

use super::AccountView;
use crate::{
    config::Settings,
    domain::{
        account::identifier::{Email, Username},
        auth_session::{self, Command, PresentedToken, Refusal},
        password::Password,
    },
    execute::{Answer, Context, Executor, Reply},
    http::{
        account::{EMAIL_SCOPE, USERNAME_SCOPE},
        context::{Anonymous, AnyScope, ClientAddress},
    },
    lockout::Failures,
    passwords::{Passwords, Verdict},
    state::{LoginLimits, Tried},
};
use axum::{extract::State, http::StatusCode};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use events::{
    account::Account,
    auth_session::{AuthSession, AuthSessionEvent, SessionScope},
    ids::{AccountId, AuthSessionId},
    log::Keyring,
};
use ops::{
    extract::{EmptyBody, Json},
    problem::Problem,
    tokens::{Grant, Signer, TokenScope},
    validate::refusal,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

/// Who wants to log in: an e-mail address or a user name, not both.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = one_name, skip_on_field_errors = false))]
pub struct LogIn {
    /// The account's address; or else `username`.
    email: Option<String>,
    /// The account's user name; or else `email`.
    username: Option<String>,
    /// Its password.
    #[schema(format = Password)]
    password: String,
    /// The organisation; without it, the default one.
    tenant: Option<String>,
}

fn one_name(body: &LogIn) -> Result<(), ValidationError> {
    match (&body.email, &body.username) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err(refusal("one-of", "must have either email or username")),
    }
}

/// Somebody is in.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedIn {
    /// The session's id.
    id: Uuid,
    /// The session's version.
    version: i64,
    /// The position in the log that the command reached.
    position: i64,
    /// To be sent as `Authorization: Bearer`. As all tokens, it is shown once: a replay of the request answers null.
    access_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: String,
    /// How long the access token lives, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Gets the next tokens, once; null where the access token can only set a password.
    refresh_token: Option<String>,
    /// Whether the access token can only set a password.
    must_set_password: bool,
    /// Whose session it is.
    account: Option<AccountView>,
}

/// Starts a session.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", request_body = LogIn, responses(
    (status = 200, description = "Logged in; with a temporary password, only to set another one", body = LoggedIn),
    (status = 401, description = "`wrong-credentials`"),
    (status = 403, description = "`portal-access-revoked`"),
    (status = 429, description = "`too-many-requests`"),
))]
#[expect(clippy::too_many_arguments, reason = "each extractor names one part of the state or the request")]
pub async fn log_in(
    State(executor): State<Executor>,
    State(keyring): State<Keyring>,
    State(passwords): State<Passwords>,
    State(signer): State<Signer>,
    State(limits): State<LoginLimits>,
    State(failures): State<Failures>,
    State(settings): State<Arc<Settings>>,
    ClientAddress(address): ClientAddress,
    anonymous: Anonymous,
    Json(body): Json<LogIn>,
) -> Result<Answer, Problem> {
    let context = anonymous.in_tenant(&executor, body.tenant.as_deref()).await?;
    limits.check_address(address)?;
    let (scope, name) = normal_name(body.email.as_deref(), body.username.as_deref());
    let digest = keyring.claim_digest(scope, &name);
    let found = executor.log().find_claim(context.tenant_id, scope, &digest).await.map_err(unreadable)?;
    let found = found.map(|stream| AccountId::new(stream.id));
    limits.check_account(&Tried::Name(context.tenant_id, digest))?;

    // Nobody's password is looked up and verified too: whether there is an account must not show in the time it takes.
    let account_id = found.unwrap_or(AccountId::new(Uuid::nil()));
    let phc = executor.find_credential(account_id).await?;
    let may_try = may_try(&executor, &context, found).await?;
    let verdict = passwords.verify(Password::new(&body.password), phc.clone().filter(|_| may_try)).await?;
    let Verdict::Right { upgrade } = verdict else {
        let problem = Problem::from(Refusal::WrongCredentials);
        executor.refused(&context, "auth_session.log_in", &problem, found);
        if let Some(account_id) = found {
            failures.count(context.tenant_id, account_id);
        }
        return Err(problem);
    };

    let session_id = AuthSessionId::new(Uuid::now_v7());
    let refresh_token = RefreshToken::generate();
    let (executor, context, signer, lifetimes) = (&executor, &context, &signer, settings.lifetimes);
    let (phc, refresh_token, upgrade) = (&phc, &refresh_token, &upgrade);
    let (passwords, password) = (&passwords, &body.password);
    executor
        .execute(context, "auth_session.log_in", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(account_id).await?;
                // A password changes only with its account, which is asserted to be unchanged at the append; another hash
                // of it may have come with another log-in.
                let current = executor.find_credential(account_id).await?;
                let is_changed = current != *phc;
                if is_changed && !passwords.verify(Password::new(password), current).await?.is_right() {
                    return Err(Refusal::WrongCredentials.into());
                }
                let command = Command::LogIn { account_id, account: &account.state, lifetimes };
                let events = auth_session::decide(&AuthSession::default(), context, command)?;
                let refresh_token = starts_fully(&events).map(|expires_at| {
                    work.set_refresh_token(session_id, refresh_token.hash(), expires_at);
                    refresh_token
                });
                if let Some(upgrade) = upgrade.as_ref().filter(|_| !is_changed) {
                    work.set_credential(account_id, upgrade.clone());
                }
                work.append::<AuthSession>(session_id, events);
                logged_in(signer, context, session_id, account_id, &account.state, refresh_token)
            })
        })
        .await
}

/// Whether any password would do. What is remembered may be too old to refuse somebody on: then the log says.
pub(super) async fn may_try(executor: &Executor, context: &Context, found: Option<AccountId>) -> Result<bool, Problem> {
    let Some(id) = found else { return Ok(false) };
    let remembered = executor.peek::<Account>(context, id, true).await?;
    if auth_session::may_try(&remembered.state, context) {
        return Ok(true);
    }
    let account = executor.peek::<Account>(context, id, false).await?;
    Ok(auth_session::may_try(&account.state, context))
}

/// The scope and the normal form of the name. What can be no name is taken as it stands: nobody has it.
pub(super) fn normal_name(email: Option<&str>, username: Option<&str>) -> (&'static str, String) {
    match (email, username) {
        (_, Some(text)) => {
            let username = Username::try_new(text).map(|username| username.as_str().to_owned());
            (USERNAME_SCOPE, username.unwrap_or_else(|_| text.to_owned()))
        }
        (email, None) => {
            let text = email.unwrap_or_default();
            let email = Email::try_new(text).map(|email| email.as_str().to_owned());
            (EMAIL_SCOPE, email.unwrap_or_else(|_| text.to_owned()))
        }
    }
}

/// The end of a full session that starts; a session that only sets a password has no refresh token.
fn starts_fully(events: &[AuthSessionEvent]) -> Option<DateTime<Utc>> {
    events.iter().find_map(|event| match event {
        AuthSessionEvent::Started { scope: SessionScope::Full, expires_at, .. } => Some(*expires_at),
        _ => None,
    })
}

/// A refresh token to exchange.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The latest refresh token of the session.
    #[schema(format = Password)]
    refresh_token: String,
}

/// Exchanges a refresh token for the next tokens. A token that was exchanged before ends its session.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", request_body = Refresh, responses(
    (status = 200, description = "The next tokens", body = LoggedIn),
    (status = 401, description = "`invalid-refresh-token`"),
))]
pub async fn refresh(
    State(executor): State<Executor>,
    State(signer): State<Signer>,
    State(settings): State<Arc<Settings>>,
    Anonymous(context): Anonymous,
    Json(body): Json<Refresh>,
) -> Result<Answer, Problem> {
    let presented = RefreshToken(body.refresh_token);
    let Some(stored) = executor.find_refresh_token(&presented.hash()).await? else {
        let problem = Problem::from(Refusal::InvalidRefreshToken);
        executor.refused(&context, "auth_session.refresh", &problem, None);
        return Err(problem);
    };
    let context = Context { tenant_id: stored.tenant_id, ..context };
    let (session_id, account_id) = (stored.session_id, stored.account_id);
    let (presented, next) = (&presented, &RefreshToken::generate());
    let (executor, context, signer, lifetimes) = (&executor, &context, &signer, settings.lifetimes);
    let answer = executor
        .execute(context, "auth_session.refresh", |work| {
            Box::pin(async move {
                let session = work.load::<AuthSession>(session_id).await?;
                let account = work.load::<Account>(account_id).await?;
                // Looked up after the session, whose version moves with each exchange: a token that somebody else
                // exchanges from here on makes the append fail, and this is decided again.
                let stored =
                    executor.find_refresh_token(&presented.hash()).await?.ok_or(Refusal::InvalidRefreshToken)?;
                let token = PresentedToken { was_used: stored.used, expires_at: stored.expires_at };
                let command = Command::Refresh { account: &account.state, token, lifetimes };
                let events = auth_session::decide(&session.state, context, command)?;
                let reply = if auth_session::ends_by_reuse(&events) {
                    tracing::warn!(session = %session_id, account = %account_id, "a refresh token was used twice");
                    Reply::ok(session_id).with(REUSED, true)
                } else {
                    let expires_at = context.now + lifetimes.full;
                    work.set_refresh_token(session_id, next.hash(), expires_at);
                    logged_in(signer, context, session_id, account_id, &account.state, Some(next))?
                };
                work.append::<AuthSession>(session_id, events);
                Ok(reply)
            })
        })
        .await?;
    if answer.member(REUSED).is_some() {
        return Err(Refusal::InvalidRefreshToken.into());
    }
    Ok(answer)
}

/// Marks the answer of a command that was carried out by turning its caller away.
const REUSED: &str = "reused";

/// Ends the caller's session. Its access token is refused everywhere within a second.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", security(("bearer" = [])), responses(
    (status = 204, description = "Logged out, now or before"),
))]
pub async fn log_out(
    State(executor): State<Executor>,
    AnyScope(context, _): AnyScope,
    _: EmptyBody,
) -> Result<StatusCode, Problem> {
    let session_id = context.actor.ok_or_else(Problem::unauthenticated)?.session_id;
    let context = &context;
    executor
        .execute(context, "auth_session.log_out", |work| {
            Box::pin(async move {
                let session = work.load::<AuthSession>(session_id).await?;
                let events = auth_session::decide(&session.state, context, Command::EndOwn { session_id })?;
                work.append::<AuthSession>(session_id, events);
                Ok(Reply::ok(session_id))
            })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What somebody who is in is told. Nothing of it is kept for a replay: tokens are shown once.
fn logged_in(
    signer: &Signer,
    context: &Context,
    session_id: AuthSessionId,
    account_id: AccountId,
    account: &Account,
    refresh_token: Option<&RefreshToken>,
) -> Result<Reply, Problem> {
    let role = account.profile.as_ref().map(|profile| profile.role).ok_or(Refusal::WrongCredentials)?;
    let grant = Grant {
        account_id: account_id.as_uuid(),
        tenant_id: context.tenant_id.as_uuid(),
        session_id: session_id.as_uuid(),
        role: role.to_string(),
        scope: if account.must_set_password() { TokenScope::SetPassword } else { TokenScope::Full },
    };
    let (access_token, _) = signer.issue(grant, context.now).map_err(|error| Problem::internal(&error))?;
    Ok(Reply::ok(session_id)
        .with_secret("access_token", access_token)
        .with("token_type", "Bearer")
        .with("expires_in", signer.lifetime().as_secs())
        .with_secret("refresh_token", refresh_token.map(|token| token.0.clone()))
        .with("must_set_password", account.must_set_password())
        .with_secret("account", json!(AccountView::new(account_id, context, account))))
}

/// 256 random bits, base64url. Only its digest is stored.
struct RefreshToken(String);

impl RefreshToken {
    fn generate() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

fn unreadable(error: events::log::LogError) -> Problem {
    match error {
        events::log::LogError::Database(error) => error.into(),
        error => Problem::internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops::extract::decode_json;

    fn decoded(body: &str) -> Result<LogIn, Problem> {
        decode_json(body.as_bytes())
    }

    #[test]
    fn a_log_in_names_an_address_or_a_user_name() {
        for good in [r#"{"email": "a@b.example", "password": "x"}"#, r#"{"username": "ada", "password": "x"}"#] {
            assert!(decoded(good).is_ok(), "{good}");
        }
        for wrong in [r#"{"password": "x"}"#, r#"{"email": "a@b.example", "username": "ada", "password": "x"}"#] {
            let problem = decoded(wrong).err().unwrap();
            assert_eq!(problem.document().errors[0].code, "one-of", "{wrong}");
        }
    }

    #[test]
    fn a_name_is_looked_up_in_the_form_that_it_was_claimed_in() {
        let name = |body: &str| {
            let body = decoded(body).ok().unwrap();
            normal_name(body.email.as_deref(), body.username.as_deref())
        };
        assert_eq!(
            name(r#"{"email": " Ada@Example.org", "password": "x"}"#),
            (EMAIL_SCOPE, "ada@example.org".to_owned())
        );
        assert_eq!(name(r#"{"username": "ADA", "password": "x"}"#), (USERNAME_SCOPE, "ada".to_owned()));
        assert_eq!(name(r#"{"email": "no address", "password": "x"}"#), (EMAIL_SCOPE, "no address".to_owned()));
    }

    #[test]
    fn a_refresh_token_is_256_random_bits_and_only_its_digest_is_kept() {
        let (one, other) = (RefreshToken::generate(), RefreshToken::generate());
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&one.0).unwrap().len(), 32);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), RefreshToken(one.0.clone()).hash());
    }
}
