//! An event as a NATS message: a CloudEvent (CloudEvents 1.0 over NATS, structured content mode). The payload is the
//! event's canonical JSON, so that `SHA-256(0x00 ‖ payload)` is its leaf hash; headers say where it stands in the log.

use crate::{cloud_event::Canonical, envelope::Recorded};
use async_nats::{HeaderMap, HeaderName, HeaderValue, jetstream::message::PublishMessage};
use serde::Deserialize;

const POSITION: &str = "Registrar-Position";
const LEAF_HASH: &str = "Registrar-Leaf-Hash";
const CONTENT_TYPE: &str = "Content-Type";
/// W3C Trace Context, for whoever traces messages without reading them.
const TRACEPARENT: &str = "traceparent";
const STRUCTURED: &str = "application/cloudevents+json; charset=UTF-8";

/// The message is none of an event.
#[derive(Debug, thiserror::Error)]
pub enum MalformedMessage {
    /// A header is missing, or makes no sense.
    #[error("a message on the stream is no event: header {0} is missing or malformed")]
    Header(&'static str),
    /// The payload is not the JSON of an event.
    #[error("a message on the stream is no event: its payload is not the CloudEvents JSON of one")]
    Payload(#[source] serde_json::Error),
}

/// `<prefix>.<tenant>.<aggregate>.<event>`: the type's own words, so that subscribers choose by subject.
pub(super) fn subject(prefix: &str, event: &Recorded) -> String {
    let name = event.event_type.split('.').nth(2).unwrap_or("event");
    format!("{prefix}.{}.{}.{name}", event.tenant_id, event.stream.stream_type)
}

pub(super) fn to_publish(event: &Canonical) -> PublishMessage {
    let recorded = &event.recorded;
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(CONTENT_TYPE), STRUCTURED);
    headers.insert(HeaderName::from_static(POSITION), recorded.position.to_string());
    headers.insert(HeaderName::from_static(LEAF_HASH), recorded.leaf_hash_hex());
    if let Ok(Traced { traceparent: Some(trace) }) = serde_json::from_str(recorded.metadata.get()) {
        headers.insert(HeaderName::from_static(TRACEPARENT), trace);
    }
    PublishMessage::build()
        .payload(event.json())
        .headers(headers)
        .message_id(recorded.event_id.to_string())
        .expected_last_sequence(recorded.position.unsigned_abs() - 1)
}

/// What of an event's metadata goes into a header of its own.
#[derive(Deserialize)]
struct Traced<'a> {
    traceparent: Option<&'a str>,
}

/// Reads a message back to the row of the log that it carries.
pub(super) fn parse(headers: Option<&HeaderMap>, payload: &[u8]) -> Result<Recorded, MalformedMessage> {
    let find = |header| headers.and_then(|headers| headers.get(HeaderName::from_static(header)));
    let text = |header| find(header).map(HeaderValue::as_str).ok_or(MalformedMessage::Header(header));
    let position = text(POSITION)?.parse().map_err(|_| MalformedMessage::Header(POSITION))?;
    let leaf_hash = unhex(text(LEAF_HASH)?).ok_or(MalformedMessage::Header(LEAF_HASH))?;
    Recorded::from_cloud_event(payload, position, leaf_hash).map_err(MalformedMessage::Payload)
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
    use crate::{
        Event, Metadata,
        category::CategoryEvent,
        envelope::{Place, StreamRef},
        tenant::DEFAULT_TENANT,
    };
    use chrono::{DateTime, TimeDelta};
    use sha2::{Digest, Sha256};
    use uuid::Uuid;

    /// With all metadata that there are, or with what there always is.
    fn event(with_all: bool) -> Canonical {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let all = || Metadata { occurred_at: Some(at - TimeDelta::days(9)), ..Metadata::with_all_but_time() };
        let metadata = if with_all { all() } else { Metadata::default() };
        let event = Event::Category(CategoryEvent::Created { name: "Größe".to_owned(), description: None });
        let stream = StreamRef { stream_type: "category".into(), id: Uuid::from_u128(2) };
        let place =
            Place { event_id: Uuid::from_u128(1), tenant_id: DEFAULT_TENANT, stream, version: 1, recorded_at: at };
        let mut event = place.record(&event, &metadata, |_| Ok(())).unwrap();
        event.recorded.position = 7;
        event
    }

    fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name).map(HeaderValue::as_str)
    }

    #[test]
    fn a_message_carries_the_whole_row_and_its_payload_is_what_was_hashed() {
        for with_all in [false, true] {
            let event = event(with_all);
            // From the log, where nobody has it in canonical form yet, it is the same message.
            for event in [event.clone(), event.recorded.clone().canonical().unwrap()] {
                let sent = to_publish(&event).outbound_message("a.b");
                let read = parse(sent.headers.as_ref(), &sent.payload).unwrap();
                assert_eq!(read, event.recorded);
                let payload = Sha256::new().chain_update([0]).chain_update(&sent.payload).finalize();
                assert_eq!(*payload, event.recorded.leaf_hash);
            }
        }
    }

    #[test]
    fn the_subject_names_tenant_aggregate_and_event() {
        assert_eq!(
            subject("registrar.events", &event(false).recorded),
            "registrar.events.00000000-0000-7000-8000-000000000001.category.created"
        );
    }

    #[test]
    fn the_sequence_before_is_demanded_and_the_id_deduplicates() {
        let headers = to_publish(&event(true)).outbound_message("a.b").headers.unwrap();
        assert_eq!(header(&headers, "Nats-Expected-Last-Sequence"), Some("6"));
        assert_eq!(header(&headers, "Nats-Msg-Id"), Some(&*Uuid::from_u128(1).to_string()));
        assert_eq!(header(&headers, "traceparent"), Metadata::with_all_but_time().traceparent.as_deref());
        assert_eq!(header(&headers, "Content-Type"), Some("application/cloudevents+json; charset=UTF-8"));
    }

    #[test]
    fn what_is_no_event_is_told_by_what_it_lacks() {
        let sent = to_publish(&event(false)).outbound_message("a.b");
        let headers = sent.headers.unwrap();
        let without = parse(None, &sent.payload).unwrap_err();
        assert!(matches!(without, MalformedMessage::Header(POSITION)), "{without}");
        for payload in [&b"{}"[..], b"x", &sent.payload[1..]] {
            let wrong = parse(Some(&headers), payload).unwrap_err();
            assert!(matches!(wrong, MalformedMessage::Payload(_)), "{wrong}");
        }
    }
}
