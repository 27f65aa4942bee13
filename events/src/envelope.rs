//! What surrounds an event: where it stands, who caused it, and its form as a CloudEvent (CloudEvents 1.0, JSON format).

use crate::{
    Event, Role,
    event::{CodecError, Encoded},
    ids::{AccountId, AuthSessionId, TenantId},
    log::LogError,
    personal::SealError,
};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
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
/// somebody came without one, in the event itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who caused it; absent where somebody unknown did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<AccountId>,
    /// In what role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_role: Option<Role>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<AuthSessionId>,
    /// One for all that follows from one request.
    pub correlation_id: Uuid,
    /// The event or command that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it happened, where that is not when it was recorded (imports).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// The source that it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
}

/// Members of [`Metadata`] and the CloudEvents attributes that they become (names there have no underscores).
pub(crate) const EXTENSIONS: [(&str, &str); 8] = [
    ("actor_id", "actorid"),
    ("actor_role", "actorrole"),
    ("session_id", "sessionid"),
    ("correlation_id", "correlationid"),
    ("causation_id", "causationid"),
    ("traceparent", "traceparent"),
    ("imported", "imported"),
    ("occurred_at", "time"),
];

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
    pub data: Value,
    /// [`Metadata`]; it holds no personal data.
    pub metadata: Value,
    /// When it was recorded, to the microsecond.
    pub recorded_at: DateTime<Utc>,
    /// See [`leaf_hash`].
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
    ) -> Result<Recorded, LogError> {
        let Encoded { event_type, mut data } = event.encode()?;
        let metadata = serde_json::to_value(metadata)
            .map_err(|source| CodecError::Shape { event_type: format!("metadata of {event_type}"), source })?;
        seal(&mut data)?;
        let Self { event_id, tenant_id, stream, version, recorded_at } = self;
        let mut recorded = Recorded {
            position: 0,
            event_id,
            tenant_id,
            stream,
            version,
            event_type,
            data,
            metadata,
            // The log keeps microseconds; a hash over more could never be verified.
            recorded_at: recorded_at.trunc_subsecs(6),
            leaf_hash: [0; 32],
        };
        recorded.leaf_hash = leaf_hash(&recorded.cloud_event()).map_err(LogError::Canonical)?;
        Ok(recorded)
    }
}

impl Recorded {
    /// The event as CloudEvents JSON. It holds all that is known of the event but its position, which is its place in
    /// the log and in the tree.
    pub fn cloud_event(&self) -> Value {
        let mut event = Map::new();
        let mut set = |name: &str, value: Value| {
            event.insert(name.to_owned(), value);
        };
        set("specversion", "1.0".into());
        set("id", self.event_id.to_string().into());
        set("source", format!("/tenants/{}", self.tenant_id).into());
        set("type", self.event_type.clone().into());
        set("subject", self.stream.to_string().into());
        set("recordedtime", timestamp(self.recorded_at).into());
        set("datacontenttype", "application/json".into());
        set("tenantid", self.tenant_id.to_string().into());
        set("streamtype", self.stream.stream_type.clone().into());
        set("streamid", self.stream.id.to_string().into());
        set("streamversion", self.version.into());
        set("data", self.data.clone());
        set("time", timestamp(self.recorded_at).into());
        for (member, attribute) in EXTENSIONS {
            if let Some(value) = self.metadata.get(member) {
                set(attribute, value.clone());
            }
        }
        Value::Object(event)
    }

    /// Whether the stored hash is that of the stored content.
    pub fn is_intact(&self) -> bool {
        leaf_hash(&self.cloud_event()).is_ok_and(|hash| hash == self.leaf_hash)
    }

    /// Reads the content. `open` opens personal data in place, or leaves them sealed.
    pub fn decode(self, open: impl Fn(&mut Value)) -> Result<Decoded, (Self, CodecError)> {
        let mut data = self.data.clone();
        open(&mut data);
        let metadata = Metadata::deserialize(&self.metadata)
            .map_err(|source| CodecError::Shape { event_type: format!("metadata of {}", self.event_type), source });
        match (Event::decode(&self.event_type, data), metadata) {
            (Ok(event), Ok(metadata)) => Ok(Decoded { recorded: self, event, metadata }),
            (Err(error), _) | (_, Err(error)) => Err((self, error)),
        }
    }
}

/// `SHA-256(0x00 ‖ JCS(event))`: the leaf of RFC 6962 over the canonical JSON of RFC 8785. `event` is CloudEvents JSON
/// as [`Recorded::cloud_event`] makes it.
pub fn leaf_hash(event: &Value) -> Result<[u8; 32], serde_json::Error> {
    let canonical = serde_json_canonicalizer::to_vec(event)?;
    Ok(Sha256::new().chain_update([0]).chain_update(canonical).finalize().into())
}

/// RFC 3339 in UTC with microseconds, the resolution of the log.
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// One line of a feed of events: the CloudEvents JSON with its position beside it.
pub fn feed_line(recorded: &Recorded) -> Value {
    let mut line = recorded.cloud_event();
    line["position"] = json!(recorded.position);
    line
}
