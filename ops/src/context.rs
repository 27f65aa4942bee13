//! What is known of a request before anything in it is trusted: its id, its trace, where it comes from.
//!
//! The edge (`http`) makes one for each request; handlers take it as an extractor and put it into event metadata.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, HeaderName, header::USER_AGENT, request::Parts},
};
use uuid::Uuid;

/// The request's id: taken from the caller where it is 1 to 128 visible ASCII characters, else a new `UUIDv7`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A UUID that ties together what belongs together across requests.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const MAX_USER_AGENT_CHARS: usize = 256;

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestContext {
    /// Names this request in logs and in the answer's `x-request-id`.
    pub request_id: String,
    /// The trace that this request belongs to: 32 hexadecimal digits.
    pub trace_id: String,
    /// The `traceparent` to hand on: the same trace, with this process as the parent.
    pub traceparent: String,
    /// From `X-Correlation-Id` where that is a UUID, else the request's own.
    pub correlation_id: Uuid,
    /// Where the caller is, where that is known.
    pub client_address: Option<IpAddr>,
    /// What the caller says it is, cut to 256 characters.
    pub user_agent: Option<String>,
}

impl RequestContext {
    /// The request's context: taken from the edge; where a router runs without it, as in a test, read from the request.
    #[must_use]
    pub fn of(parts: &Parts) -> Arc<Self> {
        let known = parts.extensions.get::<Arc<Self>>().cloned();
        known.unwrap_or_else(|| Self::read(&parts.headers, &parts.extensions, 0).into())
    }

    /// Reads the context from a request's headers and the address of its connection.
    #[must_use]
    pub fn read(headers: &HeaderMap, extensions: &Extensions, trusted_proxies: u8) -> Self {
        let request_id = text(headers, &REQUEST_ID).filter(|id| is_request_id(id)).map(str::to_owned);
        let own_id = Uuid::now_v7();
        let request_id = request_id.unwrap_or_else(|| own_id.to_string());
        let correlation_id = text(headers, &CORRELATION_ID)
            .or(Some(request_id.as_str()))
            .and_then(|id| Uuid::try_parse(id).ok())
            .unwrap_or(own_id);
        let trace = text(headers, &TRACEPARENT).and_then(Trace::parse).unwrap_or_else(Trace::new);
        Self {
            request_id,
            trace_id: trace.trace_id(),
            traceparent: trace.child(),
            correlation_id,
            client_address: client_address(headers, extensions, trusted_proxies),
            user_agent: text(headers, &USER_AGENT).map(|agent| agent.chars().take(MAX_USER_AGENT_CHARS).collect()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Arc::unwrap_or_clone(Self::of(parts)))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The connection's address, or the one that the outermost of one's own proxies saw: that many entries from the right
/// of X-Forwarded-For. What stands further left was written by the caller.
fn client_address(headers: &HeaderMap, extensions: &Extensions, trusted_proxies: u8) -> Option<IpAddr> {
    let connection =
        extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical());
    if trusted_proxies == 0 {
        return connection;
    }
    // Bytes, because the caller may have begun the header with what is no text.
    let forwarded = headers.get_all(FORWARDED_FOR).iter();
    let hops: Vec<&[u8]> = forwarded.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    let hop = hops.len().checked_sub(trusted_proxies.into()).and_then(|index| str::from_utf8(hops[index]).ok());
    let seen = hop.and_then(|hop| hop.trim().parse().ok());
    seen.or(connection)
}

/// A place in a trace, as W3C Trace Context writes it: version, trace, parent, flags.
struct Trace {
    id: u128,
    sampled: bool,
}

impl Trace {
    fn new() -> Self {
        Self { id: rand::random::<u128>().max(1), sampled: true }
    }

    /// `None` for all that the standard calls invalid; a later version is read by its first four fields.
    fn parse(header: &str) -> Option<Self> {
        let bytes = header.as_bytes();
        let version = hex(header.get(..2)?)?;
        let whole = bytes.len() == 55 || (version > 0 && bytes.len() > 55 && bytes[55] == b'-');
        let dashed = [2, 35, 52].into_iter().all(|index| bytes.get(index) == Some(&b'-'));
        if version == 0xff || !whole || !dashed {
            return None;
        }
        let id = hex(header.get(3..35)?).filter(|id| *id != 0)?;
        hex(header.get(36..52)?).filter(|parent| *parent != 0)?;
        let flags = hex(header.get(53..55)?)?;
        Some(Self { id, sampled: flags & 1 == 1 })
    }

    fn trace_id(&self) -> String {
        format!("{:032x}", self.id)
    }

    fn child(&self) -> String {
        let parent = rand::random::<u64>().max(1);
        format!("00-{:032x}-{parent:016x}-{:02x}", self.id, u8::from(self.sampled))
    }
}

fn hex(digits: &str) -> Option<u128> {
    let lower = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| u128::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(headers: &[(HeaderName, &str)], trusted_proxies: u8) -> RequestContext {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4000))));
        RequestContext::read(&headers, &extensions, trusted_proxies)
    }

    #[test]
    fn a_request_keeps_the_id_that_it_came_with() {
        assert_eq!(read(&[(REQUEST_ID, "abc-1")], 0).request_id, "abc-1");
        for bad in ["", "two words", &"x".repeat(129)] {
            let context = read(&[(REQUEST_ID, bad)], 0);
            assert_eq!(context.request_id, context.correlation_id.to_string());
        }
    }

    #[test]
    fn a_trace_is_carried_on_with_a_new_parent() {
        let inbound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = read(&[(TRACEPARENT, inbound)], 0);
        assert_eq!(context.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(context.traceparent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(context.traceparent.ends_with("-01") && context.traceparent != inbound);
        assert!(Trace::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more").is_some());
    }

    #[test]
    fn a_traceparent_that_is_not_valid_begins_a_new_trace() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(Trace::parse(bad).is_none(), "{bad}");
        }
        assert!(Trace::parse(&read(&[], 0).traceparent).is_some());
    }

    #[test]
    fn a_forwarded_address_is_believed_only_from_ones_own_proxies() {
        let forged = [(FORWARDED_FOR, "6.6.6.6, 203.0.113.9")];
        assert_eq!(read(&forged, 0).client_address, Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(read(&forged, 1).client_address, Some(IpAddr::from([203, 0, 113, 9])));
        assert_eq!(read(&forged, 3).client_address, Some(IpAddr::from([10, 0, 0, 1])));
    }
}
