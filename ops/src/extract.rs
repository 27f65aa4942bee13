//! Extractors that answer with problems: JSON bodies, query strings, path parameters, commands without a body.
//!
//! A request is either taken whole or refused with every field that is wrong. How JSON becomes a value is in `decode`;
//! the bound on a body is set by `http`.

mod decode;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use validator::Validate;

pub use self::decode::decode_json;
pub(crate) use self::decode::decode_query;
use crate::problem::{MALFORMED_JSON, PAYLOAD_TOO_LARGE, Problem, UNSUPPORTED_MEDIA_TYPE};

/// A JSON body, parsed strictly and validated; as an answer, plain JSON.
///
/// Refusals: 413, 415, 400 `malformed-json`, 422 `invalid-request`. `T` has `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned + Validate,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        decode_json(&body(request).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The query string, validated. An unknown, repeated or wrong parameter is 422 with the pointer `/query/<name>`.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + Validate,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        decode_query(query_pairs(parts)).map(Self)
    }
}

pub(crate) fn query_pairs(parts: &Parts) -> Vec<(String, String)> {
    url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Path parameters. What cannot be one, such as a bad UUID, names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // PostgreSQL stores no NUL, so nothing has such a name.
        if parts.uri.path().contains("%00") {
            return Err(Problem::not_found());
        }
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Problem::not_found())
    }
}

/// The body of a command that takes none: empty, or `{}`.
#[derive(Clone, Copy, Debug)]
pub struct EmptyBody;

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct NoFields {}

impl<S: Send + Sync> FromRequest<S> for EmptyBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = body(request).await?;
        if !bytes.is_empty() {
            require_json(&headers)?;
            decode_json::<NoFields>(&bytes)?;
        }
        Ok(Self)
    }
}

/// 415 where the content type is neither `application/json` nor `application/…+json`.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    if subtype == "json" || subtype.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(UNSUPPORTED_MEDIA_TYPE).detail("Send the body with Content-Type: application/json."))
}

async fn body(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => PAYLOAD_TOO_LARGE.into(),
        _ => Problem::new(MALFORMED_JSON).detail("The body ended before it was complete."),
    })
}

#[cfg(test)]
mod tests;
