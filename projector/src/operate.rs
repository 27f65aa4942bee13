//! What an operator asks of the projector, each a subcommand: rebuild, verify, status, pause, resume, retry, skip.
//!
//! They work beside a running projector, or without one. Exit codes: 0 it is done, or equal; 1 `verify` found a
//! difference, or a stream is parked still; 2 it failed.

mod parked;
mod rebuild;
mod status;

use crate::{
    config::Config,
    projections::{self, Projection},
    rebuild::RebuildError,
    run::StepError,
};
use clap::{Args, Subcommand};
use events::log::{InvalidMasterKey, Keyring, LogReader, MasterKey};
use ops::{
    config::ConfigError,
    database::{self, DatabaseError},
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::process::ExitCode;

const NAME: &str = "projector operator";

/// What to do instead of projecting. Settings come from the environment, or stand before the subcommand.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Rebuild views from the log beside the live ones, compare, and swap them in
    Rebuild(Chosen),
    /// Rebuild views beside the live ones and compare, without swapping; exit code 1 where they differ
    Verify(Chosen),
    /// Tell where every view is, and which streams stand aside and why
    Status(Form),
    /// Let views stand still; they are read as before
    Pause(Names),
    /// Let paused views go on
    Resume(Names),
    /// Apply what is parked of a stream, or of all streams, once more: for when the reason is mended
    Retry(Streams),
    /// Leave the event that parked a stream out of the view for good, and go on with the ones behind it
    Skip(Stream),
}

/// Some views.
#[derive(Debug, Clone, Args)]
pub struct Names {
    /// The views, by name: `status` lists them
    #[arg(required_unless_present = "all", value_name = "NAME", value_parser = projection)]
    names: Vec<Projection>,
    /// All views
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

impl Names {
    fn chosen(&self) -> Vec<Projection> {
        if self.all { projections::ALL.to_vec() } else { self.names.clone() }
    }
}

/// Some views, and how the answer is told.
#[derive(Debug, Clone, Args)]
pub struct Chosen {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    form: Form,
}

/// How the answer is told.
#[derive(Debug, Clone, Copy, Args)]
pub struct Form {
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// One parked stream, or all of them.
#[derive(Debug, Clone, Args)]
pub struct Streams {
    /// The view
    #[arg(required_unless_present = "all", requires = "stream", value_name = "NAME", value_parser = projection)]
    projection: Option<Projection>,
    /// The stream, as `status` shows it
    #[arg(value_name = "TYPE/ID", value_parser = parked::stream)]
    stream: Option<events::StreamRef>,
    /// All parked streams of all views
    #[arg(long, conflicts_with = "projection")]
    all: bool,
}

/// One parked stream.
#[derive(Debug, Clone, Args)]
pub struct Stream {
    /// The view
    #[arg(value_name = "NAME", value_parser = projection)]
    projection: Projection,
    /// The stream, as `status` shows it
    #[arg(value_name = "TYPE/ID", value_parser = parked::stream)]
    stream: events::StreamRef,
}

fn projection(name: &str) -> Result<Projection, String> {
    let known = || projections::ALL.iter().map(|projection| projection.name).collect::<Vec<_>>().join(", ");
    projections::find(name).copied().ok_or_else(|| format!("there is no such view; there are {}", known()))
}

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A database URL is none.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The master key is none.
    #[error("MASTER_KEY is not usable")]
    MasterKey(#[from] InvalidMasterKey),
    /// A rebuild did not come about.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// A view could not be brought on, or asked.
    #[error(transparent)]
    Step(#[from] StepError),
    /// It was interrupted.
    #[error("interrupted; the live views are as they were, and what was built beside them is removed")]
    Interrupted,
    /// Signals cannot be waited for.
    #[error("signals cannot be listened for")]
    Signals(#[from] std::io::Error),
    /// An answer has no JSON.
    #[error("the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<sqlx::Error> for OperateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Step(error.into())
    }
}

/// What a subcommand works with.
struct Operator {
    read: PgPool,
    lock: PgConnectOptions,
    log: LogReader,
}

impl Operator {
    fn new(config: &Config) -> Result<Self, OperateError> {
        let role = config.pool.role();
        let read_url = config.read_database_url.required()?;
        // Each view is filled over a connection of its own.
        let size = config.pool.database_pool_size.max(u32::try_from(projections::ALL.len()).unwrap_or(u32::MAX) + 4);
        let log = database::connect(&config.database_url.required()?, role, 4, NAME)?;
        let master_key = MasterKey::from_base64(config.master_key.required()?.expose())?;
        Ok(Self {
            read: database::connect(&read_url, role, size, NAME)?,
            lock: database::connect_options(&read_url, role, NAME)?,
            log: LogReader::new(log.clone(), Keyring::new(log, &master_key)),
        })
    }
}

/// Does what is asked.
pub async fn run(command: &Command, config: &Config) -> Result<ExitCode, OperateError> {
    let operator = Operator::new(config)?;
    match command {
        Command::Rebuild(chosen) => operator.rebuild(chosen).await,
        Command::Verify(chosen) => operator.verify(chosen).await,
        Command::Status(form) => operator.status(*form).await,
        Command::Pause(names) => operator.set_state(&names.chosen(), true).await,
        Command::Resume(names) => operator.set_state(&names.chosen(), false).await,
        Command::Retry(streams) => operator.retry(streams).await,
        Command::Skip(Stream { projection, stream }) => operator.skip(projection, stream).await,
    }
}

/// Prints a line. A reader that has gone away is no reason to fail.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
