//! `/v1/invitations`: ask somebody in, and take it back. Who comes by invitation registers as everybody does
//! (`POST /v1/auth/register`), with the invitation's token.

use super::account::{EMAIL_SCOPE, RoleSchema, email_address};
use crate::{
    config::Settings,
    domain::{
        account::{self, identifier::Email},
        invitation::{self, Command, Refusal},
    },
    execute::{Answer, Context, Executor, Reply},
    mail::Letter,
    openapi::Done,
    tenancy,
};
use axum::extract::State;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use events::{
    Role,
    ids::{AccountId, InvitationId},
    invitation::Invitation,
    log::Keyring,
};
use ops::{
    extract::{EmptyBody, Json, Path},
    problem::{Problem, ProblemType},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

/// Where the tokens of invitations are claimed: what is stored is a keyed digest of each.
pub(super) const TOKEN_SCOPE: &str = "invitation-token";
/// How long an invitation holds where nothing is said: a week.
const DEFAULT_HOURS: u16 = 168;

const INVALID_INVITATION: ProblemType = ProblemType {
    slug: "invalid-invitation",
    status: 403,
    title: "The invitation is not valid",
    meaning: "It is unknown, used, taken back or expired; which of these is not told. Ask for another one.",
};
const ALREADY_ACCEPTED: ProblemType = ProblemType {
    slug: "invitation-already-accepted",
    status: 409,
    title: "The invitation was accepted already",
    meaning: "Its person has an account: deactivate that instead.",
};
const ALREADY_REVOKED: ProblemType = ProblemType {
    slug: "invitation-already-revoked",
    status: 409,
    title: "The invitation was revoked already",
    meaning: "It is worth nothing any more: there is nothing to do.",
};

/// What invitations refuse with, beside the problems of every route and those of accounts.
pub const PROBLEMS: &[ProblemType] = &[INVALID_INVITATION, ALREADY_ACCEPTED, ALREADY_REVOKED];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::RoleNotBelowOwn => Self::forbidden(detail),
            Refusal::RegistrationClosed => Self::from(account::Refusal::RegistrationClosed).detail(detail),
            Refusal::Invalid => Self::new(INVALID_INVITATION).detail(detail),
            Refusal::OtherAddress => Self::invalid_field("/email", "not-invited", detail),
            Refusal::NotFound => Self::not_found().detail(detail),
            Refusal::AlreadyAccepted => Self::new(ALREADY_ACCEPTED).detail(detail),
            Refusal::AlreadyRevoked => Self::new(ALREADY_REVOKED).detail(detail),
        }
    }
}

/// Somebody to invite.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Whom: the account can only be registered with this address.
    #[validate(custom(function = email_address))]
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// What the account will be able to do: a role below the caller's own.
    #[schema(value_type = RoleSchema)]
    role: Role,
    /// How long the invitation holds, in hours; without it, a week.
    #[validate(range(min = 1, max = 720))]
    #[schema(minimum = 1, maximum = 720, example = 168)]
    expires_in_hours: Option<u16>,
}

/// An invitation, and what its person registers with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invited {
    #[serde(flatten)]
    done: Done,
    /// The `invitation` of POST /v1/auth/register, good for one account. It is shown once: a replay of the request
    /// answers null.
    invitation_token: Option<String>,
    /// When it is worth nothing any more.
    expires_at: DateTime<Utc>,
}

/// Invites somebody to make an account for themselves: the token is mailed to them, and shown here once.
#[utoipa::path(post, path = "/v1/invitations", tag = "invitation", security(("bearer" = [])), request_body = Invite,
    responses(
        (status = 201, description = "Invited", body = Invited),
        (status = 403, description = "`forbidden`, `registration-closed`"),
        (status = 409, description = "`email-taken`"),
    ))]
pub async fn issue(
    State(executor): State<Executor>,
    State(keyring): State<Keyring>,
    State(settings): State<Arc<Settings>>,
    context: Context,
    Json(body): Json<Invite>,
) -> Result<Answer, Problem> {
    let (id, account_id) = (InvitationId::new(Uuid::now_v7()), AccountId::new(Uuid::now_v7()));
    let email = Email::try_new(&body.email)?;
    let hours = body.expires_in_hours.unwrap_or(DEFAULT_HOURS);
    let expires_at = (context.now + TimeDelta::hours(hours.into())).trunc_subsecs(0);
    let digest = keyring.claim_digest(EMAIL_SCOPE, email.as_str());
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let role = body.role;
    let (executor, context, settings) = (&executor, &context, &settings);
    let (email, digest, token) = (&email, &digest, token.as_str());
    executor
        .execute(context, "invitation.issue", |work| {
            Box::pin(async move {
                let policy = tenancy::registration(work, context, settings).await?;
                let command = Command::Issue { account_id, email: email.clone(), role, expires_at, policy };
                let events = invitation::decide(&Invitation::default(), context, command)?;
                // Told now rather than to the person who comes; whether it still holds then is decided then.
                let held = executor.log().find_claim(context.tenant_id, EMAIL_SCOPE, digest).await;
                if held.map_err(|error| Problem::internal(&error))?.is_some() {
                    return Err(account::Refusal::EmailTaken.into());
                }
                work.new_subject(account_id);
                work.claim::<Invitation>(TOKEN_SCOPE, token, id, Refusal::Invalid);
                work.append::<Invitation>(id, events);
                let (to, token_text) = (email.as_str().to_owned(), token.to_owned());
                work.send_mail(account_id, Letter::Invitation { to, token: token_text, expires_at }, expires_at);
                let reply = Reply::created(id, format!("/v1/invitations/{id}"));
                Ok(reply
                    .with("expires_at", events::cloud_event::timestamp(expires_at))
                    .with_secret("invitation_token", token))
            })
        })
        .await
}

/// Takes an invitation back: nobody can register with it any more.
#[utoipa::path(post, path = "/v1/invitations/{id}/revoke", tag = "invitation", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The invitation"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the command is meant for"),
    ),
    responses(
        (status = 200, description = "Revoked", body = Done),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`invitation-already-accepted`, `invitation-already-revoked`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn revoke(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<InvitationId>,
    _: EmptyBody,
) -> Result<Answer, Problem> {
    let context = &context;
    executor
        .execute(context, "invitation.revoke", |work| {
            Box::pin(async move {
                let loaded = work.load::<Invitation>(id).await?;
                let events = invitation::decide(&loaded.state, context, Command::Revoke)?;
                work.check_if_match(&loaded)?;
                work.append::<Invitation>(id, events);
                Ok(Reply::ok(id))
            })
        })
        .await
}
