//! What the projector is told at its start: each setting is a flag and an environment variable.

use crate::operate::Command;
use clap::{Args, Parser, value_parser};
use events::bus::BusConfig;
use ops::config::{LogDatabaseUrl, OperationsArgs, PoolArgs, ReadDatabaseUrl, TelemetryArgs};

ops::secret_args! {
    /// The key that wraps people's keys: 32 random bytes in base64, the same as the command API's.
    pub MasterKeyArg = "MASTER_KEY", "master-key";
}

/// Registrar's projector: carries the log's events into the tables that the query API reads. It is ready while NATS and
/// the log database are down, and not while the read database is.
#[derive(Debug, Clone, Parser)]
#[command(name = "projector", version, next_display_order = None)]
pub struct Config {
    /// What to do instead of projecting.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where the log is.
    #[command(flatten, next_help_heading = "Databases")]
    pub database_url: LogDatabaseUrl,
    /// Where the views are.
    #[command(flatten, next_help_heading = "Databases")]
    pub read_database_url: ReadDatabaseUrl,
    /// How the databases are used.
    #[command(flatten, next_help_heading = "Databases")]
    pub pool: PoolArgs,
    /// Where events are heard of.
    #[command(flatten, next_help_heading = "NATS")]
    pub nats: NatsArgs,
    /// What opens personal data.
    #[command(flatten, next_help_heading = "Keys")]
    pub master_key: MasterKeyArg,
    /// How events are applied.
    #[command(flatten, next_help_heading = "Projections")]
    pub projections: ProjectionArgs,
    /// Where operators look, and how the process stops.
    #[command(flatten, next_help_heading = "Operations")]
    pub operations: OperationsArgs,
    /// What is logged, and how.
    #[command(flatten, next_help_heading = "Operations")]
    pub telemetry: TelemetryArgs,
}

/// Where events are heard of.
#[derive(Debug, Clone, Args)]
pub struct NatsArgs {
    /// The NATS servers, separated by commas: `nats://user:password@host:4222`.
    #[arg(long, env = "NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    pub nats_url: String,

    /// The JetStream stream that holds the events.
    #[arg(long, env = "NATS_STREAM", default_value = "REGISTRAR", value_name = "NAME")]
    pub nats_stream: String,

    /// What every subject begins with; `.<tenant>.<aggregate>.<event>` follows.
    #[arg(long, env = "NATS_SUBJECT_PREFIX", default_value = "registrar.events", value_name = "PREFIX")]
    pub nats_subject_prefix: String,
}

/// The largest batch: as much as is held ready for the projections that keep up.
pub const MAX_BATCH_SIZE: u16 = 1_000;

/// How events are applied.
#[derive(Debug, Clone, Args)]
pub struct ProjectionArgs {
    /// Events that a projection applies in one transaction, at most.
    #[arg(long, env = "BATCH_SIZE", default_value_t = 500, value_name = "COUNT",
          value_parser = value_parser!(u16).range(1..=i64::from(MAX_BATCH_SIZE)))]
    pub batch_size: u16,
}

impl Config {
    /// The defaults of shared settings in this process.
    pub const DEFAULTS: &[(&'static str, &'static str)] = &[
        ("operations_address", "127.0.0.1:9181"),
        ("database_role", "registrar_projector"),
        // One for each projection, and some for looking.
        ("database_pool_size", "20"),
    ];

    /// Where the events travel. The projector makes no stream, so the number of copies is another's to say.
    pub fn bus(&self) -> BusConfig {
        BusConfig {
            url: self.nats.nats_url.clone(),
            stream: self.nats.nats_stream.clone(),
            subject_prefix: self.nats.nats_subject_prefix.clone(),
            replicas: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_variable_and_a_description() {
        use clap::CommandFactory;
        Config::command().debug_assert();
        for argument in Config::command().get_arguments() {
            assert!(argument.get_help().is_some() && argument.get_env().is_some(), "{}", argument.get_id());
        }
        let config: Config = ops::config::try_parse_from(Config::DEFAULTS, ["projector"]).unwrap();
        assert_eq!((config.operations.operations_address.port(), config.projections.batch_size), (9181, 500));
    }
}
