//! `POST /v1/auth/set-password`: somebody chooses a password, in place of another or of a temporary one.

use super::{at, end_sessions, session::may_try};
use crate::{
    domain::{
        account::{self, Command},
        auth_session::{self, Command::End as EndSession, Refusal},
        password::Password,
    },
    execute::{Answer, Executor, Reply},
    http::context::AnyScope,
    lockout::Failures,
    openapi::Done,
    passwords::Passwords,
    state::{LoginLimits, Tried},
};
use axum::extract::State;
use events::{
    account::{Account, Profile},
    auth_session::{AuthSession, EndReason},
};
use ops::{extract::Json, problem::Problem, tokens::TokenScope};
use serde::Deserialize;
use tokio::sync::OnceCell;
use utoipa::ToSchema;
use validator::Validate;

/// A password to set.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// At least 12 characters unless configured otherwise, at most 1024 bytes, and hard to guess.
    #[schema(format = Password)]
    new_password: String,
    /// The password that it replaces; not with a token that can only set a password.
    #[schema(format = Password)]
    current_password: Option<String>,
}

/// Sets the caller's password. Their other sessions end; after a temporary password this one does too: log in again.
#[utoipa::path(post, path = "/v1/auth/set-password", tag = "auth", security(("bearer" = [])),
    request_body = SetPassword,
    responses(
        (status = 200, description = "Set; the id is the account's", body = Done),
        (status = 401, description = "`wrong-credentials`"),
        (status = 422, description = "`weak-password`"),
        (status = 429, description = "`too-many-requests`"),
    ))]
pub async fn set_password(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(limits): State<LoginLimits>,
    State(failures): State<Failures>,
    AnyScope(context, scope): AnyScope,
    Json(body): Json<SetPassword>,
) -> Result<Answer, Problem> {
    let actor = context.actor.ok_or_else(Problem::unauthenticated)?;
    let current = current_password(scope, body.current_password.as_deref())?;
    let verified = executor.find_credential(actor.account_id).await?;
    if let Some(current) = current {
        // Whoever has stolen a token may not guess the password at leisure.
        limits.check_account(&Tried::Account(actor.account_id))?;
        // As at log-in: while the account is locked, no password is the right one.
        let may_try = may_try(&executor, &context, Some(actor.account_id)).await?;
        if !passwords.verify(current, verified.clone().filter(|_| may_try)).await?.is_right() {
            failures.count(context.tenant_id, actor.account_id);
            let problem = Problem::from(Refusal::WrongCredentials);
            executor.refused(&context, "account.set_password", &problem, None);
            return Err(problem);
        }
    }
    // Hashed once, however often the command is decided.
    let hashed = &OnceCell::new();
    let keep = (scope == TokenScope::Full).then_some(actor.session_id);
    let (executor, context, passwords, verified) = (&executor, &context, &passwords, &verified);
    let new_password = &body.new_password;
    executor
        .execute(context, "account.set_password", |work| {
            Box::pin(async move {
                let session = work.load::<AuthSession>(actor.session_id).await?;
                auth_session::check_live(&session.state, context)?;
                let account = work.load::<Account>(actor.account_id).await?;
                // A password changes only with its account, which is asserted to be unchanged at the append.
                if executor.find_credential(actor.account_id).await? != *verified {
                    return Err(Refusal::WrongCredentials.into());
                }
                let events = account::decide(&account.state, context, Command::SetPassword)?;
                let admit = || passwords.admit(Password::new(new_password), known_of(&account.state));
                let phc = hashed.get_or_try_init(admit).await.map_err(at("/new_password"))?;
                work.append::<Account>(actor.account_id, events);
                work.set_credential(actor.account_id, phc.clone());
                let end = EndSession { reason: EndReason::PasswordChanged };
                end_sessions(work, context, actor.account_id, end, keep).await?;
                Ok(Reply::ok(actor.account_id))
            })
        })
        .await
}

/// What somebody who knows the person would try as their password.
pub(super) fn known_of(account: &Account) -> Vec<String> {
    let Some(Profile { email, username, first_name, last_name, .. }) = account.profile.clone() else {
        return Vec::new();
    };
    [email, username, first_name, last_name].into_iter().flatten().collect()
}

/// The current password, which a full token needs beside it and a token that only sets a password does not.
fn current_password(scope: TokenScope, sent: Option<&str>) -> Result<Option<Password>, Problem> {
    match (scope, sent) {
        (TokenScope::Full, Some(current)) => Ok(Some(Password::new(current))),
        (TokenScope::SetPassword, None) => Ok(None),
        (TokenScope::Full, None) => Err(Problem::invalid_field("/current_password", "missing", "is required")),
        (TokenScope::SetPassword, Some(_)) => {
            let detail = "must not be sent with a token that can only set a password";
            Err(Problem::invalid_field("/current_password", "not-applicable", detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_token_needs_the_current_password_and_a_set_password_token_refuses_it() {
        let decided = |scope, sent| current_password(scope, sent).map_err(|problem| problem.document().errors.clone());
        assert_eq!(decided(TokenScope::Full, Some("old")), Ok(Some(Password::new("old"))));
        assert_eq!(decided(TokenScope::SetPassword, None), Ok(None));
        for (scope, sent, code) in
            [(TokenScope::Full, None, "missing"), (TokenScope::SetPassword, Some("old"), "not-applicable")]
        {
            let errors = decided(scope, sent).unwrap_err();
            assert_eq!((errors[0].pointer.as_str(), errors[0].code.as_str()), ("/current_password", code));
        }
    }
}
