//! Who calls: the bearer token (RFC 6750) of a request, verified.
//!
//! These extractors answer 401 and 403 for the token itself; what a role may do is decided by the handlers.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header::AUTHORIZATION, request::Parts},
};
use uuid::Uuid;

use crate::{
    problem::{PASSWORD_CHANGE_REQUIRED, Problem},
    tokens::{Claims, TokenError, TokenScope, Verifier},
};

/// A caller with a token that allows everything its role may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account_id: Uuid,
    /// The account's tenant.
    pub tenant_id: Uuid,
    /// The session.
    pub session_id: Uuid,
    /// The account's role.
    pub role: String,
    /// What the token allows at all.
    pub scope: TokenScope,
}

/// A caller with any good token, also one that can only set a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyScopeCaller(pub Caller);

/// A caller who may be anyone: no token is nobody, a bad one is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybeCaller(pub Option<Caller>);

impl Caller {
    fn new(claims: &Claims) -> Self {
        Self {
            account_id: claims.sub,
            tenant_id: claims.tid,
            session_id: claims.sid,
            role: claims.role.clone(),
            scope: claims.scope,
        }
    }

    fn fully(self) -> Result<Self, Problem> {
        match self.scope {
            TokenScope::Full => Ok(self),
            TokenScope::SetPassword => Err(PASSWORD_CHANGE_REQUIRED.into()),
        }
    }
}

impl<S> FromRequestParts<S> for MaybeCaller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        find_caller(parts, state)?.map(Caller::fully).transpose().map(Self)
    }
}

impl<S> FromRequestParts<S> for AnyScopeCaller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        find_caller(parts, state)?.map(Self).ok_or_else(Problem::unauthenticated)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        find_caller(parts, state)?.ok_or_else(Problem::unauthenticated)?.fully()
    }
}

fn find_caller<S>(parts: &Parts, state: &S) -> Result<Option<Caller>, Problem>
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = header.to_str().ok().and_then(bearer_token).ok_or_else(Problem::invalid_token)?;
    let claims = Verifier::from_ref(state).verify(token).map_err(|error| {
        tracing::debug!(error = crate::config::chain(&error), "a token was refused");
        match error {
            TokenError::SessionsUnknown => Problem::unavailable("This process has just started.", 1),
            TokenError::SessionEnded => Problem::invalid_token().detail("The session has ended: log in again."),
            _ => Problem::invalid_token(),
        }
    })?;
    Ok(Some(Caller::new(&claims)))
}

fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{
        Router,
        body::Body,
        http::{Request, Response, header::WWW_AUTHENTICATE},
        routing::get,
    };
    use chrono::Utc;
    use tower::ServiceExt;

    use super::*;
    use crate::tokens::{Grant, Signer, generate_signing_key_pem};

    async fn call(path: &str, authorization: Option<&str>, signer: &Signer) -> Response<Body> {
        let router = Router::new()
            .route("/full", get(async |caller: Caller| caller.role))
            .route("/any", get(async |AnyScopeCaller(caller): AnyScopeCaller| caller.role))
            .route(
                "/maybe",
                get(async |MaybeCaller(caller): MaybeCaller| caller.map_or_else(String::new, |it| it.role)),
            )
            .with_state(Verifier::from_jwks(&signer.jwks(), "i", "a").unwrap());
        let mut request = Request::get(path);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn signer() -> Signer {
        Signer::from_pem(&generate_signing_key_pem().unwrap(), "i", "a", Duration::from_mins(1)).unwrap()
    }

    fn bearer(signer: &Signer, scope: TokenScope) -> String {
        let (account_id, tenant_id, session_id) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let grant = Grant { account_id, tenant_id, session_id, role: "learner".to_owned(), scope };
        format!("Bearer {}", signer.issue(grant, Utc::now()).unwrap().0)
    }

    #[tokio::test]
    async fn without_a_token_a_caller_is_challenged() {
        let signer = signer();
        for path in ["/full", "/any"] {
            let response = call(path, None, &signer).await;
            assert_eq!(response.status(), 401);
            assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        }
        assert_eq!(call("/maybe", None, &signer).await.status(), 200);
    }

    #[tokio::test]
    async fn a_bad_token_is_refused_even_where_none_is_needed() {
        let signer = signer();
        for path in ["/full", "/any", "/maybe"] {
            for bad in ["Bearer nonsense", "Bearer ", "Basic YTpi"] {
                let response = call(path, Some(bad), &signer).await;
                assert_eq!(response.status(), 401);
                assert_eq!(response.headers()[WWW_AUTHENTICATE], r#"Bearer error="invalid_token""#);
            }
        }
    }

    #[tokio::test]
    async fn a_token_that_only_sets_a_password_does_nothing_else() {
        let signer = signer();
        let (full, narrow) = (bearer(&signer, TokenScope::Full), bearer(&signer, TokenScope::SetPassword));
        for (path, token, status) in [
            ("/full", &full, 200),
            ("/any", &full, 200),
            ("/maybe", &full, 200),
            ("/full", &narrow, 403),
            ("/any", &narrow, 200),
            ("/maybe", &narrow, 403),
        ] {
            assert_eq!(call(path, Some(token), &signer).await.status(), status, "{path}");
        }
    }
}
