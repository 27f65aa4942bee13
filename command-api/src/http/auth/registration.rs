//! `POST /v1/auth/register`: people make accounts for themselves. `POST /v1/auth/bootstrap`: the installation's first
//! superadmin comes to be.

use super::{AccountView, at, invited};
use crate::{
    config::Settings,
    domain::{
        account::{
            self, Command, Person, Refusal, RegistrationPolicy,
            identifier::{Email, Username},
        },
        auth_session,
        password::Password,
    },
    execute::{Answer, Context, Executor, Reply},
    http::{
        account::{email_address, found, person_name, tidy, user_name},
        context::{Anonymous, ClientAddress},
    },
    openapi::Done,
    passwords::Passwords,
    state::RegistrationLimits,
    tenancy,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use events::{
    Aggregate,
    account::{Account, AccountEvent},
    ids::AccountId,
    tenant::{BOOTSTRAP_NAME, BOOTSTRAP_SCOPE},
};
use ops::{config::Secret, extract::Json, problem::Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::OnceCell;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

/// An account to make for oneself.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Address to log in with, unique within the tenant. It is kept in NFC and in lower case.
    #[validate(custom(function = email_address))]
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// At least 12 characters unless configured otherwise, at most 1024 bytes, and hard to guess.
    #[schema(format = Password)]
    password: String,
    /// Given name, in one line. It is kept in NFC, its case as it is written.
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family name, in one line. It is kept in NFC, its case as it is written.
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
    /// The organisation; without it, the default one.
    tenant: Option<String>,
    /// Name to log in with, unique within the tenant: letters, digits, dots, underscores and hyphens. It is kept in NFC and
    /// in lower case.
    #[validate(custom(function = user_name))]
    #[schema(min_length = 3, max_length = 64)]
    username: Option<String>,
    /// The token of an invitation, which gives the account its role; needed where people may come only by invitation.
    #[validate(length(max = 100))]
    #[schema(format = Password, max_length = 100)]
    invitation: Option<String>,
}

/// The new account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Registered {
    #[serde(flatten)]
    done: Done,
    /// The account; null in the replay of a registration by invitation.
    account: Option<AccountView>,
}

/// Makes an account for whoever asks: as a learner, or as what the invitation says.
#[utoipa::path(post, path = "/v1/auth/register", tag = "auth", request_body = Register, responses(
    (status = 201, description = "Registered", body = Registered),
    (status = 403, description = "`registration-closed`, `invalid-invitation`"),
    (status = 409, description = "`email-taken`, `username-taken`"),
    (status = 422, description = "`weak-password`"),
    (status = 429, description = "`too-many-requests`"),
))]
pub async fn register(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(settings): State<Arc<Settings>>,
    State(limits): State<RegistrationLimits>,
    ClientAddress(address): ClientAddress,
    anonymous: Anonymous,
    Json(body): Json<Register>,
) -> Result<Response, Problem> {
    limits.check_address(address)?;
    let context = anonymous.in_tenant(&executor, body.tenant.as_deref()).await?;
    let person = Person {
        account_id: AccountId::new(Uuid::now_v7()),
        email: Email::try_new(&body.email)?,
        username: body.username.as_deref().map(Username::try_new).transpose()?,
        first_name: tidy(&body.first_name),
        last_name: tidy(&body.last_name),
    };
    if let Some(token) = &body.invitation {
        let invited = invited::Invited { person, password: &body.password, token };
        let answer = invited::register(&executor, &passwords, &settings, &context, &invited).await?;
        return Ok(answer.into_response());
    }
    let id = person.account_id;
    // Hashed once, however often the command is decided, and not before it is known to be allowed.
    let hashed = &OnceCell::new();
    let (context, person, passwords, settings) = (&context, &person, &passwords, &settings);
    let password = &body.password;
    let answer = executor
        .execute(context, "account.register", |work| {
            Box::pin(async move {
                let policy = tenancy::registration(work, context, settings).await?;
                let command = Command::Register { person: person.clone(), policy };
                let events = account::decide(&Account::default(), context, command)?;
                let admit = || passwords.admit(Password::new(password), known_of(person));
                let phc = hashed.get_or_try_init(admit).await.map_err(at("/password"))?;
                found(work, person, phc);
                work.append::<Account>(id, events);
                Ok(Reply::created(id, format!("/v1/accounts/{id}")))
            })
        })
        .await?;
    // What was decided is the same for every policy under which it is allowed.
    let policy = RegistrationPolicy::Open;
    let events = account::decide(&Account::default(), context, Command::Register { person: person.clone(), policy })?;
    let body = registered(&answer, context, &events);
    Ok(answer.into_response_with(&body))
}

/// The installation's first superadmin, and the secret that opens the way.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The configured `BOOTSTRAP_TOKEN`.
    #[schema(format = Password)]
    token: String,
    /// Address to log in with.
    #[validate(custom(function = email_address))]
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// At least 12 characters unless configured otherwise, at most 1024 bytes, and hard to guess.
    #[schema(format = Password)]
    password: String,
    /// Given name, in one line. It is kept in NFC, its case as it is written.
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family name, in one line. It is kept in NFC, its case as it is written.
    #[validate(custom(function = person_name))]
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
}

/// Creates the first superadmin, once; closed unless `BOOTSTRAP_TOKEN` is configured.
#[utoipa::path(post, path = "/v1/auth/bootstrap", tag = "auth", request_body = Bootstrap, responses(
    (status = 201, description = "Created", body = Registered),
    (status = 401, description = "`wrong-credentials`"),
    (status = 409, description = "`bootstrap-done`, `email-taken`"),
    (status = 422, description = "`weak-password`"),
))]
pub async fn bootstrap(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(settings): State<Arc<Settings>>,
    Anonymous(context): Anonymous,
    Json(body): Json<Bootstrap>,
) -> Result<Response, Problem> {
    if !opens(settings.bootstrap_token.as_ref(), &body.token) {
        let problem = Problem::from(auth_session::Refusal::WrongCredentials);
        executor.refused(&context, "account.bootstrap", &problem, None);
        return Err(problem);
    }
    let person = Person {
        account_id: AccountId::new(Uuid::now_v7()),
        email: Email::try_new(&body.email)?,
        username: None,
        first_name: tidy(&body.first_name),
        last_name: tidy(&body.last_name),
    };
    let events = account::decide(&Account::default(), &context, Command::Bootstrap { person: person.clone() })?;
    let phc = passwords.admit(Password::new(&body.password), known_of(&person)).await.map_err(at("/password"))?;
    let id = person.account_id;
    let (context, person, phc, events) = (&context, &person, &phc, &events);
    let answer = executor
        .execute(context, "account.bootstrap", |work| {
            Box::pin(async move {
                work.claim::<Account>(BOOTSTRAP_SCOPE, BOOTSTRAP_NAME, id, Refusal::BootstrapDone);
                found(work, person, phc);
                work.append::<Account>(id, events.clone());
                Ok(Reply::created(id, format!("/v1/accounts/{id}")))
            })
        })
        .await?;
    let body = registered(&answer, context, events);
    Ok(answer.into_response_with(&body))
}

/// Compares digests, so that the time it takes tells nothing of the token.
fn opens(configured: Option<&Secret>, presented: &str) -> bool {
    configured.is_some_and(|configured| Sha256::digest(configured.expose()) == Sha256::digest(presented))
}

/// What somebody who knows the person would try as their password.
pub(super) fn known_of(person: &Person) -> Vec<String> {
    let username = person.username.as_ref().map(|username| username.as_str().to_owned());
    let known = [person.email.as_str().to_owned(), person.first_name.clone(), person.last_name.clone()];
    known.into_iter().chain(username).collect()
}

/// The body is made of the request, whose replay is the same: what is personal is not kept with the first answer.
fn registered(answer: &Answer, context: &Context, events: &[AccountEvent]) -> Value {
    let id = answer.id();
    let mut account = Account::default();
    for event in events {
        account.evolve(event);
    }
    let account = AccountView::new(AccountId::new(id), context, &account);
    json!({"id": id, "version": answer.version(), "position": answer.position(), "account": account})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_configured_token_opens_the_bootstrap() {
        let configured = Secret::new("correct horse battery");
        assert!(opens(Some(&configured), "correct horse battery"));
        assert!(!opens(Some(&configured), "correct horse batterz"));
        assert!(!opens(Some(&configured), ""));
        assert!(!opens(None, ""));
    }
}
