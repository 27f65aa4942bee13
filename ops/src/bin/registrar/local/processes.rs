//! The three processes of Registrar on this machine: one table of what they are called, where they listen and what they
//! are given.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use reqwest::Client;

use super::{
    Error,
    keys::Keys,
    ports,
    project::Instance,
    state::Operations,
    supervisor::{Program, Stop, Supervisor, fresh_log},
};

/// One process.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// The name of its package, its binary and its log.
    pub name: &'static str,
    /// The role that it is in the databases.
    pub role: &'static str,
    /// Where it serves, where it does, if that port is free.
    listen: Option<u16>,
    /// Where its metrics and its health are, if that port is free.
    operations: u16,
}

/// The processes in the order of their start; they stop in the reverse order.
pub const PROCESSES: [Process; 3] = [
    Process { name: "projector", role: "registrar_projector", listen: None, operations: 9181 },
    Process { name: "command-api", role: "registrar_command", listen: Some(8080), operations: 9180 },
    Process { name: "query-api", role: "registrar_query", listen: Some(8081), operations: 9182 },
];

/// Settings of the processes that pass from the operator's environment; what connects them to each other does not.
const PASSED_ON: [&str; 36] = [
    "LOG_FORMAT",
    "LOG_LEVEL",
    "DATABASE_POOL_SIZE",
    "ACCESS_TOKEN_SECONDS",
    "REFRESH_TOKEN_DAYS",
    "TEMPORARY_PASSWORD_HOURS",
    "PASSWORD_MIN_LENGTH",
    "ARGON2_MEMORY_KIB",
    "ARGON2_ITERATIONS",
    "ARGON2_PARALLELISM",
    "ARGON2_THREADS",
    "REGISTRATION_POLICY",
    "LOGIN_RATE_PER_MINUTE",
    "MIN_POSITION_WAIT_MS",
    "BATCH_SIZE",
    "CORS_ALLOWED_ORIGINS",
    "DOCS",
    "SESSION_SWEEP_SECONDS",
    "ARGON2_QUEUE",
    "LOGIN_RATE_PER_ADDRESS_PER_MINUTE",
    "RESET_RATE_PER_HOUR",
    "RESET_RATE_PER_ADDRESS_PER_HOUR",
    "REGISTRATION_RATE_PER_ADDRESS_PER_MINUTE",
    "LOCKOUT_FAILURES",
    "LOCKOUT_MINUTES",
    "REFUSAL_WINDOW_SECONDS",
    "SMTP_HOST",
    "SMTP_PORT",
    "SMTP_TLS",
    "SMTP_USERNAME",
    "SMTP_PASSWORD",
    "SMTP_PASSWORD_FILE",
    "SMTP_CA_FILE",
    "MAIL_FROM",
    "RESET_PASSWORD_URL",
    "REGISTER_URL",
];

/// On one's own machine nobody is kept waiting: limits that the operator sets all the same pass on.
pub const GENEROUS: [(&str, &str); 6] = [
    ("LOGIN_RATE_PER_MINUTE", "0"),
    ("LOGIN_RATE_PER_ADDRESS_PER_MINUTE", "0"),
    ("RESET_RATE_PER_HOUR", "0"),
    ("RESET_RATE_PER_ADDRESS_PER_HOUR", "0"),
    ("REGISTRATION_RATE_PER_ADDRESS_PER_MINUTE", "0"),
    ("LOCKOUT_FAILURES", "0"),
];

/// A role's access to both databases.
#[derive(Debug, Clone)]
pub struct Access {
    /// The log.
    pub database_url: String,
    /// The read models.
    pub read_database_url: String,
    /// The role to change to after connecting, where the URL is not that role's own.
    pub database_role: Option<&'static str>,
}

/// What the processes are given.
#[derive(Debug)]
pub struct Wiring<'a> {
    /// The access of each process, in the order of `PROCESSES`.
    pub access: Vec<Access>,
    /// JetStream.
    pub nats_url: &'a str,
    /// Their secrets.
    pub keys: &'a Keys,
    /// The folder of the binaries.
    pub binaries: &'a Path,
    /// Whether their output is shown.
    pub shown: bool,
    /// Settings that all of them get, before those that connect them.
    pub settings: Vec<(&'static str, OsString)>,
}

/// Where the processes are.
#[derive(Debug)]
pub struct Places {
    /// The command API.
    pub command_api: String,
    /// The query API.
    pub query_api: String,
    /// Metrics and health.
    pub operations: Operations,
    /// One line for each port that somebody else has.
    pub moved: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Addresses {
    listen: Option<u16>,
    operations: u16,
}

/// Starts the processes one after the other, each when the one before is ready.
pub async fn start(instance: &Instance, wiring: &Wiring<'_>, supervisor: &Supervisor) -> Result<Places, Error> {
    let (addresses, moved) = choose_ports()?;
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap_or_default();
    for ((process, access), addresses) in PROCESSES.iter().zip(&wiring.access).zip(&addresses) {
        let program = program(instance, wiring, *process, access, *addresses)?;
        let ready = format!("{}/health/ready", url(addresses.operations));
        let check = async || client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success());
        supervisor.start(program, Duration::from_mins(1), check).await?;
    }
    let [projector, command_api, query_api] = addresses;
    Ok(Places {
        command_api: url(command_api.listen.unwrap_or_default()),
        query_api: url(query_api.listen.unwrap_or_default()),
        operations: Operations {
            command_api: url(command_api.operations),
            query_api: url(query_api.operations),
            projector: url(projector.operations),
        },
        moved,
    })
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn choose_ports() -> Result<([Addresses; 3], Vec<String>), Error> {
    let wanted: Vec<(&str, u16)> = PROCESSES
        .iter()
        .flat_map(|process| process.listen.into_iter().chain([process.operations]).map(|port| (process.name, port)))
        .collect();
    let ports = ports::next_free(&wanted.iter().map(|(_, port)| *port).collect::<Vec<_>>())?;
    let moved = wanted.iter().zip(&ports).filter(|((_, wanted), port)| wanted != *port);
    let moved =
        moved.map(|((name, wanted), port)| format!("port {wanted} is taken: {name} listens on {port}")).collect();
    let mut ports = ports.into_iter();
    let addresses = PROCESSES.map(|process| Addresses {
        listen: process.listen.and_then(|_| ports.next()),
        operations: ports.next().unwrap_or(process.operations),
    });
    Ok((addresses, moved))
}

/// The folder that mail is written to, unless the operator has a server for it.
pub fn outbox(instance: &Instance) -> Option<PathBuf> {
    let has_server = env::var_os("SMTP_HOST").is_some_and(|host| !host.is_empty());
    (!has_server).then(|| instance.path("mail"))
}

fn program(
    instance: &Instance,
    wiring: &Wiring<'_>,
    process: Process,
    access: &Access,
    addresses: Addresses,
) -> Result<Program, Error> {
    let log = instance.log(process.name);
    fresh_log(&log)?;
    let keys = wiring.keys;
    let mut environment: Vec<(&'static str, OsString)> =
        vec![("LOG_FORMAT", "text".into()), ("DOCS", "true".into()), ("NO_COLOR", "1".into())];
    environment.extend(GENEROUS.map(|(name, value)| (name, value.into())));
    environment.extend(PASSED_ON.iter().filter_map(|name| Some((*name, env::var_os(name)?))));
    environment.extend(wiring.settings.iter().cloned());
    environment.push(("OPERATIONS_ADDRESS", format!("127.0.0.1:{}", addresses.operations).into()));
    environment.extend(addresses.listen.map(|port| ("LISTEN_ADDRESS", format!("127.0.0.1:{port}").into())));
    environment.extend(access.database_role.map(|role| ("DATABASE_ROLE", role.into())));
    let log_url = ("DATABASE_URL", OsString::from(&access.database_url));
    let read_url = ("READ_DATABASE_URL", OsString::from(&access.read_database_url));
    let nats = ("NATS_URL", OsString::from(wiring.nats_url));
    let master_key = ("MASTER_KEY_FILE", keys.master_key.clone().into());
    environment.extend(match process.name {
        "command-api" => vec![
            log_url,
            nats,
            master_key,
            ("SIGNING_KEY_FILE", keys.signing_key.clone().into()),
            ("JWKS_FILE", keys.jwks.clone().into()),
            ("BOOTSTRAP_TOKEN_FILE", keys.bootstrap_token.clone().into()),
        ],
        "projector" => vec![log_url, read_url, nats, master_key],
        _ => vec![read_url, ("JWKS_FILE", keys.jwks.clone().into())],
    });
    if let Some(outbox) = outbox(instance).filter(|_| process.name == "command-api") {
        environment.push(("MAIL_OUTBOX", outbox.into()));
    }
    Ok(Program {
        name: process.name,
        path: wiring.binaries.join(process.name),
        arguments: Vec::new(),
        environment,
        account: None,
        folder: instance.project.root().to_path_buf(),
        log,
        shown: wiring.shown,
        // They bound their own stop to 20 s.
        stop: Stop { ask: Signal::SIGTERM, grace: Duration::from_secs(25), end: Signal::SIGKILL },
    })
}
