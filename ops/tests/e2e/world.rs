//! A Registrar of the test's own: three processes, two databases, one stream, and a client.

use crate::client::{Answer, Call, Client, Refused};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use ops::{
    config::Secret,
    tokens::{Grant, Signer, TokenScope, generate_signing_key_pem},
};
use serde_json::{Value, json};
use std::{
    env,
    fmt::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use testkit::{TestDatabase, TestStream, eventually};
use uuid::Uuid;

pub const BOOTSTRAP_TOKEN: &str = "a-bootstrap-token-for-one-test";
/// The slug and the id of the organisation that is always there.
pub const DEFAULT: &str = "default";
pub const DEFAULT_ID: &str = "00000000-0000-7000-8000-000000000001";
pub const PASSWORD: &str = "violet-harbour-candle-42";

/// The running system; it is killed with this value.
pub struct World {
    processes: Mutex<Vec<Child>>,
    pub command_api: String,
    pub query_api: String,
    pub client: Client,
    pub log: TestDatabase,
    pub read: TestDatabase,
    pub stream: TestStream,
    pem: Secret,
    signer: Signer,
    /// Where letters are written to, and what the processes say.
    outbox: PathBuf,
    operations: Mutex<Vec<String>>,
}

/// A program of the system.
pub fn binary(name: &str) -> PathBuf {
    let folder =
        env::var("REGISTRAR_BIN_DIR").expect("run the tests with `cargo ops test`, which builds the processes");
    PathBuf::from(folder).join(name)
}

/// Addresses whose ports were free a moment ago, all different.
fn free_addresses<const N: usize>() -> [String; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

impl World {
    pub async fn start() -> Self {
        Self::start_on(TestStream::unique()).await
    }

    /// With JetStream where the stream says.
    pub async fn start_on(stream: TestStream) -> Self {
        let pem = generate_signing_key_pem().unwrap();
        let signer = Signer::from_pem(&pem, "registrar", "registrar", Duration::from_mins(15)).unwrap();
        let mut world = Self {
            processes: Mutex::default(),
            command_api: String::new(),
            query_api: String::new(),
            client: Client::new(),
            log: TestDatabase::log().await,
            read: TestDatabase::read().await,
            stream,
            pem,
            signer,
            operations: Mutex::default(),
            outbox: env::temp_dir().join(format!("outbox-{}", Uuid::new_v4())),
        };
        let (projector, commands, queries) =
            (world.spawn("projector", &[]), world.spawn("command-api", &[]), world.spawn("query-api", &[]));
        (world.command_api, world.query_api) = (commands.http, queries.http);
        for operations in [projector.operations, commands.operations, queries.operations] {
            world.answers(&format!("{operations}/health/ready")).await;
        }
        world
    }

    /// One more process of the system, with further settings; its address, once it is ready.
    pub async fn another(&self, name: &str, settings: &[(&str, &str)]) -> String {
        let process = self.spawn(name, settings);
        self.answers(&format!("{}/health/ready", process.operations)).await;
        process.http
    }

    /// One more process of the system, which cannot become ready; its address, once it answers there.
    pub async fn unready(&self, name: &str, settings: &[(&str, &str)]) -> String {
        let process = self.spawn(name, settings);
        self.answers(&format!("{}/health/live", process.operations)).await;
        process.http
    }

    async fn answers(&self, url: &str) {
        let answers = async || self.client.reaches(url).await.then_some(());
        eventually(url, Duration::from_secs(30), answers).await;
    }

    /// Kills the projector, as `kill -9` does, and starts it again, without waiting until it is ready.
    pub fn crash_projector(&self) {
        let processes = || self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut killed = processes().remove(0);
        let _ = killed.kill();
        let _ = killed.wait();
        self.spawn("projector", &[]);
        processes().rotate_right(1);
    }

    /// What `projector <words>` answers, and whether it went well.
    pub fn projector(&self, words: &[&str]) -> (bool, String) {
        let output = self.command("projector").args(words).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    /// Starts a process of the system.
    fn spawn(&self, name: &str, settings: &[(&str, &str)]) -> Addresses {
        let [http, operations] = free_addresses();
        let child = self
            .command(name)
            .env("LISTEN_ADDRESS", &http)
            .env("OPERATIONS_ADDRESS", &operations)
            .envs(settings.iter().copied())
            .stdout(Stdio::from(self.log_file(name, &operations)))
            .spawn()
            .unwrap();
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        let url = |address| format!("http://{address}");
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(url(operations.clone()));
        Addresses { http: url(http), operations: url(operations) }
    }

    /// A program of the system, with what all of them are told.
    fn command(&self, name: &str) -> Command {
        let master = STANDARD.encode([7; 32]);
        let jwks = serde_json::to_string(&self.signer.jwks()).unwrap();
        let mut command = Command::new(binary(name));
        command
            .env_clear()
            .env("LOG_LEVEL", "off")
            .env("DATABASE_POOL_SIZE", "6")
            .env("DATABASE_URL", self.log.url())
            .env("READ_DATABASE_URL", self.read.url())
            .env("NATS_URL", &self.stream.url)
            .env("NATS_STREAM", &self.stream.name)
            .env("NATS_SUBJECT_PREFIX", &self.stream.subject_prefix)
            .env("MASTER_KEY", master)
            .env("SIGNING_KEY", self.pem.expose())
            .env("JWKS", jwks)
            .env("BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN)
            .env("ARGON2_MEMORY_KIB", "1024")
            .env("LOGIN_RATE_PER_MINUTE", "0")
            .env("LOGIN_RATE_PER_ADDRESS_PER_MINUTE", "0")
            .env("RESET_RATE_PER_HOUR", "0")
            .env("RESET_RATE_PER_ADDRESS_PER_HOUR", "0")
            .env("REGISTRATION_RATE_PER_ADDRESS_PER_MINUTE", "0")
            .env("LOCKOUT_FAILURES", "0")
            .env("MAIL_OUTBOX", &self.outbox)
            .stderr(Stdio::inherit());
        command
    }

    /// Sends a request to the API that it is for: a GET reads, anything else commands.
    pub async fn send(&self, call: Call) -> Answer {
        let base = if call.method == "GET" { &self.query_api } else { &self.command_api };
        self.client.send(base, call).await
    }

    /// How every request so far was refused that was.
    pub fn refused(&self) -> Vec<Refused> {
        self.client.refused()
    }

    /// Posts a command; an empty token is none.
    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(Call::post(path).token(token).json(&body)).await
    }

    /// Posts facts, a JSON object a line; the body of the answer is a text where it is lines too.
    pub async fn post_lines(&self, path: &str, token: &str, lines: &str) -> Answer {
        self.send(Call::post(path).token(token).header("content-type", "application/x-ndjson").text(lines)).await
    }

    /// Posts a command with an idempotency key.
    pub async fn post_once(&self, path: &str, token: &str, key: &str, body: Value) -> Answer {
        self.send(Call::post(path).token(token).header("idempotency-key", key).json(&body)).await
    }

    /// Reads a view that reflects at least the position.
    pub async fn read(&self, path: &str, token: &str, position: i64) -> Answer {
        self.send(Call::get(path).token(token).header("registrar-min-position", &position.to_string())).await
    }

    /// Runs the operator's command: whether it succeeded, and what it printed.
    pub fn registrar(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary("registrar"));
        command.env_clear().env("COMMAND_API", &self.command_api).env("QUERY_API", &self.query_api);
        let output = command.env("SIGNING_KEY", self.pem.expose()).args(arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }

    /// Logs in and gives the access token.
    pub async fn log_in(&self, email: &str, password: &str) -> String {
        self.log_in_to(DEFAULT, email, password).await
    }

    /// Logs in to an organisation and gives the access token.
    pub async fn log_in_to(&self, tenant: &str, email: &str, password: &str) -> String {
        let credentials = json!({"tenant": tenant, "email": email, "password": password});
        let body = self.post("/v1/auth/login", "", credentials).await.expect(200);
        body["access_token"].as_str().unwrap().to_owned()
    }

    fn log_file(&self, name: &str, operations: &str) -> std::fs::File {
        std::fs::create_dir_all(&self.outbox).unwrap();
        let port = operations.rsplit(':').next().unwrap();
        std::fs::File::create(self.outbox.join(format!("{name}-{port}.log"))).unwrap()
    }

    /// All that the processes have said so far.
    pub fn logs(&self) -> String {
        let paths = std::fs::read_dir(&self.outbox).unwrap().map(|entry| entry.unwrap().path());
        let logs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// Where the processes' metrics are.
    pub fn operations(&self) -> Vec<String> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every message of the stream, its headers too.
    pub async fn messages(&self) -> String {
        let mut stream = self.stream.jetstream().await.get_stream(&self.stream.name).await.unwrap();
        let last = stream.info().await.unwrap().state.last_sequence;
        let mut text = String::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.unwrap();
            writeln!(text, "{:?} {}", message.headers, String::from_utf8_lossy(&message.payload)).unwrap();
        }
        text
    }

    /// What signs as the system does, for whomever.
    pub fn signer(&self, issuer: &str, audience: &str, lifetime: Duration) -> Signer {
        Signer::from_pem(&self.pem, issuer, audience, lifetime).unwrap()
    }

    /// The private key without its armour.
    pub fn private_key(&self) -> String {
        self.pem.expose().lines().filter(|line| !line.starts_with("-----")).collect()
    }

    pub fn master_key() -> String {
        STANDARD.encode([7; 32])
    }

    /// What was written to an address so far, the first letter first.
    pub fn letters(&self, to: &str) -> Vec<String> {
        let entries = std::fs::read_dir(&self.outbox).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        let letters = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
        letters.filter(|letter| letter.contains(&format!("To: {to}\r\n"))).collect()
    }

    /// The token of a letter that is written when the password of an account was forgotten.
    pub async fn reset_token(&self, email: &str) -> String {
        let before = self.letters(email).len();
        self.post("/v1/auth/forgot-password", "", json!({"email": email})).await.expect(202);
        let letter = async || self.letters(email).into_iter().nth(before);
        let letter = eventually("the letter", Duration::from_secs(10), letter).await;
        let (_, token) = letter.split_once("reset-password#").expect("a link");
        token.split_whitespace().next().unwrap().to_owned()
    }

    /// An access token of nobody whom the system knows, signed as it signs.
    pub fn forge(&self, tenant_id: Uuid, role: &str, scope: TokenScope) -> String {
        let (account_id, session_id) = (Uuid::now_v7(), Uuid::now_v7());
        let grant = Grant { account_id, tenant_id, session_id, role: role.to_owned(), scope };
        self.signer.issue(grant, Utc::now()).unwrap().0
    }

    /// A new learner's access token and account id.
    pub async fn learner(&self, name: &str) -> (String, String) {
        let email = format!("{name}@example.org");
        let person = json!({"email": email, "password": PASSWORD, "first_name": name, "last_name": "Learner"});
        let account = self.post("/v1/auth/register", "", person).await.expect(201);
        (self.log_in(&email, PASSWORD).await, id_of(&account))
    }

    /// The first superadmin's access token.
    pub async fn superadmin(&self) -> String {
        self.post("/v1/auth/bootstrap", "", first_superadmin()).await.expect(201);
        self.log_in("root@example.org", PASSWORD).await
    }

    /// A published course of one lesson: its id and the lesson's.
    pub async fn course(&self, admin: &str, price: Option<i64>) -> (String, String) {
        let (course, lesson) = self.draft(admin, price).await;
        self.post(&format!("/v1/courses/{course}/publish"), admin, json!({})).await.expect(200);
        (course, lesson)
    }

    /// A course of one lesson that is not published yet: its id and the lesson's.
    pub async fn draft(&self, owner: &str, price: Option<i64>) -> (String, String) {
        let mut course = json!({"title": "Bookkeeping", "description": "Debit and credit"});
        if let Some(amount_minor) = price {
            course["price"] = json!({"amount_minor": amount_minor, "currency": "EUR"});
        }
        self.fill(owner, course).await
    }

    /// A course as it is described, with one lesson: its id and the lesson's.
    pub async fn fill(&self, owner: &str, course: Value) -> (String, String) {
        let course = id_of(&self.post("/v1/courses", owner, course).await.expect(201));
        let lesson = json!({"title": "The ledger", "content_type": "text", "content": "Two columns."});
        let lesson = self.post(&format!("/v1/courses/{course}/lessons"), owner, lesson).await.expect(201);
        (course, id_of(&lesson))
    }
}

/// What [`World::superadmin`] posts.
pub fn first_superadmin() -> Value {
    json!({
        "token": BOOTSTRAP_TOKEN, "email": "root@example.org", "password": PASSWORD,
        "first_name": "Grace", "last_name": "Hopper",
    })
}

/// The id that a command answered.
pub fn id_of(answer: &Value) -> String {
    answer["id"].as_str().expect("an id").to_owned()
}

/// Where a process listens.
struct Addresses {
    http: String,
    operations: String,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.outbox);
        for process in self.processes.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
