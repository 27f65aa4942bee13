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
            AccountEvent::PasswordSet { temporary_until, .. } => self.temporary_until = *temporary_until,
            AccountEvent::Deactivated {} => self.is_active = false,
            AccountEvent::Activated {} => self.is_active = true,
        }
    }

    fn own(event: Event) -> Option<AccountEvent> {
        if let Event::Account(event) = event { Some(event) } else { None }
    }
}
