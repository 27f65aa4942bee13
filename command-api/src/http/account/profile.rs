//! `PATCH /v1/accounts/{id}`: what an account says of its person.

use super::{USERNAME_SCOPE, person_name, tidy, user_name};
use crate::{
    domain::account::{self, Command, ProfileChange, Refusal, identifier::Username},
    execute::{Answer, Context, Executor, Reply, Work},
    http::patch::present,
    openapi::Done,
};
use axum::extract::State;
use events::{
    Personal,
    account::{Account, AccountEvent},
    ids::AccountId,
};
use ops::{
    extract::{Json, Path},
    problem::Problem,
    validate::http_url,
};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

/// Changes to a profile: what is absent stays as it is, and null takes it away.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAccount {
    /// Given name.
    #[serde(default, deserialize_with = "present")]
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    first_name: Option<String>,
    /// Family name.
    #[serde(default, deserialize_with = "present")]
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    last_name: Option<String>,
    /// A few words of the person about themselves.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 2000))]
    #[schema(value_type = Option<String>, max_length = 2000)]
    bio: Option<Option<String>>,
    /// Where a picture is: an http or https URL.
    #[serde(default, deserialize_with = "present")]
    #[validate(custom(function = http_url))]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048)]
    avatar_url: Option<Option<String>>,
    /// Name to log in with, unique within the tenant: letters, digits, dots, underscores and hyphens.
    #[serde(default, deserialize_with = "present")]
    #[validate(custom(function = user_name))]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 64)]
    username: Option<Option<String>>,
}

/// Changes a profile: one's own, or as an admin one of a role below.
#[utoipa::path(patch, path = "/v1/accounts/{id}", tag = "account", security(("bearer" = [])),
    request_body = ChangeAccount,
    params(
        ("id" = Uuid, Path, description = "The account"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the change is meant for"),
    ),
    responses(
        (status = 200, description = "Changed", body = Done),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`username-taken`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn change(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<AccountId>,
    Json(body): Json<ChangeAccount>,
) -> Result<Answer, Problem> {
    let change = ProfileChange {
        first_name: body.first_name.as_deref().map(tidy),
        last_name: body.last_name.as_deref().map(tidy),
        bio: body.bio,
        avatar_url: body.avatar_url,
        username: body.username.map(|name| name.as_deref().map(Username::try_new).transpose()).transpose()?,
    };
    let (context, change) = (&context, &change);
    executor
        .execute(context, "account.change", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let command = Command::UpdateProfile { account_id: id, change: change.clone() };
                let events = account::decide(&account.state, context, command)?;
                work.check_if_match(&account)?;
                move_username(work, id, &account.state, &events);
                work.append::<Account>(id, events);
                Ok(Reply::ok(id))
            })
        })
        .await
}

/// The old name is free from then on, the new one is not.
fn move_username(work: &mut Work<'_>, id: AccountId, account: &Account, events: &[AccountEvent]) {
    for event in events {
        if let AccountEvent::UsernameChanged { username } = event {
            if let Some(old) = account.profile.as_ref().and_then(|profile| profile.username.as_deref()) {
                work.release(USERNAME_SCOPE, old);
            }
            if let Some(new) = username.as_ref().and_then(Personal::known) {
                work.claim::<Account>(USERNAME_SCOPE, new, id, Refusal::UsernameTaken);
            }
        }
    }
}
