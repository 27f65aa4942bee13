//! What surrounds an event: where it stands, who caused it, and its form as a CloudEvent (CloudEvents 1.0, JSON format).

use crate::{
    Event, Json, Role,
    event::{CodecError, Encoded},
    ids::{AccountId, AuthSessionId, TenantId},
    json::Members,
    log::LogError,
    personal::SealError,
    upcast,
};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
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
    ) -> Result<Recorded, LogError> {
        let Encoded { event_type, mut data } = event.encode()?;
        seal(&mut data)?;
        let mut canonical = Vec::with_capacity(256);
        write_canonical(&data, &mut canonical).map_err(LogError::Canonical)?;
        let canonical = String::from_utf8(canonical).map_err(serde::ser::Error::custom);
        let Self { event_id, tenant_id, stream, version, recorded_at } = self;
        let mut recorded = Recorded {
            position: 0,
            event_id,
            tenant_id,
            stream,
            version,
            event_type,
            data: canonical.map(Json::of_text).map_err(LogError::Canonical)?,
            metadata: Json::of(metadata).map_err(LogError::Canonical)?,
            // The log keeps microseconds; a hash over more could never be verified.
            recorded_at: recorded_at.trunc_subsecs(6),
            leaf_hash: [0; 32],
        };
        let hash = if metadata.occurred_at.is_none() {
            // What is at hand need not be read back.
            recorded.hash(|name| metadata.member(name), recorded.data.get())
        } else {
            recorded.stored_hash(recorded.data.get())
        };
        recorded.leaf_hash = hash.map_err(LogError::Canonical)?;
        Ok(recorded)
    }
}

impl Metadata {
    /// A member as it stands in the stored text, but for `occurred_at`, whose text is serde's affair.
    fn member(&self, name: &str) -> Option<Member<'_>> {
        match name {
            "actor_id" => self.actor_id.map(|id| Member::Id(id.as_uuid())),
            "actor_role" => self.actor_role.map(|role| Member::Text(role.as_str().into())),
            "actor_tenant_id" => self.actor_tenant_id.map(|id| Member::Id(id.as_uuid())),
            "causation_id" => self.causation_id.map(Member::Id),
            "correlation_id" => Some(Member::Id(self.correlation_id)),
            "imported" => self.imported.as_deref().map(|source| Member::Text(source.into())),
            "session_id" => self.session_id.map(|id| Member::Id(id.as_uuid())),
            "traceparent" => self.traceparent.as_deref().map(|trace| Member::Text(trace.into())),
            _ => None,
        }
    }
}

impl Members<'_> {
    /// A member of an event's metadata, as it stands in the stored text.
    pub(crate) fn member(&self, name: &str) -> Option<Member<'_>> {
        match self {
            Members::Texts(texts) => texts.get(name).map(|text| Member::Text((*text).into())),
            Members::Values(values) => values.get(name).map(|value| match value.as_str() {
                Some(text) => Member::Text(text.into()),
                None => Member::Json(value),
            }),
        }
    }
}

/// One member of an event's CloudEvents JSON.
#[derive(Debug, Clone)]
pub(crate) enum Member<'a> {
    Text(Cow<'a, str>),
    Id(Uuid),
    Number(i64),
    Json(&'a Value),
    /// The event's own.
    Data,
}

impl Recorded {
    /// The attributes and extensions of the event as a CloudEvent, and its data, in the order of their names, each name
    /// as a header has it; JSON has it without `ce-`. Names there have no underscores. It is all that is known of the event
    /// but its position, which is its place in the log and in the tree. `caused` finds a member of the event's own metadata.
    pub(crate) fn members<'a>(
        &'a self,
        caused: impl Fn(&str) -> Option<Member<'a>>,
    ) -> impl Iterator<Item = (&'static str, Member<'a>)> {
        let text = |text: &'a str| Some(Member::Text(text.into()));
        let made = |parts: &[&str]| Some(Member::Text(parts.concat().into()));
        let recorded_at = timestamp(self.recorded_at);
        let (mut stream_id, mut tenant_id) = (Uuid::encode_buffer(), Uuid::encode_buffer());
        let stream_id: &str = self.stream.id.hyphenated().encode_lower(&mut stream_id);
        let tenant_id: &str = self.tenant_id.as_uuid().hyphenated().encode_lower(&mut tenant_id);
        let members = [
            ("ce-actorid", caused("actor_id")),
            ("ce-actorrole", caused("actor_role")),
            ("ce-actortenantid", caused("actor_tenant_id")),
            ("ce-causationid", caused("causation_id")),
            ("ce-correlationid", caused("correlation_id")),
            ("ce-data", Some(Member::Data)),
            ("ce-datacontenttype", text("application/json")),
            ("ce-id", Some(Member::Id(self.event_id))),
            ("ce-imported", caused("imported")),
            ("ce-recordedtime", made(&[&recorded_at])),
            ("ce-sessionid", caused("session_id")),
            ("ce-source", made(&["/tenants/", tenant_id])),
            ("ce-specversion", text("1.0")),
            ("ce-streamid", Some(Member::Id(self.stream.id))),
            ("ce-streamtype", text(&self.stream.stream_type)),
            ("ce-streamversion", Some(Member::Number(self.version))),
            ("ce-subject", made(&[&self.stream.stream_type, "/", stream_id])),
            ("ce-tenantid", Some(Member::Id(self.tenant_id.as_uuid()))),
            ("ce-time", caused("occurred_at").or_else(|| made(&[&recorded_at]))),
            ("ce-traceparent", caused("traceparent")),
            ("ce-type", text(&self.event_type)),
        ];
        members.into_iter().filter_map(|(name, member)| Some((name, member?)))
    }

    /// The event as CloudEvents JSON.
    pub fn cloud_event(&self) -> Value {
        let metadata = self.metadata.members();
        let members = self.members(|name| metadata.member(name)).map(|(name, member)| {
            let value = match member {
                Member::Text(text) => text.into(),
                Member::Id(id) => id.to_string().into(),
                Member::Number(number) => number.into(),
                Member::Json(json) => json.clone(),
                Member::Data => self.data.value(),
            };
            (json_name(name).to_owned(), value)
        });
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// What [`leaf_hash`] makes of the event, without building its JSON. `caused` finds a member of its own metadata; `data`
    /// are its own in canonical form.
    fn hash<'a>(
        &'a self,
        caused: impl Fn(&str) -> Option<Member<'a>>,
        data: &str,
    ) -> Result<[u8; 32], serde_json::Error> {
        let mut canonical = Vec::with_capacity(1024);
        canonical.extend_from_slice(b"\0{");
        for (place, (name, member)) in self.members(caused).enumerate() {
            if place > 0 {
                canonical.push(b',');
            }
            // The names need no escapes, and serde_json writes a text as RFC 8785 does.
            canonical.extend_from_slice(b"\"");
            canonical.extend_from_slice(json_name(name).as_bytes());
            canonical.extend_from_slice(b"\":");
            match member {
                Member::Text(text) => serde_json::to_writer(&mut canonical, &text)?,
                Member::Id(id) => serde_json::to_writer(&mut canonical, &id)?,
                Member::Number(number) => canonical.extend_from_slice(number.to_string().as_bytes()),
                Member::Json(json) => write_canonical(json, &mut canonical)?,
                Member::Data => canonical.extend_from_slice(data.as_bytes()),
            }
        }
        canonical.push(b'}');
        Ok(Sha256::digest(canonical).into())
    }

    /// The same by the metadata as they are stored.
    fn stored_hash(&self, data: &str) -> Result<[u8; 32], serde_json::Error> {
        let metadata = self.metadata.members();
        self.hash(|name| metadata.member(name), data)
    }

    fn own_leaf_hash(&self) -> Result<[u8; 32], serde_json::Error> {
        let mut data = Vec::new();
        write_canonical(&self.data.value(), &mut data)?;
        let data = String::from_utf8(data).map_err(serde::ser::Error::custom)?;
        self.stored_hash(&data)
    }

    /// The stored hash in hexadecimal.
    pub fn leaf_hash_hex(&self) -> String {
        hex(&self.leaf_hash)
    }

    /// Whether the stored hash is that of the stored content.
    pub fn is_intact(&self) -> bool {
        self.own_leaf_hash().is_ok_and(|hash| hash == self.leaf_hash)
    }

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

/// `SHA-256(0x00 ‖ JCS(event))`: the leaf of RFC 6962 over the canonical JSON of RFC 8785. `event` is CloudEvents JSON
/// as [`Recorded::cloud_event`] makes it.
pub fn leaf_hash(event: &Value) -> Result<[u8; 32], serde_json::Error> {
    let canonical = serde_json_canonicalizer::to_vec(event)?;
    Ok(Sha256::new().chain_update([0]).chain_update(canonical).finalize().into())
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

/// A header's name without what marks it as an attribute.
fn json_name(name: &'static str) -> &'static str {
    name.strip_prefix("ce-").unwrap_or(name)
}

/// Writes the canonical form. Members are sorted by their names already; for names in ASCII that is the order of RFC
/// 8785. Whatever is less plain than most events are is left to the library.
fn write_canonical(json: &Value, canonical: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match json {
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(canonical, json),
        Value::Number(number) if number.as_i64().is_some_and(|number| number.unsigned_abs() < 1 << 53) => {
            serde_json::to_writer(canonical, json)
        }
        Value::Object(members) if members.keys().all(|name| name.is_ascii()) => {
            canonical.push(b'{');
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 {
                    canonical.push(b',');
                }
                serde_json::to_writer(&mut *canonical, name)?;
                canonical.push(b':');
                write_canonical(value, canonical)?;
            }
            canonical.push(b'}');
            Ok(())
        }
        Value::Array(items) => {
            canonical.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    canonical.push(b',');
                }
                write_canonical(item, canonical)?;
            }
            canonical.push(b']');
            Ok(())
        }
        Value::Number(_) | Value::Object(_) => {
            canonical.append(&mut serde_json_canonicalizer::to_vec(json)?);
            Ok(())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::DEFAULT_TENANT;

    #[test]
    fn what_is_recorded_is_hashed_as_it_is_stored() {
        let all = || Metadata {
            imported: Some("\"older\" \u{1f600}\u{1} system".to_owned()),
            ..Metadata::with_all_but_time()
        };
        let event =
            Event::Category(crate::category::CategoryEvent::Created { name: "x".to_owned(), description: None });
        for metadata in [all(), Metadata::default(), Metadata { occurred_at: DateTime::from_timestamp(1, 5), ..all() }]
        {
            let place = Place {
                event_id: Uuid::from_u128(1),
                tenant_id: DEFAULT_TENANT,
                stream: StreamRef { stream_type: "category".into(), id: Uuid::from_u128(2) },
                version: 1,
                recorded_at: DateTime::UNIX_EPOCH,
            };
            let recorded = place.record(&event, &metadata, |_| Ok(())).unwrap();
            assert!(recorded.is_intact(), "{metadata:?}");
        }
    }

    #[test]
    fn the_hash_that_is_stored_is_that_of_the_published_form() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap_or_default();
        let awkward = "\u{1f600} \"quoted\" \\ \n\u{7f}\u{1}/\u{e000}";
        let recorded = |metadata: Value| Recorded {
            position: 7,
            event_id: Uuid::from_u128(1),
            tenant_id: DEFAULT_TENANT,
            stream: StreamRef { stream_type: "category".into(), id: Uuid::from_u128(2) },
            version: 3,
            event_type: "registrar.category.created.v1".to_owned(),
            data: Json::of(
                &json!({ "name": awkward, "\u{1f600}": 1, "\u{e000}": 2.5, "list": [null, true, 1e21, [], {}] }),
            )
            .unwrap(),
            metadata: Json::of(&metadata).unwrap(),
            recorded_at: at,
            leaf_hash: [0; 32],
        };
        for metadata in [
            json!({ "correlation_id": Uuid::from_u128(5) }),
            json!({ "actor_role": awkward, "occurred_at": timestamp(at - chrono::TimeDelta::days(1)), "imported": "x" }),
            json!({
                "actor_id": Uuid::from_u128(3), "actor_role": "admin", "actor_tenant_id": Uuid::from_u128(4),
                "causation_id": Uuid::from_u128(6), "correlation_id": Uuid::from_u128(5), "imported": "x",
                "occurred_at": timestamp(at), "session_id": Uuid::from_u128(7), "traceparent": "00-a-b-01",
            }),
            json!({ "actor_id": 7, "session_id": null, "unheard_of": "x" }),
        ] {
            let event = recorded(metadata);
            assert_eq!(event.own_leaf_hash().ok(), leaf_hash(&event.cloud_event()).ok());
            let plain = json!({ "b": [1, -7, "x"], "a": { "z": 9_007_199_254_740_991_i64, "Z": u64::MAX, "": false } });
            let plain = Recorded { data: Json::of(&plain).unwrap(), ..event };
            assert_eq!(plain.own_leaf_hash().ok(), leaf_hash(&plain.cloud_event()).ok());
        }
    }
}
