//! How a request is refused: a problem document (RFC 9457) with a stable type.
//!
//! A refusal is a value that handlers return; `http` completes it with the request's path, logs it as a warning and
//! counts it. A fault is logged with its causes where it happens and shows nothing of them to the caller.

use std::{error::Error, sync::Arc};

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{PartialSchema, ToSchema};

use crate::telemetry;

/// What the URI of every problem type begins with.
pub const TYPE_BASE: &str = "https://registrar.dev/problems/";

/// A kind of refusal: its stable name, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// The last part of the type's URI, in kebab case; it never changes.
    pub slug: &'static str,
    /// The HTTP status, always the same for a type.
    pub status: u16,
    /// A short summary, the same for every occurrence.
    pub title: &'static str,
    /// When it happens and what the caller can do, for the documentation.
    pub meaning: &'static str,
}

macro_rules! problem_types {
    ($($name:ident $status:literal $slug:literal, $title:literal, $meaning:literal;)+) => {
        $(#[doc = concat!("`", $slug, "`: ", $meaning)]
        pub const $name: ProblemType =
            ProblemType { slug: $slug, status: $status, title: $title, meaning: $meaning };)+

        /// The problem types that any route may answer with; what a domain refuses is listed beside its rules.
        pub const PROBLEMS: &[ProblemType] = &[$($name),+];
    };
}

problem_types! {
    MALFORMED_JSON 400 "malformed-json", "The body is not JSON", "The body cannot be parsed as JSON at all.";
    IDEMPOTENCY_KEY_REQUIRED 400 "idempotency-key-required", "An Idempotency-Key is required", "The route moves money: send an Idempotency-Key header, a new one for each intent.";
    UNAUTHENTICATED 401 "unauthenticated", "Sign in first", "The route needs a bearer token and none was sent.";
    INVALID_TOKEN 401 "invalid-token", "The access token is not valid", "The token is malformed, forged, foreign or expired: refresh it or sign in again.";
    FORBIDDEN 403 "forbidden", "Not allowed", "The token is good and does not carry the right to do this.";
    PASSWORD_CHANGE_REQUIRED 403 "password-change-required", "Set a new password first", "The token came from a temporary password and can only set a password.";
    NOT_FOUND 404 "not-found", "Not found", "There is no such thing, or it is not yours to know of.";
    METHOD_NOT_ALLOWED 405 "method-not-allowed", "Method not allowed", "The path exists and not with this method; Allow names those it has.";
    REQUEST_TIMEOUT 408 "request-timeout", "The request took too long", "The bound on a request was reached. A command may still have been carried out: repeat it with the same Idempotency-Key.";
    CONFLICT 409 "conflict", "Others were faster", "The thing kept changing while this was decided, and the retries are used up: try again.";
    IDEMPOTENCY_IN_FLIGHT 409 "idempotency-in-flight", "The first request is still being handled", "A request with this Idempotency-Key has not been answered yet: try again shortly.";
    VERSION_CONFLICT 412 "version-conflict", "It has changed", "The version in If-Match is no longer the current one: read it again.";
    PAYLOAD_TOO_LARGE 413 "payload-too-large", "The body is too large", "The body is larger than this process accepts.";
    UNSUPPORTED_MEDIA_TYPE 415 "unsupported-media-type", "Send JSON", "The body's Content-Type must be application/json.";
    INVALID_REQUEST 422 "invalid-request", "The request is not valid", "Fields are missing, unknown or out of bounds; errors names each with a JSON pointer.";
    IDEMPOTENCY_KEY_REUSED 422 "idempotency-key-reused", "The Idempotency-Key was used for something else", "The key belongs to a different request: use a new one for a new intent.";
    TOO_MANY_REQUESTS 429 "too-many-requests", "Too many requests", "A rate is exceeded: wait as long as Retry-After says.";
    HEADERS_TOO_LARGE 431 "headers-too-large", "The headers are too large", "The request's headers are larger than this process accepts.";
    INTERNAL 500 "internal", "Something went wrong", "A fault of the system, which is logged with the request's id.";
    UNAVAILABLE 503 "unavailable", "Not available now", "Something that is needed cannot be reached or is full: try again after Retry-After.";
    PROJECTION_BEHIND 503 "projection-behind", "The view has not caught up", "The position in Registrar-Min-Position was not reached in time: try again after Retry-After.";
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body, or `/query/<name>`, or `/headers/<name>`.
    #[schema(example = "/items/0/id")]
    pub pointer: String,
    /// A stable word for what is wrong: `missing`, `unknown`, `duplicate`, `invalid`, `length`, `range`, …
    #[schema(example = "missing")]
    pub code: String,
    /// The same for people.
    pub detail: String,
}

impl FieldError {
    /// Names one wrong field. A pointer may be made of the caller's own words, and is cut where it is long.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: cut(pointer.into()), code: code.into(), detail: cut(detail.into()) }
    }
}

/// The longest pointer or detail of one wrong field, in bytes.
const LONGEST: usize = 512;

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// The document that a refused caller gets, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// The type's URI.
    #[serde(rename = "type")]
    #[schema(example = "https://registrar.dev/problems/not-found")]
    pub type_uri: String,
    /// The type in a few words.
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// What else this type tells.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extensions: Map<String, Value>,
}

/// A refusal, or a fault, on its way to the caller.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: ProblemType,
    document: ProblemDocument,
    headers: HeaderMap,
}

impl Problem {
    /// A problem of the given type.
    #[must_use]
    pub fn new(kind: ProblemType) -> Self {
        let document = ProblemDocument {
            type_uri: format!("{TYPE_BASE}{}", kind.slug),
            title: kind.title,
            status: kind.status,
            detail: None,
            instance: None,
            errors: Vec::new(),
            extensions: Map::new(),
        };
        Self(Box::new(Parts { kind, document, headers: HeaderMap::new() }))
    }

    /// Says what happened this time, in the caller's words.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.document.detail = Some(detail.into());
        self
    }

    /// Adds wrong fields.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = FieldError>) -> Self {
        self.0.document.errors.extend(errors);
        self
    }

    /// Adds an extension member; one that has no JSON form is left out.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.document.extensions.insert(member.to_owned(), value);
        }
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Says when to try again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, seconds.into())
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> ProblemType {
        self.0.kind
    }

    /// The type's stable name.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        self.0.kind.slug
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What the caller is told.
    #[must_use]
    pub fn document(&self) -> &ProblemDocument {
        &self.0.document
    }

    pub(crate) fn at(mut self, instance: &str) -> Self {
        self.0.document.instance = Some(instance.to_owned());
        self
    }

    /// 500: logs the error with its causes and tells the caller nothing of them.
    #[must_use]
    pub fn internal(error: &dyn Error) -> Self {
        telemetry::error(error, "a request failed");
        Self::new(INTERNAL)
    }

    /// 503: something that is needed cannot be reached; says when to try again.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self::new(UNAVAILABLE).detail(detail).retry_after(retry_after_seconds)
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(NOT_FOUND)
    }

    /// 403.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(FORBIDDEN).detail(detail)
    }

    /// 422 with the fields that are wrong.
    #[must_use]
    pub fn invalid(errors: impl IntoIterator<Item = FieldError>) -> Self {
        Self::new(INVALID_REQUEST).errors(errors)
    }

    /// 422 with one field that is wrong.
    #[must_use]
    pub fn invalid_field(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid([FieldError::new(pointer, code, detail)])
    }

    /// 401, with the challenge that RFC 6750 asks for.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(UNAUTHENTICATED).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 401 for a token that is not good; it does not say why.
    #[must_use]
    pub fn invalid_token() -> Self {
        let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
        Self::new(INVALID_TOKEN).header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 429 with the time to wait.
    #[must_use]
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        Self::new(TOO_MANY_REQUESTS).retry_after(retry_after_seconds)
    }
}

impl From<ProblemType> for Problem {
    fn from(kind: ProblemType) -> Self {
        Self::new(kind)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.0.headers.clone(), Json(&self.0.document)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The problem that a response was made of, for what completes, logs and counts it.
pub(crate) fn of_response(response: &Response) -> Option<Arc<Problem>> {
    response.extensions().get::<Arc<Problem>>().cloned()
}

impl PartialSchema for Problem {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        ProblemDocument::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> std::borrow::Cow<'static, str> {
        "Problem".into()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        ProblemDocument::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[test]
    fn what_a_caller_called_a_field_is_cut_where_it_is_long() {
        let error = FieldError::new("/".repeat(1_000_000), "unknown", "ä".repeat(1_000));
        assert!(error.pointer.len() < 600 && error.detail.len() < 600 && error.detail.ends_with("ä…"));
        assert_eq!(FieldError::new("/email", "invalid", "must be one").pointer, "/email");
    }

    #[tokio::test]
    async fn a_problem_is_a_document_with_its_status_and_headers() {
        let problem = Problem::too_many_requests(7).detail("slow down").with("limit", 10);
        let response = problem.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 4096).await.unwrap()).unwrap();
        let expected = serde_json::json!({
            "type": "https://registrar.dev/problems/too-many-requests", "title": "Too many requests",
            "status": 429, "detail": "slow down", "limit": 10,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_fault_shows_nothing_of_its_cause() {
        let problem = Problem::internal(&std::io::Error::other("password=hunter2"));
        assert!(!serde_json::to_string(problem.document()).unwrap().contains("hunter2"));
    }

    #[test]
    fn the_contract_names_a_problem_and_its_field_errors() {
        #[derive(utoipa::OpenApi)]
        #[openapi(components(schemas(Problem)))]
        struct Contract;

        let contract = serde_json::to_value(<Contract as utoipa::OpenApi>::openapi()).unwrap();
        let schemas = &contract["components"]["schemas"];
        assert_eq!(schemas["Problem"]["required"], serde_json::json!(["type", "title", "status"]));
        assert_eq!(schemas["FieldError"]["required"], serde_json::json!(["pointer", "code", "detail"]));
    }

    #[test]
    fn slugs_are_unique_and_statuses_are_errors() {
        let mut slugs: Vec<_> = PROBLEMS.iter().map(|problem| problem.slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), PROBLEMS.len());
        assert!(PROBLEMS.iter().all(|problem| (400..600).contains(&problem.status)));
    }
}
