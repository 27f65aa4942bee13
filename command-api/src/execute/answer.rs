//! What a command answers: which thing it was about, how far it got, and what the route adds.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What a decision wants to answer, before the log has said at which position.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    id: Uuid,
    stream: Uuid,
    location: Option<String>,
    extra: Map<String, Value>,
    secret: Map<String, Value>,
}

impl Reply {
    /// 201: the thing with this id was created, and is found at `location`.
    pub fn created(id: impl Into<Uuid>, location: impl Into<String>) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location.into()), ..Self::ok(id) }
    }

    /// 202: what was asked for is under way, and is found at `location`.
    pub fn accepted(id: impl Into<Uuid>, location: impl Into<String>) -> Self {
        Self { status: StatusCode::ACCEPTED, ..Self::created(id, location) }
    }

    /// 200: done, with the thing of this id.
    pub fn ok(id: impl Into<Uuid>) -> Self {
        let id = id.into();
        Self { status: StatusCode::OK, id, stream: id, location: None, extra: Map::new(), secret: Map::new() }
    }

    /// Names the stream whose version is answered, where the id is not the stream's.
    #[must_use]
    pub fn of_stream(mut self, stream: impl Into<Uuid>) -> Self {
        self.stream = stream.into();
        self
    }

    /// Adds a member to the body.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member that is shown once: a replay of the request answers null in its place.
    #[must_use]
    pub fn with_secret(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), Value::Null);
        self.secret.insert(name.to_owned(), value.into());
        self
    }

    pub(super) const fn stream(&self) -> Uuid {
        self.stream
    }

    /// What a replay needs; no secret is in it.
    pub(super) fn to_record(&self, version: i64) -> Value {
        json!({
            "status": self.status.as_u16(), "id": self.id, "version": version,
            "location": self.location, "extra": self.extra,
        })
    }

    pub(super) fn answer(mut self, version: i64, position: i64) -> Answer {
        self.extra.append(&mut self.secret);
        Answer {
            status: self.status,
            id: self.id,
            version,
            position,
            location: self.location,
            extra: self.extra,
            replayed: false,
        }
    }
}

/// The answer to a command: `{"id", "version", "position", …}`.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    id: Uuid,
    version: i64,
    position: i64,
    location: Option<String>,
    extra: Map<String, Value>,
    replayed: bool,
}

impl Answer {
    pub(super) fn replayed(record: &Value, position: i64) -> Self {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let number = |name: &str| record.get(name).and_then(Value::as_i64);
        Self {
            status: number("status")
                .and_then(|status| u16::try_from(status).ok())
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(StatusCode::OK),
            id: text("id").and_then(|id| id.parse().ok()).unwrap_or_default(),
            version: number("version").unwrap_or_default(),
            position,
            location: text("location").map(str::to_owned),
            extra: record.get("extra").and_then(Value::as_object).cloned().unwrap_or_default(),
            replayed: true,
        }
    }

    /// The position that the command reached; whoever reads from there on sees it.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// The version that the thing's stream has now.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The thing's id.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// A member that the decision added to the body.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.extra.get(name)
    }

    /// Whether this is the first answer given again.
    pub const fn is_replayed(&self) -> bool {
        self.replayed
    }

    /// The headers that every command answers with, around a body of the handler's own.
    pub fn into_response_with(self, body: &Value) -> Response {
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(ops::http::POSITION, self.position.into());
        let mut set = |name: HeaderName, value: &str| {
            // Made of digits, ids and paths: always a valid header value.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, &format!("\"{}\"", self.version));
        if let Some(location) = &self.location {
            set(header::LOCATION, location);
        }
        if self.replayed {
            set(ops::http::IDEMPOTENCY_REPLAYED, "true");
        }
        response
    }
}

impl IntoResponse for Answer {
    fn into_response(mut self) -> Response {
        let mut body = std::mem::take(&mut self.extra);
        body.insert("id".to_owned(), json!(self.id));
        body.insert("version".to_owned(), json!(self.version));
        body.insert("position".to_owned(), json!(self.position));
        self.into_response_with(&Value::Object(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_the_first_answer_without_its_secrets() {
        let id = Uuid::from_u128(7);
        let reply = Reply::created(id, "/v1/accounts/7").with("status", "completed").with_secret("password", "hunter2");
        let record = reply.to_record(3);
        assert!(!record.to_string().contains("hunter2"));

        let again = Answer::replayed(&record, 41);
        let first = reply.answer(3, 41);
        assert_eq!(first.extra["password"], "hunter2");
        assert_eq!(again.extra["password"], Value::Null);
        assert_eq!(again.extra["status"], first.extra["status"]);
        assert_eq!((again.status, again.id, again.version), (first.status, first.id, first.version));
        assert_eq!(again.into_response().headers()["idempotency-replayed"], "true");
    }
}
