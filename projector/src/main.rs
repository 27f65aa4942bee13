//! The projector's process: configuration, the parts, and the stop. With a subcommand it does that, and ends.

use events::{
    bus::{Bus, BusError},
    log::{InvalidMasterKey, Keyring, LogReader, MasterKey},
};
use ops::{
    config::ConfigError,
    database::{self, DatabaseError},
    health::Health,
    http::ServeError,
    metrics::Metrics,
    shutdown::{Shutdown, ShutdownError},
    telemetry::TelemetryError,
};
use projector::{Parts, config::Config, feed::Feed, operate, projections};
use std::{process::ExitCode, sync::Arc};

/// Events are made of many small pieces, taken apart on other threads than they were read on; the system's allocator
/// spends a third of a rebuild on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVICE: &str = "projector";

/// Why the process could not start, or ended other than asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("MASTER_KEY is not usable")]
    MasterKey(#[from] InvalidMasterKey),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("metrics cannot be recorded")]
    Metrics(#[source] Box<dyn std::error::Error>),
    #[error("signals cannot be listened for")]
    Signals(#[from] std::io::Error),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Shutdown(#[from] ShutdownError),
}

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = ops::config::parse(Config::DEFAULTS);
    if let Some(command) = &config.command {
        return operate::run(command, &config).await.unwrap_or_else(|error| ops::config::fail(&error));
    }
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ops::config::fail(&failure),
    }
}

async fn run(config: Config) -> Result<(), Failure> {
    let _logging = ops::telemetry::init(&config.telemetry, SERVICE)?;
    let metrics = Metrics::install(SERVICE).map_err(|error| Failure::Metrics(Box::new(error)))?;
    let shutdown = Shutdown::on_signals(config.operations.shutdown_bound())?;

    let (role, pool_size) = (config.pool.role(), config.pool.database_pool_size);
    let (log_url, read_url) = (config.database_url.required()?, config.read_database_url.required()?);
    let log = database::connect(&log_url, role, pool_size, SERVICE)?;
    let read = database::connect(&read_url, role, pool_size, SERVICE)?;
    metrics.watch_pool("log", &log);
    metrics.watch_pool("read", &read);
    metrics.spawn_upkeep(&shutdown);

    let master_key = MasterKey::from_base64(config.master_key.required()?.expose())?;
    let parts = Parts {
        feed: Feed::new(LogReader::new(log.clone(), Keyring::new(log.clone(), &master_key))),
        bus: Bus::connect(config.bus(), SERVICE).await?,
        lease: database::connect_options(&read_url, role, SERVICE)?,
        read: read.clone(),
        batch_size: config.projections.batch_size.into(),
    };
    let observations = projector::start(&parts, &shutdown);

    let bus = parts.bus.clone();
    let mut health = Health::new(shutdown.token())
        .required("read_database", move || {
            let read = read.clone();
            async move { database::ping(&read).await }
        })
        .informational("log_database", move || {
            let log = log.clone();
            async move { database::ping(&log).await }
        })
        .informational("nats", move || {
            let is_connected = bus.is_connected();
            async move { if is_connected { Ok(()) } else { Err("not connected".to_owned()) } }
        });
    for projection in projections::ALL {
        let observations = observations.clone();
        health = health.informational(projection.name, move || {
            let seen = observations.health(projection.name);
            async move { seen }
        });
    }
    let router = ops::http::operations_router(&Arc::new(health), &metrics);
    let address = ops::http::serve_operations(config.operations.operations_address, router, &shutdown).await?;
    tracing::info!(%address, "projecting");
    Ok(shutdown.finished().await?)
}
