//! `/v1/auth`: come in, stay in, go out. Here is what its files share; `registration` makes accounts, also by invitation
//! (`invited`), `session` starts, refreshes and ends sessions, `password` sets passwords, `recovery` those that were
//! forgotten.

mod invited;
mod password;
mod recovery;
mod registration;
mod session;

pub use password::*;
pub use recovery::*;
pub use registration::*;
pub use session::*;

use crate::{
    domain::{
        auth_session::{self, Command, Refusal},
        password as rules,
    },
    execute::{Context, Work},
    limits::TooMany,
    passwords::PasswordError,
};
use axum::http::{HeaderValue, header::WWW_AUTHENTICATE};
use events::{
    Role,
    account::Account,
    auth_session::AuthSession,
    ids::{AccountId, AuthSessionId},
};
use ops::problem::{FieldError, INVALID_TOKEN, Problem, ProblemType};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const WRONG_CREDENTIALS: ProblemType = ProblemType {
    slug: "wrong-credentials",
    status: 401,
    title: "Wrong name or password",
    meaning: "No account has that name, or its password is another one, or it cannot log in; which of these is not told.",
};
const INVALID_REFRESH_TOKEN: ProblemType = ProblemType {
    slug: "invalid-refresh-token",
    status: 401,
    title: "The refresh token is not valid",
    meaning: "It is unknown, used before or expired, or its session has ended: log in again.",
};
const PORTAL_ACCESS_REVOKED: ProblemType = ProblemType {
    slug: "portal-access-revoked",
    status: 403,
    title: "No access to the portal",
    meaning: "Name and password are right, and the account may not log in to the portal: ask an admin.",
};
const WEAK_PASSWORD: ProblemType = ProblemType {
    slug: "weak-password",
    status: 422,
    title: "The password is not good enough",
    meaning: "It is too short, too long, too personal or too easy to guess; detail says which, and what would be better.",
};

const INVALID_RESET_TOKEN: ProblemType = ProblemType {
    slug: "invalid-reset-token",
    status: 422,
    title: "The token is not valid",
    meaning: "It is unknown, was used before, or has expired, or another one was sent: ask for another letter.",
};

/// What this stem refuses with, beside the problems of every route and those of accounts.
pub const PROBLEMS: &[ProblemType] =
    &[WRONG_CREDENTIALS, INVALID_REFRESH_TOKEN, PORTAL_ACCESS_REVOKED, WEAK_PASSWORD, INVALID_RESET_TOKEN];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::NotFound => return Self::not_found().detail(refusal.to_string()),
            Refusal::NotBelowOwn => return Self::forbidden(refusal.to_string()),
            Refusal::WrongCredentials => WRONG_CREDENTIALS,
            Refusal::InvalidRefreshToken => INVALID_REFRESH_TOKEN,
            Refusal::PortalAccessRevoked => PORTAL_ACCESS_REVOKED,
            Refusal::SessionEnded => INVALID_TOKEN,
        };
        let problem = Self::new(kind).detail(refusal.to_string());
        // RFC 9110, section 15.5.2: a 401 names a way to authenticate.
        if kind.status == 401 { problem.header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")) } else { problem }
    }
}

impl From<rules::Refusal> for Problem {
    fn from(refusal: rules::Refusal) -> Self {
        Self::new(WEAK_PASSWORD).detail(refusal.to_string())
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        // Rounded up: who comes a moment early is turned away again.
        Self::too_many_requests(too_many.wait.as_secs() + 1).detail("There were too many tries.")
    }
}

/// What became of a chosen password, its refusal pointing to the member that it came in.
fn at(pointer: &'static str) -> impl Fn(PasswordError) -> Problem {
    move |error| match error {
        PasswordError::Refused(refusal) => {
            let code = match refusal {
                rules::Refusal::TooShort { .. } => "too-short",
                rules::Refusal::TooLong => "too-long",
                rules::Refusal::TooPersonal => "too-personal",
                rules::Refusal::TooGuessable { .. } => "too-guessable",
            };
            let field = FieldError::new(pointer, code, refusal.to_string());
            Problem::from(refusal).errors([field])
        }
        other => other.into(),
    }
}

/// Ends the account's open sessions but the one to keep, in the same transaction as the rest of the work, and tells how
/// many those were.
pub(super) async fn end_sessions(
    work: &mut Work<'_>,
    context: &Context,
    account_id: AccountId,
    command: Command<'_>,
    keep: Option<AuthSessionId>,
) -> Result<usize, Problem> {
    let mut ended = 0;
    for session_id in work.load_sessions(account_id).await? {
        if Some(session_id) != keep {
            let session = work.load::<AuthSession>(session_id).await?;
            let events = auth_session::decide(&session.state, context, command)?;
            ended += events.len();
            work.append::<AuthSession>(session_id, events);
        }
    }
    Ok(ended)
}

/// An account, as whoever logs in to it or makes it is told.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccountView {
    id: Uuid,
    tenant_id: Uuid,
    #[schema(format = Email)]
    email: Option<String>,
    username: Option<String>,
    #[schema(value_type = String, example = "learner")]
    role: Option<Role>,
    first_name: Option<String>,
    last_name: Option<String>,
    bio: Option<String>,
    avatar_url: Option<String>,
    is_active: bool,
    portal_access: bool,
    must_set_password: bool,
}

impl AccountView {
    fn new(account_id: AccountId, context: &Context, account: &Account) -> Self {
        let profile = account.profile.as_ref();
        Self {
            id: account_id.as_uuid(),
            tenant_id: context.tenant_id.as_uuid(),
            email: profile.and_then(|profile| profile.email.clone()),
            username: profile.and_then(|profile| profile.username.clone()),
            role: profile.map(|profile| profile.role),
            first_name: profile.and_then(|profile| profile.first_name.clone()),
            last_name: profile.and_then(|profile| profile.last_name.clone()),
            bio: profile.and_then(|profile| profile.bio.clone()),
            avatar_url: profile.and_then(|profile| profile.avatar_url.clone()),
            is_active: account.is_active,
            portal_access: account.portal_access,
            must_set_password: account.must_set_password(),
        }
    }
}
