//! An invitation: an address, the role that its person will have, and an end. Its token is not here: a digest of it is
//! claimed in a table that commits with the event.

use crate::{
    Aggregate, Event, Personal, Role,
    ids::{AccountId, InvitationId},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to an invitation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum InvitationEvent {
    /// Somebody was invited.
    #[serde(rename = "registrar.invitation.issued.v1")]
    Issued {
        /// The id that their account will have, also the subject of their personal data.
        account_id: AccountId,
        /// Where they are invited, normalised.
        email: Personal<String>,
        /// What their account will be able to do.
        role: Role,
        /// Who invites.
        invited_by: AccountId,
        /// When it is worth nothing any more.
        expires_at: DateTime<Utc>,
    },
    /// They came; their account begins in the same moment.
    #[serde(rename = "registrar.invitation.accepted.v1")]
    Accepted {
        /// Their account.
        account_id: AccountId,
    },
    /// It was taken back.
    #[serde(rename = "registrar.invitation.revoked.v1")]
    Revoked {},
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its person came.
    Accepted,
    /// It was taken back.
    Revoked,
}

/// What an invitation says.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The id that the account will have.
    pub account_id: AccountId,
    /// Who is invited; `None` once the person was erased.
    pub email: Option<String>,
    /// What the account will be able to do.
    pub role: Role,
    /// When it is worth nothing any more.
    pub expires_at: DateTime<Utc>,
}

/// An invitation as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invitation {
    /// `None` until it is issued.
    pub terms: Option<Terms>,
    /// What became of it, once something did.
    pub fate: Option<Fate>,
}

impl Aggregate for Invitation {
    const STREAM_TYPE: &'static str = "invitation";
    type Id = InvitationId;
    type Event = InvitationEvent;

    fn evolve(&mut self, event: &InvitationEvent) {
        match event {
            InvitationEvent::Issued { account_id, email, role, expires_at, .. } => {
                let (account_id, role, expires_at) = (*account_id, *role, *expires_at);
                self.terms = Some(Terms { account_id, email: email.known().cloned(), role, expires_at });
            }
            InvitationEvent::Accepted { .. } => self.fate = Some(Fate::Accepted),
            InvitationEvent::Revoked {} => self.fate = Some(Fate::Revoked),
        }
    }

    fn own(event: Event) -> Option<InvitationEvent> {
        if let Event::Invitation(event) = event { Some(event) } else { None }
    }
}
