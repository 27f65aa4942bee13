//! `DELETE /v1/me/sessions` and `/v1/accounts/{id}/sessions`: people end sessions of their own, admins those of others.
//! The lists are the query API's. How a session starts, goes on and is left stands in `auth/session`.

use super::auth::end_sessions;
use crate::{
    domain::auth_session::{self, Command},
    execute::{Answer, Context, Executor, Reply},
    openapi::Done,
};
use axum::extract::State;
use events::{
    account::Account,
    auth_session::{AuthSession, EndReason},
    ids::{AccountId, AuthSessionId},
};
use ops::{
    extract::{EmptyBody, Path},
    problem::Problem,
};
use serde::Serialize;
use utoipa::ToSchema;

/// Sessions have ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsEnded {
    #[serde(flatten)]
    done: Done,
    /// How many.
    #[schema(example = 2)]
    ended: usize,
}

/// Ends one of the caller's sessions; the one of this request too.
#[utoipa::path(delete, path = "/v1/me/sessions/{id}", tag = "auth_session", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The session")),
    responses(
        (status = 200, description = "Ended, now or before; the id is the session's", body = Done),
        (status = 403, description = "`password-change-required`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn end_own(
    State(executor): State<Executor>,
    context: Context,
    Path(session_id): Path<AuthSessionId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "auth_session.end", |work| {
            Box::pin(async move {
                let session = work.load::<AuthSession>(session_id).await?;
                let events = auth_session::decide(&session.state, context, Command::EndOwn { session_id })?;
                work.append::<AuthSession>(session_id, events);
                Ok(Reply::ok(session_id))
            })
        })
        .await
}

/// Ends all the caller's sessions but the one of this request.
#[utoipa::path(delete, path = "/v1/me/sessions", tag = "auth_session", security(("bearer" = [])), responses(
    (status = 200, description = "Ended; the id is the account's", body = SessionsEnded),
    (status = 403, description = "`password-change-required`"),
))]
pub async fn end_others(State(executor): State<Executor>, context: Context, _: EmptyBody) -> Result<Answer, Problem> {
    let actor = context.actor.ok_or_else(Problem::unauthenticated)?;
    let context = &context;
    executor
        .execute(context, "auth_session.end_others", |work| {
            Box::pin(async move {
                work.load::<Account>(actor.account_id).await?;
                let command = Command::End { reason: EndReason::EndedByOwner };
                let ended = end_sessions(work, context, actor.account_id, command, Some(actor.session_id)).await?;
                Ok(Reply::ok(actor.account_id).with("ended", ended))
            })
        })
        .await
}

/// Ends a session of an account of a role below one's own.
#[utoipa::path(delete, path = "/v1/accounts/{id}/sessions/{session_id}", tag = "auth_session",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("session_id" = Uuid, Path, description = "The session"),
    ),
    responses(
        (status = 200, description = "Ended, now or before; the id is the session's", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn revoke(
    State(executor): State<Executor>,
    context: Context,
    Path((account_id, session_id)): Path<(AccountId, AuthSessionId)>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "auth_session.revoke", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(account_id).await?;
                let session = work.load::<AuthSession>(session_id).await?;
                let command = Command::Revoke { account_id, account: &account.state };
                let events = auth_session::decide(&session.state, context, command)?;
                work.append::<AuthSession>(session_id, events);
                Ok(Reply::ok(session_id))
            })
        })
        .await
}

/// Ends all sessions of an account of a role below one's own.
#[utoipa::path(delete, path = "/v1/accounts/{id}/sessions", tag = "auth_session", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account")),
    responses(
        (status = 200, description = "Ended; the id is the account's", body = SessionsEnded),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn revoke_all(
    State(executor): State<Executor>,
    context: Context,
    Path(account_id): Path<AccountId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "auth_session.revoke_all", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(account_id).await?;
                auth_session::check_above(context, &account.state)?;
                let command = Command::Revoke { account_id, account: &account.state };
                let ended = end_sessions(work, context, account_id, command, None).await?;
                Ok(Reply::ok(account_id).with("ended", ended))
            })
        })
        .await
}
