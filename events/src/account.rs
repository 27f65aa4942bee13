//! A person's account: who they are, what they may do, and whether they may come in.
//!
//! Passwords are not here: an event says *that* one was set, the hash lives in a table that commits with the event.

use crate::{Aggregate, Event, Personal, Role, ids::AccountId};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum AccountEvent {
    /// The account came to be.
    #[serde(rename = "registrar.account.registered.v1")]
    Registered {
        /// The account's own id, also the subject of its personal data.
        account_id: AccountId,
        /// Address to log in with and to write to, normalised.
        email: Personal<String>,
        /// Name to log in with, normalised.
        username: Option<Personal<String>>,
        /// What the account may do.
        role: Role,
        /// Given name.
        first_name: Personal<String>,
        /// Family name.
        last_name: Personal<String>,
        /// Who caused it to exist.
        origin: Origin,
        /// Whether it may log in to the portal.
        portal_access: bool,
        /// Network address of a client that registered without a session.
        address: Option<Personal<String>>,
        /// What that client says it is (`User-Agent`).
        agent: Option<Personal<String>>,
    },
    /// Names, bio or picture changed; the event carries the whole profile as it then was.
    #[serde(rename = "registrar.account.profile_updated.v1")]
    ProfileUpdated {
        /// Given name.
        first_name: Personal<String>,
        /// Family name.
        last_name: Personal<String>,
        /// A few words of the person about themselves.
        bio: Option<Personal<String>>,
        /// Where a picture is.
        avatar_url: Option<Personal<String>>,
    },
    /// A password was set; it is not told which.
    #[serde(rename = "registrar.account.password_set.v1")]
    PasswordSet {
        /// Why it was set.
        reason: PasswordReason,
        /// A temporary password admits only to setting another one, and only until then.
        temporary_until: Option<DateTime<Utc>>,
    },
    /// The account may no longer log in.
    #[serde(rename = "registrar.account.deactivated.v1")]
    Deactivated {},
    /// The account may log in again.
    #[serde(rename = "registrar.account.activated.v1")]
    Activated {},
    /// What the account may do changed.
    #[serde(rename = "registrar.account.role_changed.v1")]
    RoleChanged {
        /// What it could do before.
        before: Role,
        /// What it can do from now on.
        after: Role,
    },
    /// Whether the account may log in to the portal changed.
    #[serde(rename = "registrar.account.portal_access_changed.v1")]
    PortalAccessChanged {
        /// Whether it could before.
        before: bool,
        /// Whether it can from now on.
        after: bool,
    },
    /// The address to log in with and to write to changed.
    #[serde(rename = "registrar.account.email_changed.v1")]
    EmailChanged {
        /// The new address, normalised.
        email: Personal<String>,
    },
    /// The name to log in with changed, or was given up.
    #[serde(rename = "registrar.account.username_changed.v1")]
    UsernameChanged {
        /// The new name, normalised.
        username: Option<Personal<String>>,
    },
    /// Too many log-ins failed: for a while, none is let through.
    #[serde(rename = "registrar.account.locked.v1")]
    Locked {
        /// How many failed in a row.
        failures: u32,
        /// When the lock opens by itself.
        until: DateTime<Utc>,
    },
    /// Somebody said that they forgot the password, and was sent a token that sets another one.
    #[serde(rename = "registrar.account.password_reset_requested.v1")]
    PasswordResetRequested {
        /// The token's end.
        expires_at: DateTime<Utc>,
        /// Network address of the client.
        address: Option<Personal<String>>,
        /// What the client says it is (`User-Agent`).
        agent: Option<Personal<String>>,
    },
    /// The lock was opened before its time.
    #[serde(rename = "registrar.account.unlocked.v1")]
    Unlocked {},
}

/// Who caused an account to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The person themselves.
    SelfRegistration,
    /// An admin.
    Admin,
    /// The installation's first superadmin.
    Bootstrap,
    /// The person themselves, whom an admin had invited.
    Invitation,
    /// An import, from a list of people or from another system.
    Import,
}

/// Why a password was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordReason {
    /// Chosen at registration.
    Registration,
    /// Generated for an account that somebody else created.
    Temporary,
    /// Chosen by the person in place of another one.
    Changed,
    /// Generated by somebody else in place of another one.
    ResetByAdmin,
    /// Chosen by the person in place of a forgotten one.
    Forgotten,
    /// Brought along from another system, as its hash.
    Imported,
}

/// An account as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// `None` until it is registered.
    pub profile: Option<Profile>,
    /// Whether it may log in.
    pub is_active: bool,
    /// Whether it may log in to the portal.
    pub portal_access: bool,
    /// The end of the temporary password, where it has one.
    pub temporary_until: Option<DateTime<Utc>>,
    /// Until when log-ins are turned away, where too many have failed.
    pub locked_until: Option<DateTime<Utc>>,
}

/// The personal part of an account; texts are `None` once the person was erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What the account may do.
    pub role: Role,
    /// Address, normalised.
    pub email: Option<String>,
    /// Name to log in with.
    pub username: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Bio.
    pub bio: Option<String>,
    /// Picture.
    pub avatar_url: Option<String>,
}

impl Account {
    /// Whether the person has to choose a password before anything else.
    pub const fn must_set_password(&self) -> bool {
        self.temporary_until.is_some()
    }

    /// Whether log-ins are turned away at `now` because too many have failed.
    pub fn is_locked(&self, now: DateTime<Utc>) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }
}

impl Aggregate for Account {
    const STREAM_TYPE: &'static str = "account";
    type Id = AccountId;
    type Event = AccountEvent;

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Registered { email, username, role, first_name, last_name, portal_access, .. } => {
                self.profile = Some(Profile {
                    role: *role,
                    email: email.known().cloned(),
                    username: username.as_ref().and_then(Personal::known).cloned(),
                    first_name: first_name.known().cloned(),
                    last_name: last_name.known().cloned(),
                    bio: None,
                    avatar_url: None,
                });
                self.is_active = true;
                self.portal_access = *portal_access;
            }
            AccountEvent::ProfileUpdated { first_name, last_name, bio, avatar_url } => {
                if let Some(profile) = &mut self.profile {
                    profile.first_name = first_name.known().cloned();
                    profile.last_name = last_name.known().cloned();
                    profile.bio = bio.as_ref().and_then(Personal::known).cloned();
                    profile.avatar_url = avatar_url.as_ref().and_then(Personal::known).cloned();
                }
            }
            AccountEvent::PasswordSet { temporary_until, .. } => {
                self.temporary_until = *temporary_until;
                // What was guessed at is not the password any more.
                self.locked_until = None;
            }
            AccountEvent::Deactivated {} => self.is_active = false,
            AccountEvent::Activated {} => self.is_active = true,
            AccountEvent::RoleChanged { after, .. } => {
                if let Some(profile) = &mut self.profile {
                    profile.role = *after;
                }
            }
            AccountEvent::PortalAccessChanged { after, .. } => self.portal_access = *after,
            AccountEvent::EmailChanged { email } => {
                if let Some(profile) = &mut self.profile {
                    profile.email = email.known().cloned();
                }
            }
            AccountEvent::UsernameChanged { username } => {
                if let Some(profile) = &mut self.profile {
                    profile.username = username.as_ref().and_then(Personal::known).cloned();
                }
            }
            AccountEvent::Locked { until, .. } => self.locked_until = Some(*until),
            AccountEvent::Unlocked {} => self.locked_until = None,
            AccountEvent::PasswordResetRequested { .. } => {}
        }
    }

    fn own(event: Event) -> Option<AccountEvent> {
        if let Event::Account(event) = event { Some(event) } else { None }
    }
}
