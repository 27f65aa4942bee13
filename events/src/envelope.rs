//! What surrounds an event: where it stands, and who caused it.

use crate::{
    Event, Json, Role, canonical,
    cloud_event::Canonical,
    event::{CodecError, Encoded},
    ids::{AccountId, AuthSessionId, TenantId},
    log::LogError,
    personal::{self, SealError},
    upcast,
};
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeSet};
use uuid::Uuid;

/// Names one stream: what kind of thing, and which.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamRef {
    /// The aggregate's stream type, for example `account`.
    pub stream_type: Cow<'static, str>,
    /// The aggregate's id.
    pub id: Uuid,
}

impl std::fmt::Display for StreamRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.stream_type, self.id)
    }
}

/// Who and what caused an event. The network address and agent stand once, in the session that it names, or, where
/// somebody came without one, in the event itself. Its members are in the order of their names, as the log has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who caused it; absent where somebody unknown did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<AccountId>,
    /// In what role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_role: Option<Role>,
    /// The tenant that they are of, where they acted in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_tenant_id: Option<TenantId>,
    /// The event or command that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// One for all that follows from one request.
    pub correlation_id: Uuid,
    /// The source that it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
    /// When it happened, where that is not when it was recorded (imports).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<AuthSessionId>,
    /// W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// One row of the log, as it is stored: personal data sealed, the type name as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Place in the log: 1, 2, 3, … without a gap. Also the sequence in JetStream, and the leaf's index + 1.
    pub position: i64,
    /// UUIDv7.
    pub event_id: Uuid,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The stream that it belongs to.
    pub stream: StreamRef,
    /// Place in its stream: 1, 2, 3, …
    pub version: i64,
    /// Stored type name, for example `registrar.account.registered.v1`.
    pub event_type: String,
    /// The event's data, sealed.
    pub data: Json,
    /// [`Metadata`]; it holds no personal data.
    pub metadata: Json,
    /// When it was recorded, to the microsecond.
    pub recorded_at: DateTime<Utc>,
    /// `SHA-256(0x00 ‖ JCS(event))`: the leaf of RFC 6962 over the canonical JSON of RFC 8785; see [`Canonical`].
    pub leaf_hash: [u8; 32],
}

/// A recorded event with its content readable.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// As it is stored.
    pub recorded: Recorded,
    /// What happened, personal data open where their key is there.
    pub event: Event,
    /// Who caused it.
    pub metadata: Metadata,
    /// Whose personal data it holds.
    pub subjects: BTreeSet<AccountId>,
}

/// Where an event will stand, before it is recorded.
#[derive(Debug, Clone)]
pub struct Place {
    /// UUIDv7.
    pub event_id: Uuid,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The stream that it goes to.
    pub stream: StreamRef,
    /// Its place in that stream.
    pub version: i64,
    /// When it was decided; kept to the microsecond.
    pub recorded_at: DateTime<Utc>,
}

impl Place {
    /// Makes what will be recorded: sealed with `seal`, hashed, and at position 0 until it is appended.
    pub fn record(
        self,
        event: &Event,
        metadata: &Metadata,
        seal: impl FnOnce(&mut Value) -> Result<(), SealError>,
    ) -> Result<Canonical, LogError> {
        let Encoded { event_type, data } = event.encode()?;
        let data = if personal::may_be_in(&data) {
            let mut data = serde_json::from_str(&data).map_err(LogError::Canonical)?;
            seal(&mut data)?;
            canonical::of_value(&data)
        } else {
            canonical::of_written(&data)
        };
        let Self { event_id, tenant_id, stream, version, recorded_at } = self;
        let recorded = Recorded {
            position: 0,
            event_id,
            tenant_id,
            stream,
            version,
            event_type,
            data: data.map(Json::of_text).map_err(LogError::Canonical)?,
            metadata: Json::of(metadata).map_err(LogError::Canonical)?,
            // The log keeps microseconds; a hash over more could never be verified.
            recorded_at: recorded_at.trunc_subsecs(6),
            leaf_hash: [0; 32],
        };
        Canonical::hashed(recorded, metadata).map_err(LogError::Canonical)
    }
}

impl Recorded {
    /// Reads the content, in which are data of these people. `open` opens them in place, or leaves them sealed.
    pub(crate) fn decode(
        self,
        subjects: BTreeSet<AccountId>,
        open: impl Fn(&mut Value),
    ) -> Result<Decoded, (Self, CodecError)> {
        // Most events hold nothing that has to be opened, or lifted to today's shape.
        let event = if !subjects.is_empty() || upcast::is_outdated(&self.event_type) {
            let mut data = self.data.value();
            open(&mut data);
            Event::decode(&self.event_type, Cow::Owned(data))
        } else {
            Event::decode_text(&self.event_type, self.data.get())
        };
        let metadata = serde_json::from_str(self.metadata.get())
            .map_err(|source| CodecError::Shape { event_type: format!("metadata of {}", self.event_type), source });
        match (event, metadata) {
            (Ok(event), Ok(metadata)) => Ok(Decoded { recorded: self, event, metadata, subjects }),
            (Err(error), _) | (_, Err(error)) => Err((self, error)),
        }
    }
}

#[cfg(test)]
impl Metadata {
    /// All that there are, but for `occurred_at`.
    pub(crate) fn with_all_but_time() -> Self {
        Self {
            actor_id: Some(AccountId::new(Uuid::from_u128(3))),
            actor_role: Some(Role::Superadmin),
            actor_tenant_id: Some(TenantId::new(Uuid::from_u128(4))),
            causation_id: Some(Uuid::from_u128(6)),
            correlation_id: Uuid::from_u128(5),
            imported: Some("\"older\" system".to_owned()),
            occurred_at: None,
            session_id: Some(AuthSessionId::new(Uuid::from_u128(8))),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }
    }
}
