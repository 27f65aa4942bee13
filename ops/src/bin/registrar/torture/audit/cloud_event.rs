//! The CloudEvents form of an event and its leaf hash, written after the README and the standards alone (RFC 6962, RFC
//! 8785): if this agrees with what is stored, whoever reads the documents can verify the log.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Row;

/// Members of the metadata, and the attributes that they are in CloudEvents, where they are there.
const ATTRIBUTES: [(&str, &str); 9] = [
    ("actor_id", "actorid"),
    ("actor_role", "actorrole"),
    ("actor_tenant_id", "actortenantid"),
    ("session_id", "sessionid"),
    ("correlation_id", "correlationid"),
    ("causation_id", "causationid"),
    ("traceparent", "traceparent"),
    ("imported", "imported"),
    // When it happened, where that is not when it was recorded.
    ("occurred_at", "time"),
];

/// `SHA-256(0x00 ‖ JCS(event))`; none where the content has no canonical JSON.
pub fn leaf_hash(row: &Row) -> Option<Vec<u8>> {
    let canonical = serde_json_canonicalizer::to_vec(&cloud_event(row)).ok()?;
    Some(leaf_hash_of(&canonical))
}

/// The hash of what is in canonical form, as the payloads on JetStream are.
pub fn leaf_hash_of(canonical: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update([0]).chain_update(canonical).finalize().to_vec()
}

fn cloud_event(row: &Row) -> Value {
    let recorded_at = timestamp(row.recorded_at);
    let mut event = Map::from_iter([
        ("specversion".to_owned(), "1.0".into()),
        ("id".to_owned(), row.event_id.to_string().into()),
        ("source".to_owned(), format!("/tenants/{}", row.tenant_id).into()),
        ("type".to_owned(), row.r#type.clone().into()),
        ("subject".to_owned(), format!("{}/{}", row.stream_type, row.stream_id).into()),
        ("time".to_owned(), recorded_at.clone().into()),
        ("recordedtime".to_owned(), recorded_at.into()),
        ("datacontenttype".to_owned(), "application/json".into()),
        ("tenantid".to_owned(), row.tenant_id.to_string().into()),
        ("streamtype".to_owned(), row.stream_type.clone().into()),
        ("streamid".to_owned(), row.stream_id.to_string().into()),
        ("streamversion".to_owned(), row.version.into()),
        ("data".to_owned(), row.data.clone()),
    ]);
    for (member, attribute) in ATTRIBUTES {
        if let Some(value) = row.metadata.get(member) {
            event.insert(attribute.to_owned(), value.clone());
        }
    }
    Value::Object(event)
}

/// RFC 3339 in UTC, to the microsecond.
fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
