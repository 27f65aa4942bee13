//! What may happen to an account: who may bring one into being, change it, and shut it out.
//!
//! Names and addresses come in checked and normalised (`identifier`), and are unique by claims that the handler makes.
//! Whether a password is good enough is decided in `domain/password`; its hash never passes through here.

pub mod identifier;

use crate::execute::{Actor, Context};
use chrono::{DateTime, Utc};
use events::{
    Personal, Role,
    account::{Account, AccountEvent, Origin, PasswordReason, Profile},
    ids::AccountId,
};
use identifier::{Email, Username};

/// Whether people may register themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RegistrationPolicy {
    /// Anyone may, and becomes a learner.
    Open,
    /// Only with an invitation.
    Invite,
    /// Nobody may: admins create the accounts.
    Closed,
}

/// What a new account says of its person.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account's id.
    pub account_id: AccountId,
    /// Address to log in with and to write to.
    pub email: Email,
    /// Name to log in with.
    pub username: Option<Username>,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
}

/// What a profile changes to; an absent field stays as it is, and `Some(None)` clears one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileChange {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// A few words of the person about themselves.
    pub bio: Option<Option<String>>,
    /// Where a picture is.
    pub avatar_url: Option<Option<String>>,
}

/// What somebody wants to do with an account.
#[derive(Debug, Clone)]
pub enum Command {
    /// Somebody makes an account for themselves.
    Register {
        /// Who.
        person: Person,
        /// Whether they may.
        policy: RegistrationPolicy,
    },
    /// An admin makes an account for somebody, with a temporary password.
    Create {
        /// For whom.
        person: Person,
        /// What the account may do.
        role: Role,
        /// Whether it may log in to the portal.
        portal_access: bool,
        /// The end of the temporary password.
        temporary_until: DateTime<Utc>,
    },
    /// The installation's first superadmin comes to be.
    Bootstrap {
        /// Who.
        person: Person,
    },
    /// Names, bio or picture change.
    UpdateProfile {
        /// Whose.
        account_id: AccountId,
        /// To what.
        change: ProfileChange,
    },
    /// The account's own person chooses a password.
    SetPassword,
    /// The account may no longer log in.
    Deactivate {
        /// Which.
        account_id: AccountId,
    },
    /// The account may log in again.
    Activate {
        /// Which.
        account_id: AccountId,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// People may not register themselves here.
    #[error("this organisation does not take registrations: ask an admin for an account")]
    RegistrationClosed,
    /// Another account has the address.
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    /// Another account has the user name.
    #[error("an account with this user name exists already")]
    UsernameTaken,
    /// There is a first superadmin.
    #[error("the first superadmin was created before: log in as they, or ask them for an account")]
    BootstrapDone,
    /// Accounts are created by those above them.
    #[error("only an admin may create accounts, and only of roles below their own")]
    RoleNotBelowOwn,
    /// A profile belongs to its person.
    #[error("a profile is changed by its own person, or by an admin of a role above theirs")]
    NotOwnNorAdmin,
    /// Accounts are shut out and let in by those above them.
    #[error("only an admin may do this, and only to accounts of roles below their own")]
    NotBelowOwn,
    /// Nobody shuts themselves out.
    #[error("your own account can only be deactivated by somebody else")]
    Oneself,
    /// It is shut out already.
    #[error("the account is deactivated already")]
    AlreadyInactive,
    /// It is let in already.
    #[error("the account is active already")]
    AlreadyActive,
    /// Who is shut out sets no password.
    #[error("the account is deactivated")]
    Inactive,
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
}

/// Decides what a command does to an account.
pub fn decide(state: &Account, context: &Context, command: Command) -> Result<Vec<AccountEvent>, Refusal> {
    let actor = context.actor.as_ref();
    match command {
        Command::Register { policy: RegistrationPolicy::Open, person } => Ok(come_to_be(
            context,
            person,
            Role::Learner,
            Origin::SelfRegistration,
            true,
            (PasswordReason::Registration, None),
        )),
        Command::Register { .. } => Err(Refusal::RegistrationClosed),
        Command::Create { person, role, portal_access, temporary_until } => {
            if !actor.is_some_and(|actor| actor.role.may_create(role)) {
                return Err(Refusal::RoleNotBelowOwn);
            }
            let password = (PasswordReason::Temporary, Some(temporary_until));
            Ok(come_to_be(context, person, role, Origin::Admin, portal_access, password))
        }
        Command::Bootstrap { person } => Ok(come_to_be(
            context,
            person,
            Role::Superadmin,
            Origin::Bootstrap,
            true,
            (PasswordReason::Registration, None),
        )),
        Command::UpdateProfile { account_id, change } => update_profile(state, actor, account_id, change),
        Command::SetPassword => match state {
            Account { profile: None, .. } => Err(Refusal::NotFound),
            Account { is_active: false, .. } => Err(Refusal::Inactive),
            _ => Ok(vec![AccountEvent::PasswordSet { reason: PasswordReason::Changed, temporary_until: None }]),
        },
        Command::Deactivate { account_id } => {
            check_above(state, actor, account_id)?;
            if state.is_active { Ok(vec![AccountEvent::Deactivated {}]) } else { Err(Refusal::AlreadyInactive) }
        }
        Command::Activate { account_id } => {
            check_above(state, actor, account_id)?;
            if state.is_active { Err(Refusal::AlreadyActive) } else { Ok(vec![AccountEvent::Activated {}]) }
        }
    }
}

fn come_to_be(
    context: &Context,
    person: Person,
    role: Role,
    origin: Origin,
    portal_access: bool,
    (reason, temporary_until): (PasswordReason, Option<DateTime<Utc>>),
) -> Vec<AccountEvent> {
    let own = |text: String| Personal::new(person.account_id, text);
    let registered = AccountEvent::Registered {
        account_id: person.account_id,
        email: own(person.email.as_str().to_owned()),
        username: person.username.map(|username| own(username.as_str().to_owned())),
        role,
        first_name: own(person.first_name),
        last_name: own(person.last_name),
        origin,
        portal_access,
        // Whoever comes in a session has them in its trail.
        address: context.address.clone().filter(|_| context.actor.is_none()).map(own),
        agent: context.agent.clone().filter(|_| context.actor.is_none()).map(own),
    };
    vec![registered, AccountEvent::PasswordSet { reason, temporary_until }]
}

/// A change to what already is changes nothing, and leaves no event.
fn update_profile(
    state: &Account,
    actor: Option<&Actor>,
    account_id: AccountId,
    change: ProfileChange,
) -> Result<Vec<AccountEvent>, Refusal> {
    // Who may not change others learns nothing about whether there are others.
    let actor = actor.filter(|actor| actor.account_id == account_id || actor.role.administers());
    let actor = actor.ok_or(Refusal::NotOwnNorAdmin)?;
    let before = state.profile.as_ref().ok_or(Refusal::NotFound)?;
    if actor.account_id != account_id && before.role >= actor.role {
        return Err(Refusal::NotOwnNorAdmin);
    }
    let mut after = before.clone();
    after.first_name = change.first_name.or(after.first_name);
    after.last_name = change.last_name.or(after.last_name);
    after.bio = change.bio.unwrap_or(after.bio);
    after.avatar_url = change.avatar_url.unwrap_or(after.avatar_url);
    if after == *before {
        return Ok(Vec::new());
    }
    let Profile { first_name, last_name, bio, avatar_url, .. } = after;
    let own = |text: String| Personal::new(account_id, text);
    Ok(vec![AccountEvent::ProfileUpdated {
        first_name: own(first_name.unwrap_or_default()),
        last_name: own(last_name.unwrap_or_default()),
        bio: bio.map(own),
        avatar_url: avatar_url.map(own),
    }])
}

/// An admin over accounts of lower roles, and never over oneself.
fn check_above(state: &Account, actor: Option<&Actor>, account_id: AccountId) -> Result<(), Refusal> {
    let actor = actor.filter(|actor| actor.role.administers()).ok_or(Refusal::NotBelowOwn)?;
    if actor.account_id == account_id {
        return Err(Refusal::Oneself);
    }
    let profile = state.profile.as_ref().ok_or(Refusal::NotFound)?;
    if profile.role < actor.role { Ok(()) } else { Err(Refusal::NotBelowOwn) }
}

#[cfg(test)]
mod tests;
