//! A Registrar of the test's own: three processes, two databases, one stream, and a client.

use base64::{Engine, engine::general_purpose::STANDARD};
use ops::tokens::{Signer, generate_signing_key_pem};
use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    env,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use testkit::{TestDatabase, TestStream, eventually};

pub const BOOTSTRAP_TOKEN: &str = "a-bootstrap-token-for-one-test";
pub const PASSWORD: &str = "violet-harbour-candle-42";

/// The running system; it is killed with this value.
pub struct World {
    processes: Vec<Child>,
    pub command_api: String,
    pub query_api: String,
    client: Client,
    _log: TestDatabase,
    _read: TestDatabase,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body of an answer of this status; any other fails the test and shows the problem.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The last part of the problem's type, of an answer of this status.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        let body = self.expect(status);
        body["type"].as_str().expect("a problem").rsplit('/').next().unwrap().to_owned()
    }
}

fn binary(name: &str) -> PathBuf {
    let folder =
        env::var("REGISTRAR_BIN_DIR").expect("run the tests with `cargo ops test`, which builds the processes");
    PathBuf::from(folder).join(name)
}

/// Ports that were free a moment ago, all different.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl World {
    pub async fn start() -> Self {
        let (log, read, stream) = (TestDatabase::log().await, TestDatabase::read().await, TestStream::unique());
        let pem = generate_signing_key_pem().unwrap();
        let signer = Signer::from_pem(&pem, "registrar", "registrar", Duration::from_mins(15)).unwrap();
        let jwks = serde_json::to_string(&signer.jwks()).unwrap();
        let [commands, queries, op_commands, op_projector, op_queries] = free_ports();
        let local = |port: u16| format!("127.0.0.1:{port}");

        let mut processes = Vec::new();
        let mut start = |name: &str, operations: u16, settings: &[(&str, &str)]| {
            let child = Command::new(binary(name))
                .env_clear()
                .env("OPERATIONS_ADDRESS", local(operations))
                .env("LOG_LEVEL", "warn")
                .env("DATABASE_POOL_SIZE", "6")
                .envs(settings.iter().copied())
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap();
            processes.push(child);
        };
        let master = STANDARD.encode([7; 32]);
        let (log_url, read_url) = (log.url(), read.url());
        let nats = [
            ("NATS_URL", &*stream.url),
            ("NATS_STREAM", &stream.name),
            ("NATS_SUBJECT_PREFIX", &stream.subject_prefix),
        ];
        let projector =
            [("DATABASE_URL", &*log_url), ("READ_DATABASE_URL", &read_url), ("MASTER_KEY", &master)].into_iter();
        start("projector", op_projector, &projector.chain(nats).collect::<Vec<_>>());
        let (listen_commands, listen_queries) = (local(commands), local(queries));
        let command_api = [
            ("DATABASE_URL", &*log_url),
            ("MASTER_KEY", &master),
            ("SIGNING_KEY", pem.expose()),
            ("BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN),
            ("LISTEN_ADDRESS", &listen_commands),
            ("ARGON2_MEMORY_KIB", "1024"),
            ("LOGIN_RATE_PER_MINUTE", "0"),
        ];
        start("command-api", op_commands, &command_api.into_iter().chain(nats).collect::<Vec<_>>());
        start(
            "query-api",
            op_queries,
            &[("READ_DATABASE_URL", &read_url), ("JWKS", &jwks), ("LISTEN_ADDRESS", &listen_queries)],
        );

        let world = Self {
            processes,
            command_api: format!("http://{listen_commands}"),
            query_api: format!("http://{listen_queries}"),
            client: Client::builder().no_proxy().build().unwrap(),
            _log: log,
            _read: read,
        };
        for port in [op_commands, op_projector, op_queries] {
            let url = format!("http://{}/health/ready", local(port));
            eventually(&url, Duration::from_secs(30), async || {
                world.client.get(&url).send().await.ok().filter(|answer| answer.status().is_success())
            })
            .await;
        }
        world
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.client.request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!(text)) };
        Answer { status, headers, body }
    }

    /// Posts a command; an empty token is none.
    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(Method::POST, format!("{}{path}", self.command_api), token, &[], Some(body)).await
    }

    /// Posts a command with an idempotency key.
    pub async fn post_once(&self, path: &str, token: &str, key: &str, body: Value) -> Answer {
        let headers = [("idempotency-key", key)];
        self.send(Method::POST, format!("{}{path}", self.command_api), token, &headers, Some(body)).await
    }

    /// Reads a view that reflects at least the position.
    pub async fn read(&self, path: &str, token: &str, position: i64) -> Answer {
        let position = position.to_string();
        let headers = [("registrar-min-position", &*position)];
        self.send(Method::GET, format!("{}{path}", self.query_api), token, &headers, None).await
    }

    /// Logs in and gives the access token.
    pub async fn log_in(&self, email: &str, password: &str) -> String {
        let body = self.post("/v1/auth/login", "", json!({"email": email, "password": password})).await.expect(200);
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// A new learner's access token and account id.
    pub async fn learner(&self, name: &str) -> (String, String) {
        let email = format!("{name}@example.org");
        let person = json!({"email": email, "password": PASSWORD, "first_name": name, "last_name": "Learner"});
        let account = self.post("/v1/auth/register", "", person).await.expect(201);
        (self.log_in(&email, PASSWORD).await, account["id"].as_str().unwrap().to_owned())
    }

    /// The first superadmin's access token.
    pub async fn superadmin(&self) -> String {
        let person = json!({
            "token": BOOTSTRAP_TOKEN, "email": "root@example.org", "password": PASSWORD,
            "first_name": "Grace", "last_name": "Hopper",
        });
        self.post("/v1/auth/bootstrap", "", person).await.expect(201);
        self.log_in("root@example.org", PASSWORD).await
    }

    /// A published course of one lesson: its id and the lesson's.
    pub async fn course(&self, admin: &str, price: Option<i64>) -> (String, String) {
        let mut course = json!({"title": "Bookkeeping", "description": "Debit and credit"});
        if let Some(amount_minor) = price {
            course["price"] = json!({"amount_minor": amount_minor, "currency": "EUR"});
        }
        let course = self.post("/v1/courses", admin, course).await.expect(201)["id"].as_str().unwrap().to_owned();
        let lesson = json!({"title": "The ledger", "content_type": "text", "content": "Two columns."});
        let lesson = self.post(&format!("/v1/courses/{course}/lessons"), admin, lesson).await.expect(201);
        self.post(&format!("/v1/courses/{course}/publish"), admin, json!({})).await.expect(200);
        let lesson = lesson["lesson_id"].as_str().or(lesson["id"].as_str()).unwrap().to_owned();
        (course, lesson)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
