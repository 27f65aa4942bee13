//! Who commands, when, and with which of the headers that matter.

use chrono::{DateTime, Utc};
use events::{
    Metadata, Role,
    ids::{AccountId, AuthSessionId, TenantId},
    log::idempotency_id,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// What surrounds a command. It is data: a decision that needs the time takes it from here.
#[derive(Debug, Clone)]
pub struct Context {
    /// The organisation in which it is carried out.
    pub tenant_id: TenantId,
    /// Who asks; `None` for whoever did not sign in.
    pub actor: Option<Actor>,
    /// The organisation that they are of, where they act in another.
    pub actor_tenant_id: Option<TenantId>,
    /// When.
    pub now: DateTime<Utc>,
    /// One for all that follows from the request.
    pub correlation_id: Uuid,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Network address of the client.
    pub address: Option<String>,
    /// `User-Agent` of the client.
    pub agent: Option<String>,
    /// `Idempotency-Key`, where it was sent.
    pub idempotency: Option<IdempotencyKey>,
    /// `If-Match`, where it was sent: the version that the client has seen.
    pub if_match: Option<i64>,
    /// Where the command tells of what happened before, elsewhere.
    pub import: Option<Import>,
}

/// What marks an event as imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The system or data set that it comes from.
    pub source: String,
    /// When it happened there.
    pub occurred_at: DateTime<Utc>,
}

/// Somebody who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Their account.
    pub account_id: AccountId,
    /// In what role.
    pub role: Role,
    /// In which session.
    pub session_id: AuthSessionId,
}

/// What makes a repeated request known as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the client sent it.
    pub key: String,
    /// Keyed digest of the request, so that a key is not used for two.
    pub request_hash: [u8; 32],
}

impl Context {
    /// Nobody asks: the system itself does something that is due.
    pub const fn of_the_system(tenant_id: TenantId, now: DateTime<Utc>, correlation_id: Uuid) -> Self {
        Self {
            tenant_id,
            actor: None,
            actor_tenant_id: None,
            now,
            correlation_id,
            traceparent: None,
            address: None,
            agent: None,
            idempotency: None,
            if_match: None,
            import: None,
        }
    }

    /// Names the request, where it has a key.
    pub(super) fn idempotency_id(&self) -> Option<Uuid> {
        // Nil stands for whoever did not sign in.
        let actor_id = self.actor.map_or(Uuid::nil(), |actor| actor.account_id.as_uuid());
        self.idempotency.as_ref().map(|sent| idempotency_id(self.tenant_id, actor_id, &sent.key))
    }

    /// The organisation that whoever asks is of.
    pub fn home(&self) -> TenantId {
        self.actor_tenant_id.unwrap_or(self.tenant_id)
    }

    /// The same, carried out in another organisation.
    #[must_use]
    pub fn acting_in(self, tenant_id: TenantId) -> Self {
        let home = self.home();
        Self { tenant_id, actor_tenant_id: Some(home).filter(|home| *home != tenant_id), ..self }
    }

    /// What every event of the command carries in a tenant. Whoever comes from another is known by it.
    pub(super) fn metadata(&self, tenant_id: TenantId) -> Metadata {
        Metadata {
            actor_tenant_id: self.actor.map(|_| self.home()).filter(|home| *home != tenant_id),
            actor_id: self.actor.map(|actor| actor.account_id),
            actor_role: self.actor.map(|actor| actor.role),
            session_id: self.actor.map(|actor| actor.session_id),
            correlation_id: self.correlation_id,
            traceparent: self.traceparent.clone(),
            occurred_at: self.import.as_ref().map(|import| import.occurred_at),
            imported: self.import.as_ref().map(|import| import.source.clone()),
            ..Metadata::default()
        }
    }
}

/// The requests with a key that this process is carrying out, by their ids.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<Uuid>>>);

impl InFlight {
    /// Enters a request until the guard is dropped; `None` while the same one is being carried out.
    pub(super) fn enter(&self, request: Uuid) -> Option<InFlightGuard> {
        let entered = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request);
        entered.then(|| InFlightGuard { all: self.clone(), request })
    }
}

/// Takes the request out again, however it ends.
pub(super) struct InFlightGuard {
    all: InFlight,
    request: Uuid,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}
