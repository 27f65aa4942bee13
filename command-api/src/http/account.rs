//! `/v1/accounts`: make accounts for others, change profiles, shut accounts out and let them in.

use super::{auth, patch::present};
use crate::{
    config::Settings,
    domain::{
        account::{
            self, Command, Person, ProfileChange, Refusal,
            identifier::{Email, InvalidEmail, InvalidUsername, Username},
        },
        password::Password,
    },
    execute::{Answer, Context, Executor, Reply, Work},
    openapi::Done,
    passwords::{Passwords, generate_temporary},
};
use axum::extract::State;
use events::{Role, account::Account, auth_session::EndReason, ids::AccountId};
use ops::{
    extract::{EmptyBody, Json, Path},
    problem::{Problem, ProblemType},
    validate::{http_url, not_blank, refusal},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

/// Where the addresses of a tenant's accounts are claimed.
pub(super) const EMAIL_SCOPE: &str = "account-email";
/// Where their user names are.
pub(super) const USERNAME_SCOPE: &str = "account-username";

const REGISTRATION_CLOSED: ProblemType = ProblemType {
    slug: "registration-closed",
    status: 403,
    title: "Registration is closed",
    meaning: "People do not register themselves here: an admin creates accounts.",
};
const EMAIL_TAKEN: ProblemType = ProblemType {
    slug: "email-taken",
    status: 409,
    title: "The e-mail address is taken",
    meaning: "Another account of the tenant has this address; case makes no difference.",
};
const USERNAME_TAKEN: ProblemType = ProblemType {
    slug: "username-taken",
    status: 409,
    title: "The user name is taken",
    meaning: "Another account of the tenant has this user name; case makes no difference.",
};
const BOOTSTRAP_DONE: ProblemType = ProblemType {
    slug: "bootstrap-done",
    status: 409,
    title: "There is a first superadmin",
    meaning: "The first superadmin was created before; the bootstrap works once.",
};
const ALREADY_INACTIVE: ProblemType = ProblemType {
    slug: "account-already-inactive",
    status: 409,
    title: "The account is deactivated already",
    meaning: "The account cannot log in: there is nothing to do.",
};
const ALREADY_ACTIVE: ProblemType = ProblemType {
    slug: "account-already-active",
    status: 409,
    title: "The account is active already",
    meaning: "The account can log in: there is nothing to do.",
};

/// What accounts refuse with, beside the problems of every route.
pub const PROBLEMS: &[ProblemType] =
    &[REGISTRATION_CLOSED, EMAIL_TAKEN, USERNAME_TAKEN, BOOTSTRAP_DONE, ALREADY_INACTIVE, ALREADY_ACTIVE];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::RegistrationClosed => Self::new(REGISTRATION_CLOSED).detail(detail),
            Refusal::EmailTaken => Self::new(EMAIL_TAKEN).detail(detail),
            Refusal::UsernameTaken => Self::new(USERNAME_TAKEN).detail(detail),
            Refusal::BootstrapDone => Self::new(BOOTSTRAP_DONE).detail(detail),
            Refusal::AlreadyInactive => Self::new(ALREADY_INACTIVE).detail(detail),
            Refusal::AlreadyActive => Self::new(ALREADY_ACTIVE).detail(detail),
            Refusal::NotFound => Self::not_found().detail(detail),
            Refusal::RoleNotBelowOwn
            | Refusal::NotOwnNorAdmin
            | Refusal::NotBelowOwn
            | Refusal::Oneself
            | Refusal::Inactive => Self::forbidden(detail),
        }
    }
}

impl From<InvalidEmail> for Problem {
    fn from(error: InvalidEmail) -> Self {
        Self::invalid_field("/email", "email", error.to_string())
    }
}

impl From<InvalidUsername> for Problem {
    fn from(error: InvalidUsername) -> Self {
        Self::invalid_field("/username", "username", error.to_string())
    }
}

/// `#[validate(custom(function = email_address))]`
pub(super) fn email_address(text: &str) -> Result<(), ValidationError> {
    let invalid = refusal("email", "must be an e-mail address of at most 254 bytes");
    Email::try_new(text).map(drop).map_err(|_| invalid)
}

/// `#[validate(custom(function = user_name))]`
pub(super) fn user_name(text: &str) -> Result<(), ValidationError> {
    let invalid = refusal("username", "must be 3 to 64 letters, digits, dots, underscores and hyphens");
    Username::try_new(text).map(drop).map_err(|_| invalid)
}

/// A name as it is kept: without space around it, in NFC.
pub(super) fn tidy(name: &str) -> String {
    name.trim().nfc().collect()
}

/// Puts what every new account has into the work: its key, its claims, its password hash.
pub(super) fn found(work: &mut Work<'_>, person: &Person, phc: &str) {
    let id = person.account_id;
    work.new_subject(id);
    work.claim::<Account>(EMAIL_SCOPE, person.email.as_str(), id, Refusal::EmailTaken);
    if let Some(username) = &person.username {
        work.claim::<Account>(USERNAME_SCOPE, username.as_str(), id, Refusal::UsernameTaken);
    }
    work.set_credential(id, phc.to_owned());
}

/// A role, by its name or by an older system's: student, trainee, candidate are learners; teacher, trainer instructors.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes events::Role, whose crate knows no OpenAPI")]
enum RoleSchema {
    Learner,
    Instructor,
    Auditor,
    Admin,
    Superadmin,
}

/// An account to make for somebody else.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// Address to log in with, unique within the tenant.
    #[validate(custom(function = email_address))]
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// What it may do: a role below the caller's own.
    #[schema(value_type = RoleSchema)]
    role: Role,
    /// Given name.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family name.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
    /// Name to log in with, unique within the tenant: letters, digits, dots, underscores and hyphens.
    #[validate(custom(function = user_name))]
    #[schema(min_length = 3, max_length = 64)]
    username: Option<String>,
    /// Whether it may log in to the portal; without it, yes.
    portal_access: Option<bool>,
}

/// The account, and the password that its person logs in with first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedAccount {
    #[serde(flatten)]
    done: Done,
    /// Admits to setting another password, for some days. It is shown once: a replay of the request answers null.
    #[schema(example = "k7m2p-x9qwe-rt4yu-hg6fd")]
    temporary_password: Option<String>,
}

/// Creates an account for somebody else, with a temporary password.
#[utoipa::path(post, path = "/v1/accounts", tag = "account", security(("bearer" = [])), request_body = CreateAccount,
    responses(
        (status = 201, description = "Created", body = CreatedAccount),
        (status = 403, description = "`forbidden`, `password-change-required`"),
        (status = 409, description = "`email-taken`, `username-taken`"),
    ))]
pub async fn create(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(settings): State<Arc<Settings>>,
    context: Context,
    Json(body): Json<CreateAccount>,
) -> Result<Answer, Problem> {
    let person = Person {
        account_id: AccountId::new(Uuid::now_v7()),
        email: Email::try_new(&body.email)?,
        username: body.username.as_deref().map(Username::try_new).transpose()?,
        first_name: tidy(&body.first_name),
        last_name: tidy(&body.last_name),
    };
    let command = Command::Create {
        person: person.clone(),
        role: body.role,
        portal_access: body.portal_access.unwrap_or(true),
        temporary_until: context.now + settings.temporary_password,
    };
    // Before the password is hashed: whoever may not create accounts must not cost that much.
    let events = account::decide(&Account::default(), &context, command)?;
    let temporary_password = generate_temporary();
    let phc = passwords.hash(Password::new(&temporary_password)).await?;
    let id = person.account_id;
    let (context, person, phc, events) = (&context, &person, &phc, &events);
    let temporary_password = temporary_password.as_str();
    executor
        .execute(context, "account.create", |work| {
            Box::pin(async move {
                found(work, person, phc);
                work.append::<Account>(id, events.clone());
                let reply = Reply::created(id, format!("/v1/accounts/{id}"));
                Ok(reply.with_secret("temporary_password", temporary_password))
            })
        })
        .await
}

/// Changes to a profile: what is absent stays as it is, and null takes it away.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAccount {
    /// Given name.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    first_name: Option<String>,
    /// Family name.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 100), custom(function = not_blank))]
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
    };
    let (context, change) = (&context, &change);
    executor
        .execute(context, "account.change", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let command = Command::UpdateProfile { account_id: id, change: change.clone() };
                let events = account::decide(&account.state, context, command)?;
                work.check_if_match(&account)?;
                work.append::<Account>(id, events);
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
    let (executor, context) = (&executor, &context);
    executor
        .execute(context, "account.deactivate", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let events = account::decide(&account.state, context, Command::Deactivate { account_id: id })?;
                work.check_if_match(&account)?;
                work.append::<Account>(id, events);
                auth::end_sessions(executor, work, context, id, EndReason::AccountDeactivated, None).await?;
                Ok(Reply::ok(id))
            })
        })
        .await
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
    let context = &context;
    executor
        .execute(context, "account.activate", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let events = account::decide(&account.state, context, Command::Activate { account_id: id })?;
                work.check_if_match(&account)?;
                work.append::<Account>(id, events);
                Ok(Reply::ok(id))
            })
        })
        .await
}
