//! `POST /v1/auth/register` with an invitation: its account begins, and it is used up, in the same moment.

use super::{AccountView, at, registration::known_of};
use crate::{
    config::Settings,
    domain::{
        account::{self, Person},
        invitation::{self, Refusal},
        password::Password,
    },
    execute::{Answer, Context, Executor, Reply},
    http::{account::admit, invitation::TOKEN_SCOPE},
    passwords::Passwords,
    tenancy,
};
use events::{Aggregate, account::Account, ids::InvitationId, invitation::Invitation};
use ops::problem::Problem;
use serde_json::json;
use tokio::sync::OnceCell;

/// What somebody who was invited registers with.
pub(super) struct Invited<'a> {
    /// Who they say they are; the account's id is the invitation's.
    pub(super) person: Person,
    pub(super) password: &'a str,
    pub(super) token: &'a str,
}

pub(super) async fn register(
    executor: &Executor,
    passwords: &Passwords,
    settings: &Settings,
    context: &Context,
    invited: &Invited<'_>,
) -> Result<Answer, Problem> {
    let Invited { person, password, token } = invited;
    let digest = &executor.log().keyring().claim_digest(TOKEN_SCOPE, token);
    // Hashed once, however often the command is decided, and not before the invitation is known to be good.
    let hashed = &OnceCell::new();
    executor
        .execute(context, "account.register_invited", |work| {
            Box::pin(async move {
                let found = executor.log().find_claim(context.tenant_id, TOKEN_SCOPE, digest).await;
                let found = found.map_err(|error| Problem::internal(&error))?.ok_or(Refusal::Invalid)?;
                let id = InvitationId::new(found.id);
                let invitation = work.load::<Invitation>(id).await?;
                let policy = tenancy::registration(work, context, settings).await?;
                let accept = invitation::Command::Accept { email: person.email.clone(), policy };
                let accepted = invitation::decide(&invitation.state, context, accept)?;
                let terms = invitation.state.terms.as_ref().ok_or(Refusal::Invalid)?;

                let person = Person { account_id: terms.account_id, ..person.clone() };
                let command = account::Command::RegisterInvited { person: person.clone(), role: terms.role };
                let events = account::decide(&Account::default(), context, command)?;
                let chosen = || passwords.admit(Password::new(password), known_of(&person));
                let phc = hashed.get_or_try_init(chosen).await.map_err(at("/password"))?;
                let mut account = Account::default();
                for event in &events {
                    account.evolve(event);
                }
                let view = AccountView::new(person.account_id, context, &account);

                admit(work, &person, Some(phc));
                work.release(TOKEN_SCOPE, token);
                work.append::<Invitation>(id, accepted);
                work.append::<Account>(person.account_id, events);
                let location = format!("/v1/accounts/{}", person.account_id);
                Ok(Reply::created(person.account_id, location).with_secret("account", json!(view)))
            })
        })
        .await
}
