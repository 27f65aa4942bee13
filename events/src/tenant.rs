//! A tenant: the organisation that a stream belongs to. Its own stream belongs to itself, so that its history is told
//! to its own auditors.

use crate::{Aggregate, Event, ids::TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, str::FromStr};
use uuid::Uuid;

/// The tenant of an installation that serves one organisation; it is always there.
pub const DEFAULT_TENANT: TenantId = TenantId::new(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

/// The name by which requests choose [`DEFAULT_TENANT`].
pub const DEFAULT_SLUG: &str = "default";

/// Where the names of tenants are claimed, once for the whole installation.
pub const SLUG_SCOPE: &str = "tenant-slug";

/// Where it is claimed, once for the whole installation, that there is a first superadmin.
pub const BOOTSTRAP_SCOPE: &str = "bootstrap";

/// What is claimed there.
pub const BOOTSTRAP_NAME: &str = "first superadmin";

/// Stands for the whole installation where a tenant is asked for.
pub const INSTALLATION: TenantId = TenantId::new(Uuid::nil());

/// Whether people may register themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationPolicy {
    /// Anyone may, and becomes a learner.
    Open,
    /// Only with an invitation.
    Invite,
    /// Nobody may: admins create the accounts.
    #[default]
    Closed,
}

/// The text names no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy; use open, invite or closed")]
pub struct UnknownPolicy;

impl RegistrationPolicy {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for RegistrationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RegistrationPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        [Self::Open, Self::Invite, Self::Closed].into_iter().find(|it| it.as_str() == text).ok_or(UnknownPolicy)
    }
}

/// What a tenant says of itself, and how it goes about things.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantDetails {
    /// Name, as it is shown.
    pub name: String,
    /// Whether people may register themselves.
    pub registration: RegistrationPolicy,
    /// What frontends keep for the organisation: colours, languages, switches. No personal data.
    pub settings: BTreeMap<String, Value>,
}

/// What can happen to a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum TenantEvent {
    /// The organisation came to be.
    #[serde(rename = "registrar.tenant.created.v1")]
    Created {
        /// The name by which requests choose it; it never changes.
        slug: String,
        /// What it says of itself.
        #[serde(flatten)]
        details: TenantDetails,
    },
    /// What it says of itself, or how it goes about things, changed.
    #[serde(rename = "registrar.tenant.updated.v1")]
    Updated {
        /// As it was.
        before: TenantDetails,
        /// As it is.
        after: TenantDetails,
    },
}

/// A tenant as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tenant {
    /// The name by which requests choose it; `None` until it is created.
    pub slug: Option<String>,
    /// What it says of itself.
    pub details: TenantDetails,
}

impl Aggregate for Tenant {
    const STREAM_TYPE: &'static str = "tenant";
    type Id = TenantId;
    type Event = TenantEvent;

    fn evolve(&mut self, event: &TenantEvent) {
        match event {
            TenantEvent::Created { slug, details } => {
                *self = Self { slug: Some(slug.clone()), details: details.clone() };
            }
            TenantEvent::Updated { after, .. } => self.details.clone_from(after),
        }
    }

    fn own(event: Event) -> Option<TenantEvent> {
        if let Event::Tenant(event) = event { Some(event) } else { None }
    }
}
