//! One log-in from its start to its end: the trail behind every token. Token hashes live in a table of their own.

use crate::{
    Aggregate, Event, Personal,
    ids::{AccountId, AuthSessionId},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum AuthSessionEvent {
    /// Somebody logged in.
    #[serde(rename = "registrar.auth_session.started.v1")]
    Started {
        /// Whose session it is.
        account_id: AccountId,
        /// What its tokens admit to.
        scope: SessionScope,
        /// When it ends by itself, unless refreshed.
        expires_at: DateTime<Utc>,
        /// Network address of the client.
        address: Option<Personal<String>>,
        /// What the client says it is (`User-Agent`).
        agent: Option<Personal<String>>,
    },
    /// Its refresh token was exchanged for the next one.
    #[serde(rename = "registrar.auth_session.refreshed.v1")]
    Refreshed {
        /// When it ends by itself, unless refreshed again.
        expires_at: DateTime<Utc>,
    },
    /// It is over.
    #[serde(rename = "registrar.auth_session.ended.v1")]
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// Somebody who administers the account ended it.
    #[serde(rename = "registrar.auth_session.revoked.v1")]
    Revoked {},
    /// Nobody refreshed it in time. It is recorded some time after it happened, and nothing could be done in between.
    #[serde(rename = "registrar.auth_session.expired.v1")]
    Expired {},
}

/// What a session's tokens admit to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionScope {
    /// All that the role may do.
    Full,
    /// Choosing a password, and nothing else.
    SetPassword,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its owner logged out.
    LoggedOut,
    /// Its owner ended it from another session.
    EndedByOwner,
    /// A refresh token that had been used before was presented again: a sign of theft (RFC 9700, section 4.14).
    RefreshTokenReused,
    /// The account's password changed.
    PasswordChanged,
    /// The account's password was forgotten, and another one set.
    PasswordReset,
    /// The account was deactivated.
    AccountDeactivated,
    /// The account's role changed: its tokens spoke of the one before.
    RoleChanged,
    /// The account may no longer log in to the portal.
    PortalAccessRevoked,
}

impl EndReason {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::EndedByOwner => "ended_by_owner",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::AccountDeactivated => "account_deactivated",
            Self::RoleChanged => "role_changed",
            Self::PortalAccessRevoked => "portal_access_revoked",
        }
    }
}

/// A session as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuthSession {
    /// Whose it is; `None` until it is started.
    pub account_id: Option<AccountId>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it was ended, or found to have expired.
    pub has_ended: bool,
}

impl AuthSession {
    /// Whether its tokens are still worth something at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        !self.has_ended && self.expires_at.is_some_and(|end| now < end)
    }
}

impl Aggregate for AuthSession {
    const STREAM_TYPE: &'static str = "auth_session";
    type Id = AuthSessionId;
    type Event = AuthSessionEvent;

    fn evolve(&mut self, event: &AuthSessionEvent) {
        match event {
            AuthSessionEvent::Started { account_id, expires_at, .. } => {
                self.account_id = Some(*account_id);
                self.expires_at = Some(*expires_at);
            }
            AuthSessionEvent::Refreshed { expires_at } => self.expires_at = Some(*expires_at),
            AuthSessionEvent::Ended { .. } | AuthSessionEvent::Revoked {} | AuthSessionEvent::Expired {} => {
                self.has_ended = true;
            }
        }
    }

    fn own(event: Event) -> Option<AuthSessionEvent> {
        if let Event::AuthSession(event) = event { Some(event) } else { None }
    }
}
