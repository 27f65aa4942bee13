//! An event as a CloudEvent (CloudEvents 1.0, JSON format). In canonical form (RFC 8785) it is what the event's hash
//! covers and what is published: whoever has the text can check it with one SHA-256.

use crate::{
    Json, canonical,
    envelope::{Metadata, Recorded, StreamRef},
    ids::TenantId,
    json::Members,
};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Error, Map, Value, value::RawValue};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use uuid::Uuid;

/// An event with its canonical JSON.
#[derive(Debug, Clone)]
pub struct Canonical {
    /// The event, as it is stored.
    pub recorded: Recorded,
    /// `0x00 ‖ JCS(event)`: what RFC 6962 takes a leaf's hash of.
    leaf: Bytes,
}

impl Canonical {
    /// `JCS(event)`: everything but the position.
    pub fn json(&self) -> Bytes {
        self.leaf.slice(1..)
    }

    /// Hashes what was just made, and has no hash yet.
    pub(crate) fn hashed(mut recorded: Recorded, metadata: &Metadata) -> Result<Self, Error> {
        let leaf = if metadata.occurred_at.is_none() {
            // What is at hand need not be read back.
            recorded.leaf(|name| metadata.member(name), recorded.data.get())
        } else {
            recorded.stored_leaf(recorded.data.get())
        };
        let leaf = Bytes::from(leaf?);
        recorded.leaf_hash = Sha256::digest(&leaf).into();
        Ok(Self { recorded, leaf })
    }
}

/// One member of an event's CloudEvents JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member<'a> {
    Text(&'a str),
    Id(Uuid),
    /// `<text>/<id>`.
    Path(&'a str, Uuid),
    Number(i64),
    Json(&'a Value),
    /// The event's own.
    Data,
}

impl Metadata {
    /// A member as it stands in the stored text, but for `occurred_at`, whose text is serde's affair.
    fn member(&self, name: &str) -> Option<Member<'_>> {
        match name {
            "actor_id" => self.actor_id.map(|id| Member::Id(id.as_uuid())),
            "actor_role" => self.actor_role.map(|role| Member::Text(role.as_str())),
            "actor_tenant_id" => self.actor_tenant_id.map(|id| Member::Id(id.as_uuid())),
            "causation_id" => self.causation_id.map(Member::Id),
            "correlation_id" => Some(Member::Id(self.correlation_id)),
            "imported" => self.imported.as_deref().map(Member::Text),
            "session_id" => self.session_id.map(|id| Member::Id(id.as_uuid())),
            "traceparent" => self.traceparent.as_deref().map(Member::Text),
            _ => None,
        }
    }
}

impl Members<'_> {
    /// A member of an event's metadata, as it stands in the stored text.
    fn member(&self, name: &str) -> Option<Member<'_>> {
        match self {
            Members::Texts(texts) => texts.get(name).map(|text| Member::Text(text)),
            Members::Values(values) => {
                values.get(name).map(|value| value.as_str().map_or(Member::Json(value), Member::Text))
            }
        }
    }
}

impl Recorded {
    /// Gives `put` the attributes and extensions of the event as a CloudEvent, and its data, in the order of their
    /// names. Those have no underscores. It is all that is known of the event but its position, which is its place in
    /// the log and in the tree. `caused` finds a member of the event's own metadata.
    fn describe<'a>(
        &'a self,
        caused: impl Fn(&str) -> Option<Member<'a>>,
        mut put: impl FnMut(&'static str, Member<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let recorded_at = timestamp(self.recorded_at);
        let (stream, tenant_id) = (&self.stream, self.tenant_id.as_uuid());
        let members = [
            ("actorid", caused("actor_id")),
            ("actorrole", caused("actor_role")),
            ("actortenantid", caused("actor_tenant_id")),
            ("causationid", caused("causation_id")),
            ("correlationid", caused("correlation_id")),
            ("data", Some(Member::Data)),
            ("datacontenttype", Some(Member::Text("application/json"))),
            ("id", Some(Member::Id(self.event_id))),
            ("imported", caused("imported")),
            ("recordedtime", Some(Member::Text(&recorded_at))),
            ("sessionid", caused("session_id")),
            ("source", Some(Member::Path("/tenants", tenant_id))),
            ("specversion", Some(Member::Text("1.0"))),
            ("streamid", Some(Member::Id(stream.id))),
            ("streamtype", Some(Member::Text(&stream.stream_type))),
            ("streamversion", Some(Member::Number(self.version))),
            ("subject", Some(Member::Path(&stream.stream_type, stream.id))),
            ("tenantid", Some(Member::Id(tenant_id))),
            ("time", caused("occurred_at").or(Some(Member::Text(&recorded_at)))),
            ("traceparent", caused("traceparent")),
            ("type", Some(Member::Text(&self.event_type))),
        ];
        members.into_iter().try_for_each(|(name, member)| member.map_or(Ok(()), |member| put(name, member)))
    }

    /// The event as CloudEvents JSON.
    pub fn cloud_event(&self) -> Value {
        let metadata = self.metadata.members();
        let mut event = Map::new();
        let described = self.describe(
            |name| metadata.member(name),
            |name, member| {
                let value = match member {
                    Member::Text(text) => text.into(),
                    Member::Id(id) => id.to_string().into(),
                    Member::Path(text, id) => format!("{text}/{id}").into(),
                    Member::Number(number) => number.into(),
                    Member::Json(json) => json.clone(),
                    Member::Data => self.data.value(),
                };
                event.insert(name.to_owned(), value);
                Ok(())
            },
        );
        described.map_or(Value::Null, |()| Value::Object(event))
    }

    /// The event with its canonical JSON, made from what is stored, where data are canonical already.
    pub fn canonical(self) -> Result<Canonical, Error> {
        let leaf = self.stored_leaf(self.data.get())?.into();
        Ok(Canonical { recorded: self, leaf })
    }

    /// `0x00 ‖ JCS(event)`, without building its JSON. `caused` finds a member of its own metadata; `data` are its own
    /// in canonical form.
    fn leaf<'a>(&'a self, caused: impl Fn(&str) -> Option<Member<'a>>, data: &str) -> Result<Vec<u8>, Error> {
        let mut leaf = Vec::with_capacity(1024 + data.len());
        leaf.extend_from_slice(b"\0{");
        self.describe(caused, |name, member| {
            if leaf.len() > 2 {
                leaf.push(b',');
            }
            // The names need no escapes, and serde_json writes a text as RFC 8785 does.
            leaf.push(b'"');
            leaf.extend_from_slice(name.as_bytes());
            leaf.extend_from_slice(b"\":");
            match member {
                Member::Text(text) => serde_json::to_writer(&mut leaf, text)?,
                Member::Id(id) => {
                    leaf.push(b'"');
                    push_id(id, &mut leaf);
                }
                Member::Path(text, id) => {
                    serde_json::to_writer(&mut leaf, text)?;
                    leaf.pop();
                    leaf.push(b'/');
                    push_id(id, &mut leaf);
                }
                Member::Number(number) => serde_json::to_writer(&mut leaf, &number)?,
                Member::Json(json) => canonical::write(json, &mut leaf)?,
                Member::Data => leaf.extend_from_slice(data.as_bytes()),
            }
            Ok(())
        })?;
        leaf.push(b'}');
        Ok(leaf)
    }

    /// The same by the metadata as they are stored.
    fn stored_leaf(&self, data: &str) -> Result<Vec<u8>, Error> {
        let metadata = self.metadata.members();
        self.leaf(|name| metadata.member(name), data)
    }

    /// The same by what the stored data say, however they are spelt.
    fn own_leaf(&self) -> Result<Vec<u8>, Error> {
        self.stored_leaf(&canonical::of_written(self.data.get())?)
    }

    /// Reads an event from its JSON. What that does not say is at which position it stands, and its hash.
    pub(crate) fn from_cloud_event(json: &[u8], position: i64, leaf_hash: [u8; 32]) -> Result<Self, Error> {
        let event: Read<'_> = serde_json::from_slice(json)?;
        let recorded_at = DateTime::parse_from_rfc3339(event.recordedtime).map_err(serde::de::Error::custom)?;
        Ok(Self {
            position,
            event_id: event.id,
            tenant_id: TenantId::new(event.tenantid),
            metadata: Json::of_text(event.metadata()),
            stream: StreamRef { stream_type: event.streamtype.into_owned().into(), id: event.streamid },
            version: event.streamversion,
            event_type: event.r#type.into_owned(),
            data: Json::of_text(event.data.get().to_owned()),
            recorded_at: recorded_at.to_utc(),
            leaf_hash,
        })
    }

    /// The stored hash in hexadecimal.
    pub fn leaf_hash_hex(&self) -> String {
        hex(&self.leaf_hash)
    }

    /// Whether the stored hash is that of the stored content.
    pub fn is_intact(&self) -> bool {
        self.own_leaf().is_ok_and(|leaf| *Sha256::digest(leaf) == self.leaf_hash)
    }
}

/// What is read of an event's JSON; the rest says the same once more.
#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    actorid: Option<&'a RawValue>,
    actorrole: Option<&'a RawValue>,
    actortenantid: Option<&'a RawValue>,
    causationid: Option<&'a RawValue>,
    correlationid: Option<&'a RawValue>,
    data: &'a RawValue,
    id: Uuid,
    imported: Option<&'a RawValue>,
    recordedtime: &'a str,
    sessionid: Option<&'a RawValue>,
    streamid: Uuid,
    #[serde(borrow)]
    streamtype: Cow<'a, str>,
    streamversion: i64,
    tenantid: Uuid,
    time: &'a RawValue,
    traceparent: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

impl Read<'_> {
    /// The event's metadata, as the log has them.
    fn metadata(&self) -> String {
        // `time` is always there; only an event that occurred at another time than it was recorded has `occurred_at`.
        let recorded = |time: &RawValue| time.get().trim_matches('"') == self.recordedtime;
        let members = [
            ("actor_id", self.actorid),
            ("actor_role", self.actorrole),
            ("actor_tenant_id", self.actortenantid),
            ("causation_id", self.causationid),
            ("correlation_id", self.correlationid),
            ("imported", self.imported),
            ("occurred_at", Some(self.time).filter(|time| !recorded(time))),
            ("session_id", self.sessionid),
            ("traceparent", self.traceparent),
        ];
        let mut text = String::with_capacity(512);
        for (name, value) in members {
            if let Some(value) = value {
                text.push(if text.is_empty() { '{' } else { ',' });
                text.extend(["\"", name, "\":", value.get()]);
            }
        }
        text.push_str(if text.is_empty() { "{}" } else { "}" });
        text
    }
}

/// An id and the quote behind it.
fn push_id(id: Uuid, text: &mut Vec<u8>) {
    text.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    text.push(b'"');
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

/// RFC 3339 in UTC with microseconds, the resolution of the log.
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, envelope::Place, tenant::DEFAULT_TENANT};
    use serde_json::json;

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
            let recorded = place.record(&event, &metadata, |_| Ok(())).unwrap().recorded;
            assert!(recorded.is_intact(), "{metadata:?}");
        }
    }

    /// The leaf of RFC 6962 over the canonical JSON of RFC 8785, as the libraries make it.
    fn leaf_hash(event: &Value) -> [u8; 32] {
        let canonical = serde_json_canonicalizer::to_vec(event).unwrap();
        Sha256::new().chain_update([0]).chain_update(canonical).finalize().into()
    }

    fn own_hash(event: &Recorded) -> [u8; 32] {
        Sha256::digest(event.own_leaf().unwrap()).into()
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
            assert_eq!(own_hash(&event), leaf_hash(&event.cloud_event()));
            let plain = json!({ "b": [1, -7, "x"], "a": { "z": 9_007_199_254_740_991_i64, "Z": u64::MAX, "": false } });
            let plain = Recorded { data: Json::of(&plain).unwrap(), ..event };
            assert_eq!(own_hash(&plain), leaf_hash(&plain.cloud_event()));
        }
    }
}
