//! What a command answers: which thing it was about, how far it got, and what the route adds.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use events::Json;
use ops::problem::Problem;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use uuid::Uuid;

/// What a decision wants to answer, before the log has said at which position.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    id: Uuid,
    stream: Uuid,
    location: Option<String>,
    extra: Members,
    secret: Members,
}

/// What a route adds to the body.
#[derive(Debug, Clone, Default)]
struct Members(Vec<(Cow<'static, str>, Value)>);

impl Members {
    fn set(&mut self, name: Cow<'static, str>, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?.into_iter();
        Ok(Self(members.map(|(name, value)| (name.into(), value)).collect()))
    }
}

/// What a replay needs; no secret is in it.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    status: u16,
    id: Uuid,
    version: i64,
    location: Option<Cow<'a, str>>,
    extra: Cow<'a, Members>,
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
        Self {
            status: StatusCode::OK,
            id,
            stream: id,
            location: None,
            extra: Members::default(),
            secret: Members::default(),
        }
    }

    /// Names the stream whose version is answered, where the id is not the stream's.
    #[must_use]
    pub fn of_stream(mut self, stream: impl Into<Uuid>) -> Self {
        self.stream = stream.into();
        self
    }

    /// Adds a member to the body.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.extra.set(name.into(), value.into());
        self
    }

    /// Adds a member that is shown once: a replay of the request answers null in its place.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.secret.set(name.into(), value.into());
        self.with(name, Value::Null)
    }

    pub(super) const fn stream(&self) -> Uuid {
        self.stream
    }

    /// What is remembered, to be given again.
    pub(super) fn to_record(&self, version: i64) -> Result<Json, serde_json::Error> {
        Json::of(&Record {
            status: self.status.as_u16(),
            id: self.id,
            version,
            location: self.location.as_deref().map(Cow::from),
            extra: Cow::Borrowed(&self.extra),
        })
    }

    pub(super) fn answer(mut self, version: i64, position: i64) -> Answer {
        for (name, value) in self.secret.0 {
            self.extra.set(name, value);
        }
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
    extra: Members,
    replayed: bool,
}

/// An answer's body.
#[derive(Serialize)]
struct Body<'a> {
    id: Uuid,
    version: i64,
    position: i64,
    #[serde(flatten)]
    extra: &'a Members,
}

impl Answer {
    pub(super) fn replayed(record: &Json, position: i64) -> Result<Self, serde_json::Error> {
        let Record { status, id, version, location, extra } = serde_json::from_str(record.get())?;
        Ok(Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            id,
            version,
            position,
            location: location.map(Cow::into_owned),
            extra: extra.into_owned(),
            replayed: true,
        })
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
        self.extra.find(name)
    }

    /// Whether this is the first answer given again.
    pub const fn is_replayed(&self) -> bool {
        self.replayed
    }

    /// The headers that every command answers with, around a body of the handler's own.
    pub fn into_response_with(self, body: &impl Serialize) -> Response {
        let mut text = Vec::with_capacity(256);
        if let Err(error) = serde_json::to_writer(&mut text, body) {
            return Problem::internal(&error).into_response();
        }
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
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
        let extra = std::mem::take(&mut self.extra);
        let Self { id, version, position, .. } = self;
        self.into_response_with(&Body { id, version, position, extra: &extra })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn body(answer: Answer) -> Value {
        let body = axum::body::to_bytes(answer.into_response().into_body(), 4096).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn a_replay_is_the_first_answer_without_its_secrets() {
        let id = Uuid::from_u128(7);
        let reply = Reply::created(id, "/v1/accounts/7").with("status", "completed").with_secret("password", "hunter2");
        let record = reply.to_record(3).unwrap();
        assert!(!record.get().contains("hunter2"));

        let again = Answer::replayed(&record, 41).unwrap();
        let first = reply.answer(3, 41);
        assert_eq!(again.clone().into_response().headers()["idempotency-replayed"], "true");
        assert_eq!((again.status, &again.location), (first.status, &first.location));
        let expected = |password: Value| json!({"id": id, "version": 3, "position": 41, "status": "completed", "password": password});
        assert_eq!(body(first).await, expected("hunter2".into()));
        assert_eq!(body(again).await, expected(Value::Null));
    }
}
