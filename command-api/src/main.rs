//! config → build → serve. What each part does is told where it stands: `config`, `state`, `http`, `appender`, `relay`.

use command_api::{
    appender::Appender,
    config::{Arguments, Config, DEFAULTS},
    execute::Executor,
    http,
    imports::Imports,
    keys,
    lockout::Failures,
    mail::{self, MailError},
    passwords::{self, Passwords},
    recovery::Recovery,
    refusals::Refusals,
    relay::Relay,
    revocation,
    state::{Parts, State},
    sweep,
    tail::Tail,
    tenancy,
};
use events::{
    bus::{Bus, BusError},
    log::{InvalidMasterKey, Keyring, LogReader, MasterKey},
};
use ops::{
    config::ConfigError,
    database::{self, DatabaseError},
    health::Health,
    http::{Edge, ServeError},
    metrics::Metrics,
    shutdown::{Shutdown, ShutdownError},
    telemetry::{self, TelemetryError},
    tokens::{EndedSessions, KeyError},
};
use sqlx::PgPool;
use std::{convert::Infallible, error::Error, process::ExitCode, sync::Arc};
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

/// Most of what a request costs beside its I/O is small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The name of this process in logs, metrics and connections.
const SERVICE: &str = "command-api";

/// Why the process cannot start, or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("MASTER_KEY is not usable")]
    MasterKey(#[from] InvalidMasterKey),
    #[error("SIGNING_KEY is not usable")]
    SigningKey(#[from] KeyError),
    #[error("DATABASE_URL or DATABASE_ROLE is not usable")]
    Database(#[from] DatabaseError),
    #[error("NATS_URL is not usable")]
    Bus(#[from] BusError),
    #[error("passwords cannot be hashed: check ARGON2_MEMORY_KIB, ARGON2_ITERATIONS and ARGON2_PARALLELISM")]
    Passwords(#[from] passwords::StartError),
    #[error("mail cannot be sent")]
    Mail(#[from] MailError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("metrics cannot be recorded")]
    Metrics(#[source] Box<dyn Error + Send + Sync>),
    #[error("signals cannot be received")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Shutdown(#[from] ShutdownError),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(ops::config::parse(DEFAULTS)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ops::config::fail(&failure),
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let _logging = telemetry::init(arguments.telemetry(), SERVICE)?;
    let config = arguments.into_config()?;
    let metrics = Metrics::install(SERVICE).map_err(|error| Failure::Metrics(error.into()))?;
    let shutdown = Shutdown::on_signals(config.operations.shutdown_bound()).map_err(Failure::Signals)?;

    let pool = database::connect(&config.database_url, config.pool.role(), config.pool.database_pool_size, SERVICE)?;
    metrics.watch_pool("log", &pool);
    metrics.spawn_upkeep(&shutdown);
    let bus = Bus::connect(config.bus.clone(), SERVICE).await?;
    let keyring = Keyring::new(pool.clone(), &MasterKey::from_base64(config.master_key.expose())?);
    let log = LogReader::new(pool.clone(), keyring.clone());
    let (head, head_moves) = watch::channel(0);
    let tail = Tail::default();
    let (appender, appending) = Appender::start(pool.clone(), head, tail.clone());

    let passwords = Passwords::start(config.password_cost, config.password_policy, &appender.appended())?;
    let (signer, verifier) = keys::start(&config)?;
    let ended = verifier.ended_sessions().clone();
    let health = Arc::new(health(&shutdown, &pool, &bus, &passwords, &ended));
    let (refusals, recorder) = Refusals::new(config.limits.refusal_window);
    let executor = Executor::recording(log.clone(), appender, refusals);
    shutdown.spawn("refusals", recorder.run(executor.clone(), shutdown.token()));
    let (failures, counting) = Failures::start(executor.clone(), config.limits.lockout, shutdown.token());
    shutdown.spawn("failed log-ins", counting);
    let (recovery, recovering) = Recovery::start(executor.clone(), shutdown.token());
    shutdown.spawn("recovery", recovering);
    send_mail(&config, &pool, &keyring, &shutdown)?;
    follow_sessions(&config, &executor, ended, &shutdown)?;
    let default = tenancy::open_default(executor.clone(), config.settings.registration_policy, shutdown.token());
    shutdown.spawn("default-tenant", default);
    let (key_config, tokens) = (config.clone(), (signer.clone(), verifier.clone()));
    let stop = shutdown.token();
    shutdown.spawn("keys", async move { keys::follow(&key_config, tokens.0, tokens.1, stop).await });
    let imports = Imports::new(pool.clone(), keyring.clone(), executor.clone());
    shutdown.spawn("imports", imports.clone().run(shutdown.token()));
    let state = State::new(Parts {
        executor,
        imports,
        keyring,
        verifier,
        signer,
        passwords,
        login_limits: config.limits.logins(),
        reset_limits: config.limits.resets(),
        registration_limits: config.limits.registrations(),
        failures,
        recovery,
        settings: Arc::new(config.settings.clone()),
        health: health.clone(),
    });
    let app = http::router(state, Edge::from(&config.http), config.http.docs);
    let operations = ops::http::operations_router(&health, &metrics);
    ops::http::serve(config.http.listen_address, app, config.operations.operations_address, operations, &shutdown)
        .await?;

    let (relay, flush) = (Relay::new(log, bus).fed_by(tail), CancellationToken::new());
    shutdown.spawn("appender", drain(appending, shutdown.clone(), flush.clone()));
    shutdown.spawn("relay", async move {
        relay.run(head_moves, flush).await;
        Ok::<_, Infallible>(())
    });
    shutdown.finished().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for the appender, which ends with the last request that was accepted, and only then lets the relay publish
/// what is left and end. A request that outlasts the stop is not waited for: what it appends, the next relay publishes.
async fn drain(appending: JoinHandle<()>, shutdown: Shutdown, flush: CancellationToken) -> Result<(), JoinError> {
    let overdue = async {
        shutdown.stopping().await;
        tokio::time::sleep(shutdown.bound().mul_f64(0.9)).await;
    };
    let ended = tokio::select! {
        ended = appending => ended,
        () = overdue => Ok(()),
    };
    flush.cancel();
    ended
}

/// Sends mail, where there is a way for it.
fn send_mail(config: &Config, pool: &PgPool, keyring: &Keyring, shutdown: &Shutdown) -> Result<(), Failure> {
    let Some(way) = &config.mail.way else {
        tracing::warn!("neither SMTP_HOST nor MAIL_OUTBOX is set: mail waits until there is a way to send it");
        return Ok(());
    };
    let mailer = mail::mailer(way, &config.mail.from)?;
    let worker = mail::Worker::new(pool.clone(), keyring.clone(), mailer, config.mail.links.clone());
    shutdown.spawn("mail", mail::deliver(worker, shutdown.token()));
    Ok(())
}

/// Learns which sessions have ended, and records that some have expired.
fn follow_sessions(
    config: &Config,
    executor: &Executor,
    ended: EndedSessions,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let name = "command-api sessions";
    let options = database::connect_options(&config.database_url, config.pool.role(), name)?;
    ended.await_feed();
    shutdown.spawn("ended sessions", revocation::follow(options, ended, shutdown.token()));
    shutdown.spawn("sweep", sweep::run(executor.clone(), config.session_sweep, shutdown.token()));
    Ok(())
}

/// Ready while the log can be reached: commands are accepted whether or not NATS is there.
fn health(shutdown: &Shutdown, pool: &PgPool, bus: &Bus, passwords: &Passwords, ended: &EndedSessions) -> Health {
    let (pool, bus, passwords, ended) = (pool.clone(), bus.clone(), passwords.clone(), ended.clone());
    let known = ended.clone();
    Health::new(shutdown.token())
        .required("log_database", move || {
            let pool = pool.clone();
            async move { database::ping(&pool).await }
        })
        .required("sessions", move || std::future::ready(known.check_known()))
        .informational("nats", move || {
            let is_connected = bus.is_connected();
            async move { if is_connected { Ok(()) } else { Err("not connected".to_owned()) } }
        })
        .informational("ended_sessions", move || std::future::ready(ended.check()))
        .informational("passwords", move || std::future::ready(passwords.check_room()))
}
