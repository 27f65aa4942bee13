//! What a query is answered from: one read-only transaction, so that rows and position are of one moment. (What is read
//! together with others needs none: `gather`.)
//!
//! It is bound to a tenant before anything is read, and row-level security keeps to it; that every statement names the
//! tenant too is the views' affair.

use crate::{
    consistency::{Positions, behind, min_position},
    session::{Plans, Session},
    state::State,
};
use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ETAG, IF_NONE_MATCH},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use ops::{http::POSITION, problem::Problem};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Opens snapshots for one request, as its headers ask.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: PgPool,
    positions: Positions,
    min_position: Option<i64>,
    if_none_match: Option<HeaderValue>,
}

impl FromRequestParts<State> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        Self::new(state, &parts.headers)
    }
}

impl Reader {
    fn new(state: &State, headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            pool: state.pool.clone(),
            positions: state.positions.clone(),
            min_position: min_position(headers)?,
            if_none_match: headers.get(IF_NONE_MATCH).cloned(),
        })
    }

    /// Begins a transaction in which a tenant's rows of these projections can be read, when they reflect the position
    /// that the request asks for. An empty list stands for every projection.
    pub async fn open(&self, tenant_id: Uuid, projections: &[&'static str]) -> Result<Snapshot, Problem> {
        self.open_planned(tenant_id, projections, Plans::ForValues).await
    }

    /// As [`Self::open`], for statements that look rows up by keys, none of which may be left out.
    pub async fn open_by_key(&self, tenant_id: Uuid, projections: &[&'static str]) -> Result<Snapshot, Problem> {
        self.open_planned(tenant_id, projections, Plans::Once).await
    }

    async fn open_planned(
        &self,
        tenant_id: Uuid,
        projections: &[&'static str],
        plans: Plans,
    ) -> Result<Snapshot, Problem> {
        let wanted = self.reach(projections).await?;
        let snapshot = Snapshot::begin(&self.pool, tenant_id, projections, plans).await?;
        match wanted {
            Some(wanted) if snapshot.position() < wanted => Err(behind(wanted, snapshot.position())),
            _ => Ok(Snapshot { if_none_match: self.if_none_match.clone(), ..snapshot }),
        }
    }

    /// Waits until the projections reflect the position that the request asks for, which is the answer.
    pub(crate) async fn reach(&self, projections: &[&str]) -> Result<Option<i64>, Problem> {
        if let Some(wanted) = self.min_position {
            self.positions.reach(projections, wanted).await?;
        }
        Ok(self.min_position)
    }
}

/// One moment of a tenant's read models.
#[derive(Debug)]
pub struct Snapshot {
    session: Session,
    tenant_id: Uuid,
    if_none_match: Option<HeaderValue>,
}

impl Snapshot {
    /// Begins a transaction in which a tenant's rows of these projections can be read.
    pub(crate) async fn begin(
        pool: &PgPool,
        tenant_id: Uuid,
        projections: &[&'static str],
        plans: Plans,
    ) -> Result<Self, sqlx::Error> {
        let session = Session::begin(pool.acquire().await?, tenant_id, projections, plans).await?;
        Ok(Self { session, tenant_id, if_none_match: None })
    }

    /// Where statements are executed.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.session.connection()
    }

    /// The tenant, for every `where`.
    pub const fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }

    /// The position that it reflects.
    pub const fn position(&self) -> i64 {
        self.session.position()
    }

    /// 404, as of this position.
    pub fn not_found(&self) -> Problem {
        Problem::not_found().header(POSITION, self.position().into())
    }

    /// The answer, with the position that it reflects.
    pub async fn answer<B: IntoResponse>(self, body: B) -> Result<Answer, Problem> {
        let position = self.position();
        self.session.end().await?;
        Ok(Answer::at(position, body))
    }

    /// As [`Snapshot::answer`] for one thing, whose stream's version stands in `ETag`, for `If-Match` of a command.
    pub async fn answer_version<B: Serialize>(self, body: B, version: i64) -> Result<Answer, Problem> {
        self.answer(([(ETAG, etag(version))], axum::Json(body))).await
    }

    /// As [`Snapshot::answer_version`] for a thing of which nothing changes without its version, so that who has this
    /// version already is answered 304.
    pub async fn answer_unless_known<B: Serialize>(self, body: B, version: i64) -> Result<Answer, Problem> {
        if self.if_none_match.as_ref().is_some_and(|known| names(known, &etag(version))) {
            return self.answer((StatusCode::NOT_MODIFIED, [(ETAG, etag(version))])).await;
        }
        self.answer_version(body, version).await
    }
}

/// One thing with its stream's version in `ETag` and the position that it reflects.
pub(crate) fn answer_version<B: Serialize>(body: B, version: i64, position: i64) -> Response {
    Answer::at(position, ([(ETAG, etag(version))], axum::Json(body))).0
}

/// An answer that says which position it reflects: `Registrar-Position`.
#[derive(Debug)]
pub struct Answer(Response);

impl Answer {
    /// A body that reflects the position.
    pub(crate) fn at(position: i64, body: impl IntoResponse) -> Self {
        let mut response = body.into_response();
        response.headers_mut().insert(POSITION, position.into());
        Self(response)
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self(response)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.0
    }
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// Whether an `If-None-Match` names an entity tag, by weak comparison (RFC 9110, section 13.1.2).
fn names(if_none_match: &HeaderValue, etag: &str) -> bool {
    let listed = if_none_match.to_str().unwrap_or_default().split(',').map(str::trim);
    listed.into_iter().any(|listed| listed == "*" || listed.strip_prefix("W/").unwrap_or(listed) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_compared_weakly() {
        for known in ["\"3\"", "W/\"3\"", "\"2\", \"3\"", "*"] {
            assert!(names(&HeaderValue::from_static(known), &etag(3)), "{known}");
        }
        for other in ["\"2\"", "3", "\"33\"", ""] {
            assert!(!names(&HeaderValue::from_static(other), &etag(3)), "{other}");
        }
    }
}
