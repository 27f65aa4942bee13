//! What the projector is told at its start: each setting is a flag and an environment variable.

use clap::{Parser, value_parser};
use events::bus::BusConfig;
use ops::config::{LogDatabaseUrl, OperationsArgs, PoolArgs, ReadDatabaseUrl, TelemetryArgs};

ops::secret_args! {
    /// The key that wraps people's keys: 32 random bytes in base64, the same as the command API's.
    pub MasterKeyArg = "MASTER_KEY", "master-key";
}

/// Registrar's projector: carries the log's events into the tables that the query API reads.
#[derive(Debug, Parser)]
#[command(name = "projector", version)]
pub struct Config {
    /// What is logged, and how.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// Where operators look, and how the process stops.
    #[command(flatten)]
    pub operations: OperationsArgs,
    /// How the databases are used.
    #[command(flatten)]
    pub pool: PoolArgs,
    /// Where the log is.
    #[command(flatten)]
    pub database_url: LogDatabaseUrl,
    /// Where the views are.
    #[command(flatten)]
    pub read_database_url: ReadDatabaseUrl,
    /// What opens personal data.
    #[command(flatten)]
    pub master_key: MasterKeyArg,

    /// NATS servers, separated by commas.
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", value_name = "URLS")]
    pub nats_url: String,

    /// The JetStream stream of the events.
    #[arg(long, env = "NATS_STREAM", default_value = "REGISTRAR", value_name = "NAME")]
    pub nats_stream: String,

    /// What the subject of every event begins with.
    #[arg(long, env = "NATS_SUBJECT_PREFIX", default_value = "registrar.events", value_name = "PREFIX")]
    pub nats_subject_prefix: String,

    /// Events that a projection applies in one transaction, at most.
    #[arg(long, env = "BATCH_SIZE", default_value_t = 500, value_name = "EVENTS", value_parser = value_parser!(u16).range(1..=10_000))]
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
            url: self.nats_url.clone(),
            stream: self.nats_stream.clone(),
            subject_prefix: self.nats_subject_prefix.clone(),
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
        assert_eq!((config.operations.operations_address.port(), config.batch_size), (9181, 500));
    }
}
