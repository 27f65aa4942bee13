//! Configuration → what handlers need → serve, until a signal stops it.

use ops::{
    config::ConfigError,
    database::{self, DatabaseError},
    health::Health,
    http::{Edge, ServeError, operations_router},
    metrics::Metrics,
    shutdown::{Shutdown, ShutdownError},
    telemetry::{self, TelemetryError},
    tokens::watch_files,
};
use query_api::{
    config::{self, Arguments, Config, DEFAULTS},
    consistency::Positions,
    gather::{self, Gathered},
    http, revocation,
    state::{GATHERED_KINDS, State},
    views,
};
use std::{process::ExitCode, sync::Arc};

/// Most of what a request costs beside its I/O is small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why the process could not start, or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("metrics cannot be recorded")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("signals cannot be awaited")]
    Signals(#[source] std::io::Error),
    #[error("READ_DATABASE_URL or DATABASE_ROLE is not usable")]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Stop(#[from] ShutdownError),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = ops::config::parse(DEFAULTS);
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ops::config::fail(&error),
    }
}

async fn run(arguments: Arguments) -> Result<(), RunError> {
    let _logging = telemetry::init(arguments.telemetry(), "query-api")?;
    let config = arguments.into_config()?;
    let metrics = Metrics::install("query-api").map_err(|error| RunError::Metrics(error.into()))?;
    let shutdown = Shutdown::on_signals(config.operations.shutdown_bound()).map_err(RunError::Signals)?;
    let state = build(&config, &metrics, &shutdown)?;
    serve(config, state, &metrics, &shutdown).await?;
    Ok(shutdown.finished().await?)
}

fn build(config: &Config, metrics: &Metrics, shutdown: &Shutdown) -> Result<State, RunError> {
    let Config { database_url, pool, .. } = config;
    let reads = database::connect_readers(database_url, pool.role(), pool.database_pool_size, "query-api")?;
    let gatherers = gather::Pool::size(GATHERED_KINDS);
    let gathering = database::connect(database_url, pool.role(), gatherers, "query-api gathered")?;
    metrics.watch_pool("read", &reads);
    metrics.watch_pool("gathered", &gathering);
    let gathering = gather::Pool::alone(gathering);
    metrics.spawn_upkeep(shutdown);

    let positions = Positions::new(config.min_position_wait);
    let watching = database::connect_options(database_url, pool.role(), "query-api positions")?;
    shutdown.spawn("positions", positions.clone().follow(watching, shutdown.token()));

    let feed = database::connect_options(database_url, pool.role(), "query-api sessions")?;
    let ended = config.verifier.ended_sessions().clone();
    ended.await_feed();
    shutdown.spawn("ended sessions", revocation::follow(feed, ended.clone(), shutdown.token()));
    if let Some(file) = config.jwks_file.clone() {
        let (verifier, stop) = (config.verifier.clone(), shutdown.token());
        shutdown.spawn("keys", async move {
            let path = file.clone();
            watch_files(vec![file], stop, move || config::reload_keys(&path, &verifier)).await
        });
    }

    let known = ended.clone();
    let health = Health::new(shutdown.token())
        .required("database", {
            let reads = reads.clone();
            move || {
                let reads = reads.clone();
                async move { database::ping(&reads).await }
            }
        })
        .required("sessions", move || std::future::ready(known.check_known()))
        .informational("ended_sessions", move || std::future::ready(ended.check()))
        .informational("projections", {
            let reads = reads.clone();
            move || {
                let reads = reads.clone();
                async move { views::projections::check(&reads).await }
            }
        });
    Ok(State {
        pool: reads,
        accounts: Gathered::start(&gathering),
        courses: Gathered::start(&gathering),
        payments: Gathered::start(&gathering),
        positions,
        verifier: config.verifier.clone(),
        health: Arc::new(health),
    })
}

async fn serve(config: Config, state: State, metrics: &Metrics, shutdown: &Shutdown) -> Result<(), ServeError> {
    let operations = operations_router(&state.health, metrics);
    let edge = Edge::from(&config.http);
    let app = http::router(state, edge, config.http.docs);
    let addresses = (config.http.listen_address, config.operations.operations_address);
    ops::http::serve(addresses.0, app, addresses.1, operations, shutdown).await?;
    Ok(())
}
