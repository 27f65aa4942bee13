//! The settings of this process, each a variable and a flag; `--help` tells what they are for. Those that every process
//! shares are in `ops::config`.

use clap::{Args, Parser};
use ops::{
    config::{
        ConfigError, HttpArgs, OperationsArgs, PoolArgs, ReadDatabaseUrl, Secret, TelemetryArgs, optional_secret,
    },
    tokens::{Jwks, Verifier},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What the shared settings are where nothing else is said.
pub const DEFAULTS: &[(&str, &str)] = &[
    ("listen_address", "127.0.0.1:8081"),
    ("operations_address", "127.0.0.1:9182"),
    ("database_role", "registrar_query"),
];

ops::secret_args! {
    /// The public keys that verify access tokens: the JSON Web Key Set that the command API serves at
    /// /.well-known/jwks.json. It is no secret; whoever can change it can let anyone in. A file is looked at every
    /// second: `registrar keys rotate` changes it under running processes.
    pub JwksArg = "JWKS", "jwks";
}

/// Registrar's query API: answers from the read models, each answer with the position in the log that it reflects. It
/// is ready while the command API, NATS and the projector are down, and not while the read database is.
#[derive(Debug, Clone, Parser)]
#[command(name = "query-api", version, about, next_display_order = None)]
pub struct Arguments {
    #[command(flatten, next_help_heading = "HTTP")]
    http: HttpArgs,
    #[command(flatten, next_help_heading = "HTTP")]
    consistency: ConsistencyArgs,
    #[command(flatten, next_help_heading = "Read database")]
    database_url: ReadDatabaseUrl,
    #[command(flatten, next_help_heading = "Read database")]
    pool: PoolArgs,
    #[command(flatten, next_help_heading = "Tokens")]
    jwks: JwksArg,
    #[command(flatten, next_help_heading = "Tokens")]
    tokens: TokenArgs,
    #[command(flatten, next_help_heading = "Operations")]
    operations: OperationsArgs,
    #[command(flatten, next_help_heading = "Operations")]
    telemetry: TelemetryArgs,
}

#[derive(Debug, Clone, Args)]
struct ConsistencyArgs {
    /// The longest that a query waits for the position in its Registrar-Min-Position, in milliseconds; after it the
    /// answer is 503.
    #[arg(long, env = "MIN_POSITION_WAIT_MS", default_value_t = 2000, value_name = "MILLISECONDS",
          value_parser = clap::value_parser!(u64).range(0..=30_000))]
    min_position_wait_ms: u64,
}

#[derive(Debug, Clone, Args)]
struct TokenArgs {
    /// Who issues access tokens (`iss`).
    #[arg(long, env = "TOKEN_ISSUER", default_value = "registrar", value_name = "NAME")]
    token_issuer: String,

    /// Whom access tokens are meant for (`aud`).
    #[arg(long, env = "TOKEN_AUDIENCE", default_value = "registrar", value_name = "NAME")]
    token_audience: String,
}

/// All that the process is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// How callers are met.
    pub http: HttpArgs,
    /// Where operators look, and how the process stops.
    pub operations: OperationsArgs,
    /// The read database.
    pub database_url: Secret,
    /// How it is used.
    pub pool: PoolArgs,
    /// Verifies access tokens.
    pub verifier: Verifier,
    /// The file of its keys, which may change.
    pub jwks_file: Option<PathBuf>,
    /// The longest that a query waits for a position.
    pub min_position_wait: Duration,
}

impl Arguments {
    /// How this process logs.
    pub const fn telemetry(&self) -> &TelemetryArgs {
        &self.telemetry
    }

    /// Reads the secrets and the keys.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let wrong = |error| ConfigError::invalid("JWKS", ops::config::chain(&error));
        let jwks = Jwks::parse(self.jwks.required()?.expose()).map_err(wrong)?;
        let verifier =
            Verifier::from_jwks(&jwks, &self.tokens.token_issuer, &self.tokens.token_audience).map_err(wrong)?;
        Ok(Config {
            http: self.http,
            operations: self.operations,
            database_url: self.database_url.required()?,
            pool: self.pool,
            verifier,
            jwks_file: self.jwks.path(),
            min_position_wait: Duration::from_millis(self.consistency.min_position_wait_ms),
        })
    }
}

/// Verifies with the keys that the file holds now.
pub fn reload_keys(file: &Path, verifier: &Verifier) -> Result<(), ConfigError> {
    let wrong = |error| ConfigError::invalid("JWKS", ops::config::chain(&error));
    let Some(document) = optional_secret("JWKS", None, file.to_str())? else { return Ok(()) };
    verifier.replace_keys(&Jwks::parse(document.expose()).map_err(wrong)?).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use ops::tokens::{Signer, generate_signing_key_pem};

    fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
        let given = [&["query-api", "--read-database-url", "postgres://localhost/read"], arguments].concat();
        ops::config::try_parse_from::<Arguments, _>(DEFAULTS, given).unwrap().into_config()
    }

    fn jwks() -> String {
        let key = generate_signing_key_pem().unwrap();
        let signer = Signer::from_pem(&key, "registrar", "registrar", Duration::from_mins(1)).unwrap();
        serde_json::to_string(&signer.jwks()).unwrap()
    }

    #[test]
    fn every_setting_is_a_variable_with_help_and_the_command_line_is_well_formed() {
        let command = Arguments::command();
        command.clone().debug_assert();
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
            assert!(argument.get_env().is_some(), "{} has no variable", argument.get_id());
        }
    }

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let config = config(&["--jwks", &jwks()]).unwrap();
        assert_eq!(config.http.listen_address.to_string(), "127.0.0.1:8081");
        assert_eq!(config.operations.operations_address.to_string(), "127.0.0.1:9182");
        assert_eq!(config.pool.role(), Some("registrar_query"));
        assert_eq!(config.min_position_wait, Duration::from_secs(2));
    }

    #[test]
    fn without_keys_that_can_be_used_nothing_starts() {
        for (given, says) in [
            (&[][..], "JWKS is required"),
            (&["--jwks", "nonsense"], "JWKS is not usable: the key set is not a JSON Web Key Set"),
            (&["--jwks", r#"{"keys":[]}"#], "JWKS is not usable: the key set must hold Ed25519 public keys"),
        ] {
            let error = config(given).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
