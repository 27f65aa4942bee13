//! What anyone may read of this process: the keys that verify its tokens, and what its routes are.

use crate::openapi;
use axum::{
    Json,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
};
use ops::tokens::{Jwks, Verifier};

/// How long a key set may be kept, in seconds: a new key has to be known everywhere before the first token bears it.
const JWKS_MAX_AGE: &str = "public, max-age=300";

/// The public keys that verify access tokens, as a JSON Web Key Set (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "well-known", responses(
    (status = 200, description = "The key set", body = Jwks)
))]
pub async fn jwks(State(verifier): State<Verifier>) -> impl IntoResponse {
    ([(CACHE_CONTROL, JWKS_MAX_AGE)], Json(verifier.jwks()))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "well-known", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)
))]
pub async fn openapi_json() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::json())
}
