//! `POST /v1/accounts`: an admin makes an account for somebody else.

use super::{RoleSchema, email_address, found, person_name, tidy, user_name};
use crate::{
    config::Settings,
    domain::{
        account::{
            self, Command, Person,
            identifier::{Email, Username},
        },
        password::Password,
        tenant,
    },
    execute::{Answer, Context, Executor, Reply},
    openapi::Done,
    passwords::{Passwords, generate_temporary},
};
use axum::extract::State;
use events::{
    Role,
    account::Account,
    ids::{AccountId, TenantId},
    tenant::Tenant,
};
use ops::{extract::Json, problem::Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

/// An account to make for somebody else.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// Address to log in with, unique within the tenant. It is kept in NFC and in lower case.
    #[validate(custom(function = email_address))]
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// What it may do: a role below the caller's own.
    #[schema(value_type = RoleSchema)]
    role: Role,
    /// Given name, in one line. It is kept in NFC, its case as it is written.
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family name, in one line. It is kept in NFC, its case as it is written.
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
    /// Name to log in with, unique within the tenant: letters, digits, dots, underscores and hyphens. It is kept in NFC and
    /// in lower case.
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
    create_in(&executor, &passwords, &settings, &context, body, None).await
}

/// Creates the account in the organisation of the context, which has to be there where it is named.
pub(in crate::http) async fn create_in(
    executor: &Executor,
    passwords: &Passwords,
    settings: &Settings,
    context: &Context,
    body: CreateAccount,
    named: Option<TenantId>,
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
    let events = account::decide(&Account::default(), context, command)?;
    let temporary_password = generate_temporary();
    let phc = passwords.hash(Password::new(&temporary_password)).await?;
    let id = person.account_id;
    let (person, phc, events) = (&person, &phc, &events);
    let temporary_password = temporary_password.as_str();
    executor
        .execute(context, "account.create", |work| {
            Box::pin(async move {
                if let Some(tenant_id) = named
                    && !work.load::<Tenant>(tenant_id).await?.exists()
                {
                    return Err(tenant::Refusal::NotFound.into());
                }
                found(work, person, phc);
                work.append::<Account>(id, events.clone());
                let reply = Reply::created(id, format!("/v1/accounts/{id}"));
                Ok(reply.with_secret("temporary_password", temporary_password))
            })
        })
        .await
}
