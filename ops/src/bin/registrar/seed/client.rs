//! The two APIs as this command uses them for sample data and imports: commands that may safely be sent twice, queries that wait for a position.
//!
//! Requests that meet a full queue, a rate limit or a server that is just starting are sent again, within a bound.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

/// The longest that one request may take.
const REQUEST_BOUND: Duration = Duration::from_secs(35);
/// The longest that a request is sent again and again.
const PATIENCE: Duration = Duration::from_mins(5);
/// The wait where the server names none.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest wait that a server is granted at once.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Why a request did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The API refused, and sending it again would not help.
    #[error("{request} was refused: {status} {slug}{}", with_detail(detail))]
    Refused {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The last part of the problem's type; empty where the answer was no problem document.
        slug: String,
        /// What the problem says.
        detail: String,
    },
    /// The API cannot be reached, or was too busy for too long.
    #[error("{request} had no answer after {} s of trying", PATIENCE.as_secs())]
    Unreachable {
        /// Method and path.
        request: String,
        /// What happened the last time; a refusal where there was an answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is not what the contract says.
    #[error("{request} answered without a usable `{member}`")]
    Answer {
        /// Method and path.
        request: String,
        /// What is missing.
        member: String,
    },
}

fn with_detail(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// A problem document, as much of it as is needed here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    r#type: String,
    title: String,
    detail: Option<String>,
    errors: Vec<Value>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose account it is.
    pub account_id: Uuid,
    /// Whether it can only set a password.
    pub must_set_password: bool,
    token: String,
}

impl Session {
    /// The access token.
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// An answered command.
#[derive(Debug)]
pub struct Done {
    request: String,
    body: Value,
}

impl Done {
    /// The id of what was created or changed.
    pub fn id(&self) -> Result<Uuid, ClientError> {
        let id = self.body["id"].as_str().and_then(|id| id.parse().ok());
        id.ok_or_else(|| self.lacks("id"))
    }

    /// A member of the answer that is a text.
    pub fn text(&self, member: &str) -> Result<String, ClientError> {
        self.body[member].as_str().map(str::to_owned).ok_or_else(|| self.lacks(member))
    }

    fn lacks(&self, member: &str) -> ClientError {
        ClientError::Answer { request: self.request.clone(), member: member.to_owned() }
    }
}

/// A client of both APIs that remembers the highest position that a command has reached.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    command_api: String,
    query_api: String,
    reached: AtomicI64,
}

impl Client {
    /// A client of the APIs at these base URLs.
    pub fn new(command_api: &str, query_api: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_BOUND).build().unwrap_or_default();
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Self { http, command_api: base(command_api), query_api: base(query_api), reached: AtomicI64::new(0) }
    }

    /// The highest position that a command has reached so far.
    pub fn reached(&self) -> i64 {
        self.reached.load(Ordering::Relaxed)
    }

    /// Posts a command. `key` names what it brings about: the same name always has the same Idempotency-Key, so that a
    /// command that was carried out without its answer arriving is not carried out again.
    pub async fn command(
        &self,
        session: Option<&Session>,
        path: &str,
        key: &str,
        body: Option<Value>,
    ) -> Result<Done, ClientError> {
        let key = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("registrar:sample-data:{key}").as_bytes()).to_string();
        let mut builder = self.http.post(format!("{}{path}", self.command_api)).header("Idempotency-Key", key);
        if let Some(body) = body {
            builder = builder.json(&body);
        }
        self.post(path, authorised(builder, session)).await
    }

    /// As [`Client::command`], and a refusal of one of these types means that it was done before.
    pub async fn ensure(
        &self,
        session: Option<&Session>,
        path: &str,
        key: &str,
        body: Option<Value>,
        done: &[&str],
    ) -> Result<Option<Done>, ClientError> {
        match self.command(session, path, key, body).await {
            Err(ClientError::Refused { slug, .. }) if done.contains(&slug.as_str()) => Ok(None),
            answered => answered.map(Some),
        }
    }

    /// Logs in, or answers `None` where the credentials are wrong.
    pub async fn log_in(&self, email: &str, password: &str) -> Result<Option<Session>, ClientError> {
        let path = "/v1/auth/login";
        let body = serde_json::json!({ "email": email, "password": password });
        let done = match self.post(path, self.http.post(format!("{}{path}", self.command_api)).json(&body)).await {
            Err(ClientError::Refused { slug, .. }) if slug == "wrong-credentials" => return Ok(None),
            answered => answered?,
        };
        let account_id = done.body["account"]["id"].as_str().and_then(|id| id.parse().ok());
        Ok(Some(Session {
            account_id: account_id.ok_or_else(|| done.lacks("account.id"))?,
            must_set_password: done.body["must_set_password"].as_bool().unwrap_or(false),
            token: done.text("access_token")?,
        }))
    }

    /// Asks a query that reflects at least everything that this client has done.
    pub async fn query(
        &self,
        session: &Session,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, ClientError> {
        let mut url = format!("{}{path}", self.query_api);
        if !parameters.is_empty() {
            let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
            url = format!("{url}?{encoded}");
        }
        let builder = self.http.get(url).header("Registrar-Min-Position", self.reached());
        self.send(Method::GET, path, authorised(builder, Some(session))).await
    }

    /// How far each projection has come, whatever that is.
    pub async fn projections(&self, session: &Session) -> Result<Value, ClientError> {
        let path = "/v1/projections";
        let builder = self.http.get(format!("{}{path}?limit=200", self.query_api));
        self.send(Method::GET, path, authorised(builder, Some(session))).await
    }

    /// Posts facts of another system, a JSON object a line, and gives the outcomes, a JSON object a line too. Sending
    /// them again changes nothing.
    pub async fn import(&self, session: &Session, source: &str, lines: String) -> Result<String, ClientError> {
        let path = format!("/v1/imports/{source}");
        let builder =
            self.http.post(format!("{}{path}", self.command_api)).header(CONTENT_TYPE, "application/x-ndjson");
        self.send_for_text(Method::POST, &path, authorised(builder.body(lines), Some(session))).await
    }

    /// Remembers a position that a command has reached.
    pub fn reach(&self, position: i64) {
        self.reached.fetch_max(position, Ordering::Relaxed);
    }

    async fn post(&self, path: &str, builder: RequestBuilder) -> Result<Done, ClientError> {
        let body = self.send(Method::POST, path, builder).await?;
        if let Some(position) = body["position"].as_i64() {
            self.reach(position);
        }
        Ok(Done { request: format!("POST {path}"), body })
    }

    /// Sends a request until it is answered for good.
    async fn send(&self, method: Method, path: &str, builder: RequestBuilder) -> Result<Value, ClientError> {
        let text = self.send_for_text(method, path, builder).await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn send_for_text(&self, method: Method, path: &str, builder: RequestBuilder) -> Result<String, ClientError> {
        let request = || format!("{method} {path}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (error, pause) = match attempt(&builder).await {
                Attempt::Answered(body) => return Ok(body),
                Attempt::Refused(status, problem) => return Err(refused(request(), status, problem)),
                Attempt::Busy(status, problem, pause) => (refused(request(), status, problem).into(), pause),
                Attempt::Failed(error) => (Box::from(error), PAUSE),
            };
            if Instant::now() + pause > deadline {
                return Err(ClientError::Unreachable { request: request(), source: error });
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn authorised(builder: RequestBuilder, session: Option<&Session>) -> RequestBuilder {
    match session {
        Some(session) => builder.bearer_auth(&session.token),
        None => builder,
    }
}

/// How one try ended.
enum Attempt {
    Answered(String),
    Refused(StatusCode, Problem),
    /// Worth another try after the pause.
    Busy(StatusCode, Problem, Duration),
    /// There was no whole answer.
    Failed(reqwest::Error),
}

async fn attempt(builder: &RequestBuilder) -> Attempt {
    // Every body here is held in memory, so that a request can be copied.
    let Some(builder) = builder.try_clone() else {
        return Attempt::Refused(StatusCode::BAD_REQUEST, Problem::default());
    };
    let response = match builder.send().await {
        Ok(response) => response,
        Err(error) if error.is_builder() => return Attempt::Refused(StatusCode::BAD_REQUEST, unusable(&error)),
        Err(error) => return Attempt::Failed(error),
    };
    let (status, pause) = (response.status(), find_pause(&response));
    let text = match response.text().await {
        Ok(text) => text,
        Err(error) => return Attempt::Failed(error),
    };
    if status.is_success() {
        return Attempt::Answered(text);
    }
    let problem: Problem = serde_json::from_str(&text).unwrap_or_default();
    let again = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => true,
        StatusCode::CONFLICT => matches!(slug(&problem), "conflict" | "idempotency-in-flight"),
        _ => false,
    };
    if again { Attempt::Busy(status, problem, pause.unwrap_or(PAUSE)) } else { Attempt::Refused(status, problem) }
}

/// A URL that cannot be used, for example because its scheme is not `http`.
fn unusable(error: &reqwest::Error) -> Problem {
    Problem { detail: Some(ops::config::chain(error)), ..Problem::default() }
}

fn find_pause(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(PAUSE, LONGEST_PAUSE))
}

fn slug(problem: &Problem) -> &str {
    problem.r#type.rsplit('/').next().unwrap_or_default()
}

fn refused(request: String, status: StatusCode, problem: Problem) -> ClientError {
    let slug = slug(&problem).to_owned();
    let mut detail = problem.detail.unwrap_or(problem.title);
    if !problem.errors.is_empty() {
        detail = format!("{detail} {}", Value::Array(problem.errors));
    }
    ClientError::Refused { request, status: status.as_u16(), slug, detail }
}
