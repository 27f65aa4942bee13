//! The edge of every HTTP process: what happens to a request before its route and to an answer after it.
//!
//! From the outside in: identity, trace, log and metrics (`observe`); CORS, where any origin is allowed; bounds on headers,
//! body and time, and a catch for panics (`guard`); then the routes. How a process listens is in `serve`. TLS, and with it
//! HSTS, is left to the gateway, which alone knows that the way to the browser is encrypted.

mod middleware;
mod serve;

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, OriginalUri, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, header::Entry},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;
use tracing::Instrument;

pub use self::{
    middleware::{Around, Middleware, Next, Surrounded, answer},
    serve::{Listening, ServeError, operations_router, serve, serve_operations},
};
use crate::{
    config::{HttpArgs, Origins},
    context::{CORRELATION_ID, REQUEST_ID, RequestContext, TRACEPARENT},
    metrics::{HttpMetrics, count_refusal},
    problem::{self, HEADERS_TOO_LARGE, INTERNAL, METHOD_NOT_ALLOWED, PAYLOAD_TOO_LARGE, Problem, REQUEST_TIMEOUT},
};

/// The position that a command reached, or that a query reflects.
pub const POSITION: HeaderName = HeaderName::from_static("registrar-position");
/// The position that a query must reflect.
pub const MIN_POSITION: HeaderName = HeaderName::from_static("registrar-min-position");
/// Names a command, so that repeating it carries it out once.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` on an answer that was given before.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Names the tenant, by slug or id, in which a superadmin acts who is of another.
pub const TENANT: HeaderName = HeaderName::from_static("registrar-tenant");

/// The names and values of a request's headers may have this many bytes in all; more is answered 431.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Headers whose values no log shows.
const SENSITIVE_HEADERS: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, IDEMPOTENCY_KEY];

const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
];

/// The bounds of the edge.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// The routes whose bodies have a bound of their own, and that bound.
    pub uploads: &'static [(&'static str, usize)],
    /// The longest that a request may take.
    pub request_timeout: Duration,
    /// The web origins that browsers may call from.
    pub origins: Origins,
    /// How many proxies of one's own stand in front.
    pub trusted_proxies: u8,
}

impl Edge {
    /// The largest body that a request may have.
    fn max_body_of(&self, request: &Request) -> usize {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let upload = self.uploads.iter().find(|(path, _)| route == Some(*path));
        upload.map_or(self.max_body_bytes, |(_, bound)| *bound)
    }
}

impl From<&HttpArgs> for Edge {
    fn from(args: &HttpArgs) -> Self {
        Self {
            max_body_bytes: args.max_body_bytes,
            uploads: &[],
            request_timeout: args.request_timeout(),
            origins: args.cors_allowed_origins.clone(),
            trusted_proxies: args.trusted_proxies,
        }
    }
}

/// Puts the edge around a whole router; call it last.
pub fn layers(router: Router, edge: Edge) -> Router {
    let cors = (!edge.origins.0.is_empty()).then(|| cors(&edge.origins));
    let edge = Arc::new(edge);
    // All of it is one layer, since the router boxes and clones each that it is given for every request.
    let stack = ServiceBuilder::new()
        .layer(Around(Observe(edge.clone())))
        .option_layer(cors)
        .layer(Around(Guard(edge.clone())))
        .layer(DefaultBodyLimit::max(edge.max_body_bytes));
    router
        .method_not_allowed_fallback(async || Problem::new(METHOD_NOT_ALLOWED))
        .fallback(async || Problem::not_found())
        .layer(stack)
}

fn cors(origins: &Origins) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.0.clone())
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            IDEMPOTENCY_KEY,
            MIN_POSITION,
            TENANT,
            TRACEPARENT,
            REQUEST_ID,
            CORRELATION_ID,
        ])
        .expose_headers([
            POSITION,
            header::ETAG,
            header::LOCATION,
            header::LINK,
            header::RETRY_AFTER,
            IDEMPOTENCY_REPLAYED,
            TRACEPARENT,
            REQUEST_ID,
        ])
        .max_age(Duration::from_mins(10))
}

/// Gives the request its context, and completes, logs and counts the answer.
#[derive(Clone)]
struct Observe(Arc<Edge>);

impl Middleware for Observe {
    async fn handle(self, request: Request, next: impl Next) -> Response {
        observe(&self.0, request, next).await
    }
}

async fn observe(edge: &Edge, mut request: Request, next: impl Next) -> Response {
    let measured = HttpMetrics::arrived();
    hide_sensitive(request.headers_mut());
    let context = Arc::new(RequestContext::read(request.headers(), request.extensions(), edge.trusted_proxies));
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let original = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri.clone());
    let uri = original.unwrap_or_else(|| request.uri().clone());
    request.extensions_mut().insert(context.clone());

    // At the level of errors, so that no filter takes the request's id away from the lines that it lets through.
    let span = tracing::error_span!("request", request_id = context.request_id, trace_id = context.trace_id);
    async {
        let mut response = answer(next, request).await;
        let status = response.status().as_u16();
        if let Some(problem) = problem::of_response(&response) {
            count_refusal(problem.slug());
            let wrong: Vec<&str> = problem.document().errors.iter().map(|error| error.pointer.as_str()).collect();
            tracing::warn!(problem = problem.slug(), method, route, status, fields = wrong.join(" "), "refused");
            response = complete(response, &problem, uri.path());
        }
        put_headers(response.headers_mut(), &context);
        let latency_ms = measured.answered(method, route, status).as_secs_f64() * 1000.0;
        if route.starts_with("/health") {
            tracing::debug!(target: "access", method, route, status, latency_ms, "answered");
        } else {
            tracing::info!(target: "access", method, route, status, latency_ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

fn hide_sensitive(headers: &mut HeaderMap) {
    for name in SENSITIVE_HEADERS {
        // Seldom is there more than one value, and `get_mut` would find the first alone.
        if let Entry::Occupied(mut values) = headers.entry(name) {
            values.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

/// Writes the problem again with the request's path; headers that were added on the way stay.
fn complete(response: Response, problem: &Problem, path: &str) -> Response {
    let (mut parts, _) = response.into_parts();
    let body = problem.clone().at(path).into_response().into_body();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body)
}

fn put_headers(headers: &mut HeaderMap, context: &RequestContext) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in [(REQUEST_ID, &context.request_id), (TRACEPARENT, &context.traceparent)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// Bounds a request's headers, body and time, and turns a panic into an answer.
#[derive(Clone)]
struct Guard(Arc<Edge>);

impl Middleware for Guard {
    async fn handle(self, request: Request, next: impl Next) -> Response {
        guard(&self.0, request, next).await
    }
}

async fn guard(edge: &Edge, request: Request, next: impl Next) -> Response {
    let header_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.as_bytes().len()).sum();
    if header_bytes > MAX_HEADER_BYTES {
        return Problem::new(HEADERS_TOO_LARGE).into_response();
    }
    if declared_length(request.headers()).is_some_and(|length| length > edge.max_body_of(&request)) {
        return Problem::new(PAYLOAD_TOO_LARGE).into_response();
    }
    let handled = AssertUnwindSafe(answer(next, request)).catch_unwind();
    match tokio::time::timeout(edge.request_timeout, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => panicked(&*panic),
        Err(_) => Problem::new(REQUEST_TIMEOUT).into_response(),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn panicked(panic: &(dyn Any + Send)) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("without a message"), "a handler panicked");
    Problem::new(INTERNAL).into_response()
}

/// A label has few values; methods that no route has share one.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests;
