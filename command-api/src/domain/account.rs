//! What may happen to an account. Here: who may bring one into being. `profile` is what it says of its person,
//! `standing` what those above it may do to it.
//!
//! Names and addresses come in checked and normalised (`identifier`), and are unique by claims that the handler makes.
//! Whether a password is good enough is decided in `domain/password`; its hash never passes through here.

pub mod identifier;
mod profile;
mod standing;

pub use events::tenant::RegistrationPolicy;
pub use profile::ProfileChange;
pub use standing::Standing;

use crate::execute::Context;
use chrono::{DateTime, Utc};
use events::{
    Personal, Role,
    account::{Account, AccountEvent, Origin, PasswordReason},
    ids::AccountId,
};
use identifier::{Email, Username};

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
    /// Somebody makes an account for themselves who was invited to; `domain/invitation` decides whether they may.
    RegisterInvited {
        /// Who.
        person: Person,
        /// What the invitation gives.
        role: Role,
    },
    /// An admin brings somebody along in a list.
    Import {
        /// Whom.
        person: Person,
        /// What the account may do.
        role: Role,
        /// Whether it may log in to the portal.
        portal_access: bool,
        /// Whether the person brings a password along.
        has_password: bool,
    },
    /// The installation's first superadmin comes to be.
    Bootstrap {
        /// Who.
        person: Person,
    },
    /// What the account says of its person changes.
    UpdateProfile {
        /// Whose.
        account_id: AccountId,
        /// To what.
        change: ProfileChange,
    },
    /// The account's own person chooses a password.
    SetPassword,
    /// Somebody says that they forgot the account's password.
    ForgetPassword {
        /// Which account's.
        account_id: AccountId,
        /// The end of what they are sent.
        expires_at: DateTime<Utc>,
    },
    /// Somebody who can read the account's mail chooses a password.
    Recover,
    /// Too many log-ins have failed.
    Lock {
        /// How many.
        failures: u32,
        /// The end of the lock.
        until: DateTime<Utc>,
    },
    /// Somebody above does something to the account.
    Stand {
        /// To which.
        account_id: AccountId,
        /// What.
        standing: Standing,
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
    /// Roles are given by those above them.
    #[error("only an admin may give roles, and only those below their own")]
    RoleNotBelowOwn,
    /// A profile belongs to its person.
    #[error("a profile is changed by its own person, or by an admin of a role above theirs")]
    NotOwnNorAdmin,
    /// Accounts are shut out and let in by those above them.
    #[error("only an admin may do this, and only to accounts of roles below their own")]
    NotBelowOwn,
    /// Nobody shuts themselves out, and nobody lifts themselves up.
    #[error("nobody does this to their own account: somebody above has to")]
    Oneself,
    /// It is shut out already.
    #[error("the account is deactivated already")]
    AlreadyInactive,
    /// It is let in already.
    #[error("the account is active already")]
    AlreadyActive,
    /// It has the role already.
    #[error("the account has this role already")]
    AlreadyInRole,
    /// It has access already.
    #[error("the account has access to the portal already")]
    AlreadyGranted,
    /// It has no access already.
    #[error("the account has no access to the portal already")]
    AlreadyRevoked,
    /// Nothing turns its log-ins away.
    #[error("the account is not locked")]
    NotLocked,
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
            Some((PasswordReason::Registration, None)),
        )),
        Command::Register { .. } => Err(Refusal::RegistrationClosed),
        Command::RegisterInvited { person, role } => {
            let password = Some((PasswordReason::Registration, None));
            Ok(come_to_be(context, person, role, Origin::Invitation, true, password))
        }
        Command::Create { person, role, portal_access, temporary_until } => {
            if !actor.is_some_and(|actor| actor.role.may_create(role)) {
                return Err(Refusal::RoleNotBelowOwn);
            }
            let password = Some((PasswordReason::Temporary, Some(temporary_until)));
            Ok(come_to_be(context, person, role, Origin::Admin, portal_access, password))
        }
        Command::Import { person, role, portal_access, has_password } => {
            if !actor.is_some_and(|actor| actor.role.may_create(role)) {
                return Err(Refusal::RoleNotBelowOwn);
            }
            let password = has_password.then_some((PasswordReason::Imported, None));
            Ok(come_to_be(context, person, role, Origin::Import, portal_access, password))
        }
        Command::Bootstrap { person } => Ok(come_to_be(
            context,
            person,
            Role::Superadmin,
            Origin::Bootstrap,
            true,
            Some((PasswordReason::Registration, None)),
        )),
        Command::UpdateProfile { account_id, change } => profile::update(state, actor, account_id, change),
        Command::SetPassword => match state {
            Account { profile: None, .. } => Err(Refusal::NotFound),
            Account { is_active: false, .. } => Err(Refusal::Inactive),
            _ => Ok(vec![AccountEvent::PasswordSet { reason: PasswordReason::Changed, temporary_until: None }]),
        },
        Command::ForgetPassword { account_id, expires_at } => {
            let address = state.profile.as_ref().filter(|_| state.is_active).and_then(|profile| profile.email.as_ref());
            let own = |text: &String| Personal::new(account_id, text.clone());
            address.ok_or(Refusal::NotFound).map(|_| {
                let (address, agent) = (context.address.as_ref().map(own), context.agent.as_ref().map(own));
                vec![AccountEvent::PasswordResetRequested { expires_at, address, agent }]
            })
        }
        Command::Recover => match state {
            Account { profile: None, .. } => Err(Refusal::NotFound),
            Account { is_active: false, .. } => Err(Refusal::Inactive),
            _ => Ok(vec![AccountEvent::PasswordSet { reason: PasswordReason::Forgotten, temporary_until: None }]),
        },
        Command::Lock { failures, until } => {
            let is_of_use = state.profile.is_some() && state.is_active && !state.is_locked(context.now);
            Ok(if is_of_use { vec![AccountEvent::Locked { failures, until }] } else { Vec::new() })
        }
        Command::Stand { account_id, standing } => standing::decide(state, context, account_id, standing),
    }
}

fn come_to_be(
    context: &Context,
    person: Person,
    role: Role,
    origin: Origin,
    portal_access: bool,
    password: Option<(PasswordReason, Option<DateTime<Utc>>)>,
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
    let password_set = |(reason, temporary_until)| AccountEvent::PasswordSet { reason, temporary_until };
    std::iter::once(registered).chain(password.map(password_set)).collect()
}

#[cfg(test)]
mod tests;
