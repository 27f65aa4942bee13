//! A client as one ought to be: it sends each command with an `Idempotency-Key`, and where an answer does not come, it
//! sends the same again, to either of the command APIs, until it knows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rand::{RngExt, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::ledger::{Acknowledged, Doubt, Entry, Fate, Ledger};

/// The longest that a client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest that a command's fate may stay unknown.
const LONGEST_DOUBT: Duration = Duration::from_mins(2);
/// Between two tries.
const PAUSE: std::ops::Range<u64> = 50..400;

/// What a command must come to; anything else is a broken promise.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// Carried out, with so many events.
    Done(usize),
    /// Refused, with this problem.
    Refused(&'static str),
}

/// A command to send.
#[derive(Debug)]
pub struct Order {
    /// What it wants, for people.
    pub kind: &'static str,
    /// Where it goes.
    pub path: String,
    /// Who sends it.
    pub token: Option<String>,
    /// What it says.
    pub body: Body,
    /// What it must come to.
    pub expected: Expected,
    /// Whether `id` in the answer is the stream that `version` is of.
    pub names_stream: bool,
}

/// The body of a request.
#[derive(Debug)]
pub enum Body {
    /// JSON.
    Json(Value),
    /// What claims to be JSON.
    Raw(&'static str),
}

impl Order {
    /// A command that must be carried out.
    pub fn new(kind: &'static str, path: impl Into<String>, token: Option<&str>, body: Value) -> Self {
        Self {
            kind,
            path: path.into(),
            token: token.map(str::to_owned),
            body: Body::Json(body),
            expected: Expected::Done(1),
            names_stream: true,
        }
    }

    /// The same, to be refused.
    pub fn refused(self, problem: &'static str) -> Self {
        Self { expected: Expected::Refused(problem), ..self }
    }

    /// The same, with so many events.
    pub fn events(self, events: usize) -> Self {
        Self { expected: Expected::Done(events), ..self }
    }

    /// The same, answered with an id that is not a stream's.
    pub fn of_another_stream(self) -> Self {
        Self { names_stream: false, ..self }
    }
}

/// An answer that tells a command's fate.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    /// The body; null where it was none.
    pub body: Value,
    is_replay: bool,
}

impl Answer {
    /// The id of what was made.
    pub fn id(&self) -> Option<Uuid> {
        self.body["id"].as_str()?.parse().ok()
    }

    fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
    }

    fn is_done(&self) -> bool {
        self.status.is_success()
    }
}

/// What one try came to.
enum Try {
    Told(Answer),
    Unknown(Doubt),
    /// An answer that no fault excuses.
    Wrong(Answer),
}

/// A client of both command APIs and of the query API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    commands: Arc<[CommandApi]>,
    queries: String,
    ledger: Arc<Ledger>,
}

#[derive(Debug)]
struct CommandApi {
    url: String,
    /// When the latest request was sent that was carried out.
    served: Mutex<Option<Instant>>,
}

impl Client {
    /// A client of the APIs at these base URLs.
    pub fn new(commands: &[String], queries: String, ledger: Arc<Ledger>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap_or_default();
        let api = |url: &String| CommandApi { url: url.clone(), served: Mutex::default() };
        Self { http, commands: commands.iter().map(api).collect(), queries, ledger }
    }

    /// What the run has learnt.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether each command API has carried out a command that was sent after the moment.
    pub fn all_served_since(&self, moment: Instant) -> bool {
        let served = |api: &CommandApi| *api.served.lock().unwrap_or_else(PoisonError::into_inner);
        self.commands.iter().all(|api| served(api).is_some_and(|at| at >= moment))
    }

    /// Carries a command out, however often it has to be sent, and writes its fate down. The answer is none where it
    /// was not what it had to be, or never came.
    pub async fn carry_out(&self, rng: &mut StdRng, order: &Order) -> Option<Answer> {
        let (key, correlation_id) = (Uuid::from_u128(rng.random()), Uuid::from_u128(rng.random()));
        let started = Instant::now();
        loop {
            let api = &self.commands[rng.random_range(0..self.commands.len())];
            match self.attempt(api, order, key, correlation_id).await {
                Try::Told(answer) => return self.conclude(order, correlation_id, answer),
                Try::Unknown(doubt) => self.ledger.doubt(doubt),
                Try::Wrong(answer) => {
                    self.ledger.breach(format!("{} was answered {} {}", order.kind, answer.status, answer.body));
                }
            }
            if started.elapsed() > LONGEST_DOUBT {
                let seconds = LONGEST_DOUBT.as_secs();
                self.ledger.breach(format!(
                    "the fate of {} (correlation {correlation_id}) was not known after {seconds} s",
                    order.kind
                ));
                return None;
            }
            sleep(Duration::from_millis(rng.random_range(PAUSE))).await;
        }
    }

    async fn attempt(&self, api: &CommandApi, order: &Order, key: Uuid, correlation_id: Uuid) -> Try {
        let sent = Instant::now();
        let mut request = self
            .http
            .request(Method::POST, format!("{}{}", api.url, order.path))
            .header("Idempotency-Key", key.to_string())
            .header("X-Correlation-Id", correlation_id.to_string());
        if let Some(token) = &order.token {
            request = request.bearer_auth(token);
        }
        request = match &order.body {
            Body::Json(body) => request.json(body),
            Body::Raw(text) => request.header("Content-Type", "application/json").body(*text),
        };
        let broken =
            |error: &reqwest::Error| Try::Unknown(if error.is_timeout() { Doubt::Slow } else { Doubt::Broken });
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return broken(&error),
        };
        let status = response.status();
        let is_replay = response.headers().contains_key("idempotency-replayed");
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => return broken(&error),
        };
        let answer = Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), is_replay };
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Try::Unknown(Doubt::Busy)
            }
            StatusCode::CONFLICT if matches!(answer.problem(), "conflict" | "idempotency-in-flight") => {
                Try::Unknown(Doubt::Busy)
            }
            status if status.is_server_error() => Try::Wrong(answer),
            _ => {
                if answer.is_done() {
                    let mut served = api.served.lock().unwrap_or_else(PoisonError::into_inner);
                    *served = (*served).max(Some(sent));
                }
                Try::Told(answer)
            }
        }
    }

    fn conclude(&self, order: &Order, correlation_id: Uuid, answer: Answer) -> Option<Answer> {
        let is_expected = match order.expected {
            Expected::Done(_) => answer.is_done(),
            Expected::Refused(problem) => !answer.is_done() && answer.problem() == problem,
        };
        if !is_expected {
            self.ledger.breach(format!(
                "{} (correlation {correlation_id}) had to be {:?}, and was answered {} {}",
                order.kind, order.expected, answer.status, answer.body
            ));
        }
        let fate = if answer.is_done() { self.acknowledged(order, &answer) } else { Fate::Refused };
        self.ledger.enter(Entry { kind: order.kind, correlation_id, fate }, answer.is_replay);
        is_expected.then_some(answer)
    }

    fn acknowledged(&self, order: &Order, answer: &Answer) -> Fate {
        let number = |member: &str| answer.body[member].as_i64();
        let (Some(position), Some(version)) = (number("position"), number("version")) else {
            self.ledger.breach(format!("{} was answered without position and version: {}", order.kind, answer.body));
            return Fate::Refused;
        };
        Fate::Acknowledged(Acknowledged {
            events: if let Expected::Done(events) = order.expected { events } else { 1 },
            position,
            stream: answer.id().filter(|_| order.names_stream),
            version,
        })
    }

    /// Asks a query that must reflect the position, once: the body, or none where there was no answer just now.
    pub async fn query(&self, path: &str, token: Option<&str>, position: i64) -> Option<Value> {
        let mut request =
            self.http.get(format!("{}{path}", self.queries)).header("Registrar-Min-Position", position.to_string());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let reflected =
            response.headers().get("registrar-position").and_then(|value| value.to_str().ok()?.parse().ok());
        let body: Value = response.json().await.ok()?;
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::REQUEST_TIMEOUT {
            return None;
        }
        if status != StatusCode::OK {
            self.ledger.breach(format!("GET {path} was answered {status} {body}"));
            return None;
        }
        if reflected.is_none_or(|reflected: i64| reflected < position) {
            self.ledger.breach(format!("GET {path} reflects position {reflected:?}, and {position} was asked for"));
        }
        Some(body)
    }
}
