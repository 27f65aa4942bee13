//! An event as a NATS message: CloudEvents 1.0 over NATS in binary content mode. Attributes are `ce-` headers, the data
//! are the payload; `Registrar-Position` and `Registrar-Leaf-Hash` say where it stands in the log.

use crate::{
    Json,
    envelope::{Member, Recorded, StreamRef},
    ids::TenantId,
};
use async_nats::{HeaderMap, HeaderName, HeaderValue, jetstream::message::PublishMessage};
use chrono::DateTime;
use std::{collections::BTreeMap, str::FromStr};

const POSITION: &str = "Registrar-Position";
const LEAF_HASH: &str = "Registrar-Leaf-Hash";
/// Members of an event's metadata, and the attributes that they come as.
const EXTENSIONS: [(&str, &str); 9] = [
    ("actor_id", "ce-actorid"),
    ("actor_role", "ce-actorrole"),
    ("actor_tenant_id", "ce-actortenantid"),
    ("causation_id", "ce-causationid"),
    ("correlation_id", "ce-correlationid"),
    ("imported", "ce-imported"),
    ("occurred_at", "ce-time"),
    ("session_id", "ce-sessionid"),
    ("traceparent", "ce-traceparent"),
];

/// The message lacks a header, or one makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("a message on the stream is no event: header {header} is missing or malformed")]
pub struct MalformedMessage {
    header: String,
}

/// `<prefix>.<tenant>.<aggregate>.<event>`: the type's own words, so that subscribers choose by subject.
pub(super) fn subject(prefix: &str, event: &Recorded) -> String {
    let name = event.event_type.split('.').nth(2).unwrap_or("event");
    format!("{prefix}.{}.{}.{name}", event.tenant_id, event.stream.stream_type)
}

pub(super) fn to_publish(event: &Recorded) -> PublishMessage {
    let mut headers = HeaderMap::new();
    let metadata = event.metadata.members();
    for (name, member) in event.members(|name| metadata.member(name)) {
        let name = HeaderName::from_static(name);
        match member {
            Member::Text(text) => headers.insert(name, text.into_owned()),
            Member::Id(id) => headers.insert(name, id.to_string()),
            Member::Number(number) => headers.insert(name, number.to_string()),
            Member::Json(json) => headers.insert(name, json.to_string()),
            Member::Data => {}
        }
    }
    headers.insert(HeaderName::from_static(POSITION), event.position.to_string());
    headers.insert(HeaderName::from_static(LEAF_HASH), event.leaf_hash_hex());
    PublishMessage::build()
        .payload(event.data.to_string().into())
        .headers(headers)
        .message_id(event.event_id.to_string())
        .expected_last_sequence(event.position.unsigned_abs() - 1)
}

/// Reads a message back to the row of the log that it carries.
pub(super) fn parse(headers: Option<&HeaderMap>, payload: &[u8]) -> Result<Recorded, MalformedMessage> {
    let malformed = |header: &str| MalformedMessage { header: header.to_owned() };
    let headers = headers.ok_or_else(|| malformed(POSITION))?;
    let find = |header: &'static str| headers.get(HeaderName::from_static(header)).map(HeaderValue::as_str);
    let text = |header: &'static str| find(header).ok_or_else(|| malformed(header));

    let recorded_time = text("ce-recordedtime")?;
    let metadata: BTreeMap<&str, &str> = EXTENSIONS
        .iter()
        .filter_map(|(member, attribute)| Some((*member, find(attribute)?)))
        // `time` is always there; only an event that occurred at another time than it was recorded has `occurred_at`.
        .filter(|(member, value)| *member != "occurred_at" || *value != recorded_time)
        .collect();
    let data = str::from_utf8(payload).ok().and_then(|text| Json::parse(text.to_owned()).ok());
    Ok(Recorded {
        position: read(text(POSITION)?, POSITION)?,
        event_id: read(text("ce-id")?, "ce-id")?,
        tenant_id: TenantId::new(read(text("ce-tenantid")?, "ce-tenantid")?),
        stream: StreamRef {
            stream_type: text("ce-streamtype")?.to_owned().into(),
            id: read(text("ce-streamid")?, "ce-streamid")?,
        },
        version: read(text("ce-streamversion")?, "ce-streamversion")?,
        event_type: text("ce-type")?.to_owned(),
        data: data.ok_or_else(|| malformed("(payload)"))?,
        metadata: Json::of(&metadata).map_err(|_| malformed("(metadata)"))?,
        recorded_at: DateTime::parse_from_rfc3339(recorded_time).map_err(|_| malformed("ce-recordedtime"))?.to_utc(),
        leaf_hash: unhex(text(LEAF_HASH)?).ok_or_else(|| malformed(LEAF_HASH))?,
    })
}

fn read<T: FromStr>(text: &str, header: &str) -> Result<T, MalformedMessage> {
    text.parse().map_err(|_| MalformedMessage { header: header.to_owned() })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Metadata, category::CategoryEvent, envelope::Place, tenant::DEFAULT_TENANT};
    use chrono::TimeDelta;
    use uuid::Uuid;

    /// With all metadata that there are, or with what there always is.
    fn recorded(with_all: bool) -> Recorded {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let all = || Metadata { occurred_at: Some(at - TimeDelta::days(9)), ..Metadata::with_all_but_time() };
        let metadata = if with_all { all() } else { Metadata::default() };
        let event = Event::Category(CategoryEvent::Created { name: "Größe".to_owned(), description: None });
        let stream = StreamRef { stream_type: "category".into(), id: Uuid::from_u128(2) };
        let place =
            Place { event_id: Uuid::from_u128(1), tenant_id: DEFAULT_TENANT, stream, version: 1, recorded_at: at };
        Recorded { position: 7, ..place.record(&event, &metadata, |_| Ok(())).unwrap() }
    }

    #[test]
    fn a_message_carries_the_whole_row() {
        for with_all in [false, true] {
            let event = recorded(with_all);
            let sent = to_publish(&event).outbound_message("a.b");
            let read = parse(sent.headers.as_ref(), &sent.payload).unwrap();
            assert_eq!(read, event);
            assert!(read.is_intact());
        }
    }

    #[test]
    fn the_subject_names_tenant_aggregate_and_event() {
        assert_eq!(
            subject("registrar.events", &recorded(false)),
            "registrar.events.00000000-0000-7000-8000-000000000001.category.created"
        );
    }

    #[test]
    fn the_sequence_before_is_demanded_and_the_id_deduplicates() {
        let headers = to_publish(&recorded(false)).outbound_message("a.b").headers.unwrap();
        assert_eq!(headers.get("Nats-Expected-Last-Sequence").unwrap().as_str(), "6");
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), Uuid::from_u128(1).to_string());
    }
}
