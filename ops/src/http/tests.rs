//! The rules that hold for every request, whatever its route.

use axum::{
    body::Bytes,
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::{extract::Json, page::NoFilter};

fn app() -> Router {
    app_for("https://app.example")
}

fn app_for(origins: &str) -> Router {
    let edge = Edge {
        uploads: &[("/v1/uploads", 70)],
        max_body_bytes: 64,
        request_timeout: Duration::from_millis(50),
        origins: origins.parse().unwrap(),
        trusted_proxies: 0,
    };
    let router = Router::new()
        .route("/v1/things/{id}", get(async |context: RequestContext| context.request_id))
        .route("/v1/things", post(async |body: Bytes| body))
        .route("/v1/uploads", post(async |body: Bytes| body).layer(DefaultBodyLimit::max(70)))
        .route("/v1/json", post(async |Json(_): Json<NoFilter>| ()))
        .route("/v1/slow", get(std::future::pending::<()>))
        .route("/v1/panic", get(panics))
        .route("/v1/refused", get(async || Problem::too_many_requests(3)));
    layers(router, edge)
}

async fn panics() -> &'static str {
    assert!(app_is_well(), "a secret");
    "well"
}

fn app_is_well() -> bool {
    false
}

async fn send(request: axum::http::request::Builder, body: impl Into<Body>) -> (StatusCode, HeaderMap, Value) {
    let response = app().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 65536).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn slug(body: &Value) -> &str {
    body["type"].as_str().and_then(|uri| uri.strip_prefix(problem::TYPE_BASE)).unwrap_or_default()
}

#[tokio::test]
async fn an_answer_carries_its_request_and_its_trace() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::get("/v1/things/1").header(REQUEST_ID, "r-1").header(TRACEPARENT, trace);
    let (status, headers, _) = send(request, Body::empty()).await;
    assert_eq!((status, &headers[REQUEST_ID]), (StatusCode::OK, &HeaderValue::from_static("r-1")));
    assert!(headers[TRACEPARENT].to_str().unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    for (name, value) in SECURITY_HEADERS {
        assert_eq!(headers[&name], value);
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_that_names_it() {
    let (status, headers, body) = send(Request::get("/v1/nothing?token=secret"), Body::empty()).await;
    assert_eq!((status, slug(&body), &body["instance"]), (StatusCode::NOT_FOUND, "not-found", &json!("/v1/nothing")));
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let (status, headers, body) = send(Request::delete("/v1/things/1"), Body::empty()).await;
    assert_eq!((status, slug(&body)), (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"));
    assert_eq!(headers[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn a_request_has_a_bounded_time() {
    let (status, _, body) = send(Request::get("/v1/slow"), Body::empty()).await;
    assert_eq!((status, slug(&body)), (StatusCode::REQUEST_TIMEOUT, "request-timeout"));
}

#[tokio::test]
async fn a_body_has_a_bounded_size_declared_or_not() {
    let declared = Request::post("/v1/things").header(header::CONTENT_LENGTH, "65");
    let (status, _, body) = send(declared, "x".repeat(65)).await;
    assert_eq!((status, slug(&body)), (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large"));
    let streamed = Request::post("/v1/json").header(header::CONTENT_TYPE, "application/json");
    let chunks = futures::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>("x".repeat(20))));
    let (status, _, body) = send(streamed, Body::from_stream(chunks)).await;
    assert_eq!((status, slug(&body)), (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large"));
}

#[tokio::test]
async fn an_upload_has_a_bound_of_its_own() {
    for (size, expected) in [(65, StatusCode::OK), (71, StatusCode::PAYLOAD_TOO_LARGE)] {
        let request = Request::post("/v1/uploads").header(header::CONTENT_LENGTH, size);
        assert_eq!(send(request, "x".repeat(size)).await.0, expected, "{size}");
    }
}

#[tokio::test]
async fn headers_have_a_bounded_size() {
    let request = Request::get("/v1/things/1").header("x-large", "x".repeat(MAX_HEADER_BYTES));
    let (status, _, body) = send(request, Body::empty()).await;
    assert_eq!((status, slug(&body)), (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large"));
}

#[tokio::test]
async fn a_wrong_content_type_is_refused() {
    let (status, _, body) = send(Request::post("/v1/json").header(header::CONTENT_TYPE, "text/plain"), "{}").await;
    assert_eq!((status, slug(&body)), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"));
}

#[tokio::test]
async fn a_panic_is_an_answer_that_shows_nothing_of_it() {
    let (status, _, body) = send(Request::get("/v1/panic"), Body::empty()).await;
    assert_eq!((status, slug(&body)), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    assert!(!body.to_string().contains("a secret"));
}

#[tokio::test]
async fn a_refusal_keeps_its_headers_and_says_where_it_happened() {
    let (_, headers, body) = send(Request::get("/v1/refused"), Body::empty()).await;
    assert_eq!((&headers[header::RETRY_AFTER], &body["instance"]), (&HeaderValue::from(3), &json!("/v1/refused")));
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false)] {
        let preflight = Request::options("/v1/things")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        let (status, headers, _) = send(preflight, Body::empty()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{origin}");

        let (_, headers, _) = send(Request::get("/v1/refused").header(header::ORIGIN, origin), Body::empty()).await;
        assert_eq!(headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{origin}");
        let exposed = headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(["registrar-position", "etag", "link", "retry-after"].iter().all(|name| exposed.contains(name)));
    }
}

#[tokio::test]
async fn where_no_origin_is_listed_none_may_call() {
    for method in [Method::OPTIONS, Method::GET] {
        let request = Request::builder()
            .method(method)
            .uri("/v1/refused")
            .header(header::ORIGIN, "https://app.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
        let response = app_for("").oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert!(response.status().is_client_error(), "{}", response.status());
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")));
    }
}

#[test]
fn a_header_that_is_nobodys_business_says_so() {
    let mut headers = HeaderMap::new();
    for (name, value) in [(header::COOKIE, "a=1"), (header::COOKIE, "b=2"), (header::ACCEPT, "*/*")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    hide_sensitive(&mut headers);
    let is_hidden = |name| headers.get_all(name).iter().map(HeaderValue::is_sensitive).collect::<Vec<_>>();
    assert_eq!((is_hidden(header::COOKIE), is_hidden(header::ACCEPT)), (vec![true, true], vec![false]));
}
