//! Whether a process lives and is ready, for orchestrators and people.
//!
//! `/health/live` never asks a dependency: a database that is down is not mended by killing what waits for it.
//! `/health/ready` asks each time, with a bound. What is checked is registered by the process.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// The longest that one check may take.
const CHECK_BOUND: Duration = Duration::from_secs(2);

type Probe = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

struct Check {
    name: &'static str,
    required: bool,
    probe: Probe,
}

/// The checks of a process. It is not ready while one that is required is down, or while it is stopping.
pub struct Health {
    checks: Vec<Check>,
    stopping: CancellationToken,
}

impl Health {
    /// No checks yet; `stopping` is cancelled when the process begins to stop.
    #[must_use]
    pub fn new(stopping: CancellationToken) -> Self {
        Self { checks: Vec::new(), stopping }
    }

    /// Adds a check without which the process is not ready. The text of a failure is shown to anyone: no internals.
    #[must_use]
    pub fn required<P, F>(self, name: &'static str, probe: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, true, probe)
    }

    /// Adds a check that is shown and does not make the process unready.
    #[must_use]
    pub fn informational<P, F>(self, name: &'static str, probe: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, false, probe)
    }

    fn with<P, F>(mut self, name: &'static str, required: bool, probe: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push(Check { name, required, probe: Box::new(move || Box::pin(probe())) });
        self
    }

    /// Asks every check.
    pub async fn readiness(&self) -> Readiness {
        let results = join_all(self.checks.iter().map(Check::ask)).await;
        let ready =
            !self.stopping.is_cancelled() && results.iter().all(|(check, result)| !check.required || result.is_ok());
        let checks = results.into_iter().map(|(check, result)| (check.name, CheckResult::from(result))).collect();
        Readiness { status: if ready { ReadyStatus::Ready } else { ReadyStatus::NotReady }, checks }
    }

    /// The three routes, for the main port and the operations port.
    pub fn router<S: Clone + Send + Sync + 'static>(self: &Arc<Self>) -> Router<S> {
        Router::new()
            .route("/health", get(health))
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .with_state(self.clone())
    }
}

impl Check {
    async fn ask(&self) -> (&Self, Result<(), String>) {
        let asked = tokio::time::timeout(CHECK_BOUND, (self.probe)()).await;
        (self, asked.unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_BOUND.as_secs()))))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.checks.iter().map(|check| check.name)).finish()
    }
}

/// The answer of `/health` and `/health/live`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Liveness {
    /// `UP` or `ALIVE`.
    #[schema(example = "UP")]
    pub status: &'static str,
}

/// The answer of `/health/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether requests should be sent here.
    pub status: ReadyStatus,
    /// Each check by its name.
    pub checks: BTreeMap<&'static str, CheckResult>,
}

/// Whether requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReadyStatus {
    /// Yes: 200.
    Ready,
    /// No: 503.
    NotReady,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckResult {
    /// It is there.
    Up,
    /// It is not.
    Down {
        /// Why, in a few words.
        detail: String,
    },
}

impl From<Result<(), String>> for CheckResult {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(|detail| Self::Down { detail }, |()| Self::Up)
    }
}

/// The process runs.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Liveness)))]
pub async fn health() -> Json<Liveness> {
    Json(Liveness { status: "UP" })
}

/// The process runs; nothing else is asked.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, body = Liveness)))]
pub async fn live() -> Json<Liveness> {
    Json(Liveness { status: "ALIVE" })
}

/// The process and what it needs are there.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses(
    (status = 200, body = Readiness), (status = 503, body = Readiness, description = "Not ready")
))]
pub async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let readiness = health.readiness().await;
    let status = match readiness.status {
        ReadyStatus::Ready => StatusCode::OK,
        ReadyStatus::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;

    async fn get_json(health: Health, path: &str) -> (u16, Value) {
        let router: Router = Arc::new(health).router();
        let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn health() -> Health {
        Health::new(CancellationToken::new()).required("database", async || Ok(()))
    }

    #[tokio::test]
    async fn a_process_lives_whatever_its_dependencies_do() {
        let broken = || health().required("other", async || Err("gone".to_owned()));
        assert_eq!(get_json(broken(), "/health").await, (200, json!({"status": "UP"})));
        assert_eq!(get_json(broken(), "/health/live").await, (200, json!({"status": "ALIVE"})));
    }

    #[tokio::test]
    async fn an_informational_check_does_not_make_a_process_unready() {
        let health = health().informational("nats", async || Err("not reachable".to_owned()));
        let checks = json!({"database": {"status": "UP"}, "nats": {"status": "DOWN", "detail": "not reachable"}});
        assert_eq!(get_json(health, "/health/ready").await, (200, json!({"status": "READY", "checks": checks})));
    }

    #[tokio::test]
    async fn a_required_check_makes_a_process_unready() {
        let (status, body) = get_json(health().required("log", async || Err("gone".to_owned())), "/health/ready").await;
        assert_eq!(
            (status, &body["status"], &body["checks"]["log"]["detail"]),
            (503, &json!("NOT_READY"), &json!("gone"))
        );
    }

    #[tokio::test]
    async fn a_process_that_stops_is_not_ready() {
        let stopping = CancellationToken::new();
        stopping.cancel();
        assert_eq!(get_json(Health::new(stopping), "/health/ready").await.0, 503);
    }

    #[tokio::test]
    async fn a_check_that_does_not_answer_is_down() {
        let (status, body) = get_json(health().required("stuck", std::future::pending), "/health/ready").await;
        assert_eq!((status, &body["checks"]["stuck"]["detail"]), (503, &json!("no answer within 2 s")));
    }
}
