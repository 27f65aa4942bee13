//! From a request to the [`Context`] of its command: who asks, and the headers `Idempotency-Key` and `If-Match`.
//!
//! As an extractor, [`Context`] itself asks for a token that may do everything its role may; [`AnyScope`] also takes one
//! that can only set a password, and [`Anonymous`] asks for none. What a role may do is left to the domain.

use crate::{
    execute::{Actor, Context, Executor, IdempotencyKey},
    state::State,
    tenancy,
};
use axum::{
    RequestExt,
    body::{Body, Bytes},
    extract::{FromRequestParts, Request},
    http::{HeaderMap, header::IF_MATCH, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{SubsecRound, Utc};
use events::{log::Keyring, tenant::DEFAULT_TENANT};
use http_body_util::{BodyExt, LengthLimitError};
use ops::{
    caller::{AnyScopeCaller, Caller},
    context::RequestContext,
    http::{IDEMPOTENCY_KEY, Middleware, Next, TENANT, answer},
    problem::{IDEMPOTENCY_KEY_REQUIRED, MALFORMED_JSON, PAYLOAD_TOO_LARGE, Problem},
    tokens::TokenScope,
};
use std::net::IpAddr;

/// Longest `Idempotency-Key`, in characters.
const KEY_MAX_LENGTH: usize = 255;

/// The context of somebody who need not sign in. A token that is sent all the same is not looked at.
#[derive(Debug, Clone)]
pub struct Anonymous(pub Context);

/// The context of somebody who signed in, also with a temporary password.
#[derive(Debug, Clone)]
pub struct AnyScope(pub Context, pub TokenScope);

/// Where a client is, for limits.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

impl Anonymous {
    /// The context within the tenant that the body names; 422 where there is no such tenant.
    pub async fn in_tenant(self, executor: &Executor, slug: Option<&str>) -> Result<Context, Problem> {
        let Some(slug) = slug else { return Ok(self.0) };
        let unknown = || Problem::invalid_field("/tenant", "unknown", "there is no organisation of this name");
        let tenant_id = tenancy::find(executor, slug).await?.ok_or_else(unknown)?;
        Ok(Context { tenant_id, ..self.0 })
    }
}

impl FromRequestParts<State> for Context {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let context = signed_in(parts, state, &caller)?;
        match (named_tenant(&parts.headers)?, context.actor) {
            (Some(name), Some(actor)) => {
                let entered = Box::pin(tenancy::enter(&state.executor, actor.role, name)).await?;
                Ok(context.acting_in(entered))
            }
            _ => Ok(context),
        }
    }
}

impl FromRequestParts<State> for AnyScope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let AnyScopeCaller(caller) = AnyScopeCaller::from_request_parts(parts, state).await?;
        if named_tenant(&parts.headers)?.is_some() {
            return Err(Problem::forbidden("This is about your own session: leave out Registrar-Tenant."));
        }
        Ok(Self(signed_in(parts, state, &caller)?, caller.scope))
    }
}

impl FromRequestParts<State> for Anonymous {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        read(parts, state).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(RequestContext::of(parts).client_address))
    }
}

fn signed_in(parts: &Parts, state: &State, caller: &Caller) -> Result<Context, Problem> {
    let role = caller.role.parse().map_err(|_| Problem::invalid_token())?;
    let actor = Actor { account_id: caller.account_id.into(), role, session_id: caller.session_id.into() };
    let context = read(parts, state)?;
    Ok(Context { tenant_id: caller.tenant_id.into(), actor: Some(actor), ..context })
}

/// `Registrar-Tenant`: one slug or id.
fn named_tenant(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut sent = headers.get_all(TENANT).iter();
    match (sent.next().map(|value| value.to_str()), sent.next()) {
        (None, _) => Ok(None),
        (Some(Ok(name)), None) => Ok(Some(name)),
        _ => Err(Problem::invalid_field(format!("/headers/{TENANT}"), "invalid", "must be one slug or id")),
    }
}

fn read(parts: &Parts, state: &State) -> Result<Context, Problem> {
    let request = RequestContext::of(parts);
    Ok(Context {
        tenant_id: DEFAULT_TENANT,
        actor: None,
        actor_tenant_id: None,
        // To the microsecond, as the log keeps it.
        now: Utc::now().trunc_subsecs(6),
        correlation_id: request.correlation_id,
        traceparent: Some(request.traceparent.clone()),
        address: request.client_address.map(|address| address.to_string()),
        agent: request.user_agent.clone(),
        idempotency: idempotency_key(parts, &state.keyring)?,
        if_match: if_match(&parts.headers)?,
        import: None,
    })
}

fn idempotency_key(parts: &Parts, keyring: &Keyring) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = find_key(&parts.headers)? else { return Ok(None) };
    let body = parts.extensions.get::<RequestBody>().map_or(&[][..], |body| &body.0);
    // A body may hold a password, which a plain hash would give away to whoever tries many; a keyed one does not.
    let request_hash = keyring.request_digest(&of_which_a_digest_is_taken(parts, body));
    Ok(Some(IdempotencyKey { key, request_hash }))
}

/// What makes two requests the same, in pieces: method, path and body.
fn of_which_a_digest_is_taken<'a>(parts: &'a Parts, body: &'a [u8]) -> [&'a [u8]; 5] {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    [parts.method.as_str().as_bytes(), b"\n", target.as_bytes(), b"\n", body]
}

fn find_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let is_usable = (1..=KEY_MAX_LENGTH).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key) if is_usable && sent.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(IDEMPOTENCY_KEY_REQUIRED)
            .detail("The header Idempotency-Key is one value of 1 to 255 visible ASCII characters.")),
    }
}

/// `If-Match` (RFC 9110, section 13.1.1): one entity tag as answers carry it, `"3"`, or `*`, which matches any version.
fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let mut sent = headers.get_all(IF_MATCH).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let value = value.to_str().unwrap_or_default().trim();
    let version = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|tag| tag.parse().ok());
    match (value, version, sent.next()) {
        ("*", _, None) => Ok(None),
        (_, Some(version), None) if version > 0 => Ok(Some(version)),
        _ => Err(Problem::invalid_field("/headers/if-match", "invalid", r#"must be one ETag, such as "3", or *"#)),
    }
}

/// The body of a request that has an `Idempotency-Key`.
#[derive(Debug, Clone)]
struct RequestBody(Bytes);

/// Reads the body of a request that has an `Idempotency-Key`, within the bound on bodies, and keeps it for its digest.
#[derive(Debug, Clone, Copy)]
pub struct KeepingBody;

impl Middleware for KeepingBody {
    async fn handle(self, request: Request, next: impl Next) -> Response {
        match read_body(request).await {
            Ok(request) => answer(next, request).await,
            Err(problem) => problem.into_response(),
        }
    }
}

async fn read_body(request: Request) -> Result<Request, Problem> {
    if !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return Ok(request);
    }
    let (parts, body) = request.with_limited_body().into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if is_too_large(&error) => return Err(PAYLOAD_TOO_LARGE.into()),
        Err(_) => return Err(Problem::new(MALFORMED_JSON).detail("The body ended before it was complete.")),
    };
    let mut request = Request::from_parts(parts, Body::from(body.clone()));
    request.extensions_mut().insert(RequestBody(body));
    Ok(request)
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.any(<dyn std::error::Error>::is::<LengthLimitError>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Router,
        extract::{DefaultBodyLimit, FromRequest},
        http::{HeaderName, HeaderValue, Method, StatusCode},
        routing::post,
    };
    use ops::http::Around;
    use tower::ServiceExt;

    #[test]
    fn the_operators_command_is_whom_the_log_calls_the_operator() {
        assert_eq!(ops::operator::OPERATOR_ID, events::ids::AccountId::OPERATOR.as_uuid());
        assert_eq!(ops::operator::DEFAULT_TENANT_ID, DEFAULT_TENANT.as_uuid());
        assert_eq!(ops::operator::OPERATOR_ROLE.parse(), Ok(events::Role::Operator));
    }

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn an_idempotency_key_is_one_value_of_visible_ascii() {
        let key = |values: &[&str]| find_key(&headers(&IDEMPOTENCY_KEY, values)).map_err(|problem| problem.slug());
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["pay-1"]), Ok(Some("pay-1".to_owned())));
        assert_eq!(key(&["x".repeat(255).as_str()]), Ok(Some("x".repeat(255))));
        for wrong in [&[""][..], &["a b"], &["x".repeat(256).as_str()], &["a", "b"], &["caf\u{e9}"]] {
            assert_eq!(key(wrong), Err("idempotency-key-required"), "{wrong:?}");
        }
    }

    #[test]
    fn if_match_is_one_version_or_any() {
        let seen = |values: &[&str]| if_match(&headers(&IF_MATCH, values)).map_err(|problem| problem.slug());
        assert_eq!(seen(&[]), Ok(None));
        assert_eq!(seen(&["*"]), Ok(None));
        assert_eq!(seen(&["\"3\""]), Ok(Some(3)));
        for wrong in [&["3"][..], &["\"three\""], &["W/\"3\""], &["\"3\", \"4\""], &["\"0\""], &["\"3\"", "\"4\""]] {
            assert_eq!(seen(wrong), Err("invalid-request"), "{wrong:?}");
        }
    }

    async fn echo(request: Request) -> String {
        let (parts, body) = request.into_parts();
        let known = parts.extensions.get::<RequestBody>().map_or(&[][..], |body| &body.0);
        let digested = of_which_a_digest_is_taken(&parts, known).concat();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await.unwrap();
        format!("{}|{}", String::from_utf8_lossy(&digested), String::from_utf8_lossy(&body))
    }

    async fn send(method: Method, path: &str, key: Option<&str>, body: &str) -> (StatusCode, String) {
        let router = Router::new()
            .route("/{*path}", post(echo).patch(echo))
            .layer(Around(KeepingBody))
            .layer(DefaultBodyLimit::max(16));
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let response = router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_digest_is_of_method_path_and_body_and_the_body_goes_on() {
        let (_, first) = send(Method::POST, "/a?b=c", Some("k"), "body").await;
        assert_eq!(first, "POST\n/a?b=c\nbody|body");
        let (_, again) = send(Method::PATCH, "/a", Some("other"), "").await;
        assert_eq!(again, "PATCH\n/a\n|");
    }

    #[tokio::test]
    async fn a_body_is_read_for_its_digest_only_within_its_bound() {
        let (status, _) = send(Method::POST, "/a", Some("k"), &"x".repeat(17)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let (status, body) = send(Method::POST, "/a", None, "body").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "POST\n/a\n|body"));
    }
}
