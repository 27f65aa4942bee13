//! The settings of this process, each a variable and a flag; `--help` tells what they are for. Those that every process
//! shares are in `ops::config`.

mod limits;
mod mail;

pub use limits::Limits;
pub use mail::MailSettings;

use crate::{
    domain::{account::RegistrationPolicy, auth_session::Lifetimes, password::Policy},
    passwords::Cost,
};
use chrono::TimeDelta;
use clap::{Args, Parser};
use events::bus::BusConfig;
use ops::{
    config::{ConfigError, HttpArgs, LogDatabaseUrl, OperationsArgs, PoolArgs, Secret, TelemetryArgs},
    tokens::Jwks,
};
use std::{path::PathBuf, time::Duration};

/// What the shared settings are where nothing else is said.
pub const DEFAULTS: &[(&str, &str)] = &[
    ("listen_address", "127.0.0.1:8080"),
    ("operations_address", "127.0.0.1:9180"),
    ("database_role", "registrar_command"),
];

/// A bootstrap token is a secret that opens an installation: too short a one is refused at start.
const BOOTSTRAP_TOKEN_MIN_LENGTH: usize = 16;

ops::secret_args! {
    /// The key that wraps every person's own key and digests the names they claim: 32 random bytes in base64, as
    /// `openssl rand -base64 32` makes them. Whoever loses it loses all personal data in the log.
    pub MasterKeyArg = "MASTER_KEY", "master-key";
    /// The key that signs access tokens: an Ed25519 private key in PKCS#8 PEM, as
    /// `openssl genpkey -algorithm ed25519` makes it. Its public half is served at /.well-known/jwks.json. A file is
    /// looked at every second: `registrar keys rotate` changes it under running processes.
    pub SigningKeyArg = "SIGNING_KEY", "signing-key";
    /// Public keys that verify access tokens beside the signing key's own: a JSON Web Key Set, with the key that comes
    /// next and the one that was retired. A file is looked at every second.
    pub JwksArg = "JWKS", "jwks";
    /// The secret that opens POST /v1/auth/bootstrap, which creates the first superadmin, once; at least 16 characters.
    /// Without it the route is closed.
    pub BootstrapTokenArg = "BOOTSTRAP_TOKEN", "bootstrap-token";
}

/// Registrar's command API: takes commands over HTTP, decides them, appends them to the log, and publishes the log on
/// NATS JetStream. It is ready while NATS is down, and not while the log database is.
#[derive(Debug, Clone, Parser)]
#[command(name = "command-api", version, next_display_order = None)]
pub struct Arguments {
    #[command(flatten, next_help_heading = "HTTP")]
    http: HttpArgs,
    #[command(flatten, next_help_heading = "Log database")]
    database_url: LogDatabaseUrl,
    #[command(flatten, next_help_heading = "Log database")]
    pool: PoolArgs,
    #[command(flatten, next_help_heading = "NATS")]
    nats: NatsArgs,
    #[command(flatten, next_help_heading = "Keys")]
    master_key: MasterKeyArg,
    #[command(flatten, next_help_heading = "Keys")]
    signing_key: SigningKeyArg,
    #[command(flatten, next_help_heading = "Keys")]
    jwks: JwksArg,
    #[command(flatten, next_help_heading = "Keys")]
    bootstrap_token: BootstrapTokenArg,
    #[command(flatten, next_help_heading = "Tokens and sessions")]
    tokens: TokenArgs,
    #[command(flatten, next_help_heading = "Accounts and passwords")]
    accounts: AccountArgs,
    #[command(flatten, next_help_heading = "Limits")]
    limits: limits::LimitArgs,
    #[command(flatten, next_help_heading = "Mail")]
    mail: mail::MailArgs,
    #[command(flatten, next_help_heading = "Operations")]
    operations: OperationsArgs,
    #[command(flatten, next_help_heading = "Operations")]
    telemetry: TelemetryArgs,
}

/// Where events are published.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "each is named as its flag and its variable are")]
struct NatsArgs {
    /// The NATS servers, separated by commas: `nats://user:password@host:4222`.
    #[arg(long, env = "NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    nats_url: String,

    /// The JetStream stream that holds the events; made where there is none.
    #[arg(long, env = "NATS_STREAM", default_value = "REGISTRAR", value_name = "NAME")]
    nats_stream: String,

    /// What every subject begins with; `.<tenant>.<aggregate>.<event>` follows.
    #[arg(long, env = "NATS_SUBJECT_PREFIX", default_value = "registrar.events", value_name = "PREFIX")]
    nats_subject_prefix: String,

    /// Copies that the NATS cluster keeps of each event: 1 on a single server, 3 in a cluster. It says how the stream is made:
    /// to go from one copy to several, delete the stream, and it is filled again.
    #[arg(long, env = "NATS_REPLICAS", default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u8).range(1..=5))]
    nats_replicas: u8,
}

/// What tokens say and how long they live.
#[derive(Debug, Clone, Args)]
struct TokenArgs {
    /// Who issues access tokens: their `iss`.
    #[arg(long, env = "TOKEN_ISSUER", default_value = "registrar", value_name = "NAME")]
    token_issuer: String,

    /// Whom access tokens are meant for: their `aud`.
    #[arg(long, env = "TOKEN_AUDIENCE", default_value = "registrar", value_name = "NAME")]
    token_audience: String,

    /// How long an access token lives, in seconds.
    #[arg(long, env = "ACCESS_TOKEN_SECONDS", default_value_t = 900, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(30..=3_600))]
    access_token_seconds: u32,

    /// How long a session lives without being refreshed, in days.
    #[arg(long, env = "REFRESH_TOKEN_DAYS", default_value_t = 7, value_name = "DAYS",
          value_parser = clap::value_parser!(u16).range(1..=365))]
    refresh_token_days: u16,

    /// How often it is looked for sessions that have expired, in seconds; one process at a time does it.
    #[arg(long, env = "SESSION_SWEEP_SECONDS", default_value_t = 60, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    session_sweep_seconds: u32,
}

/// Who may come in, and with what password.
#[derive(Debug, Clone, Args)]
struct AccountArgs {
    /// Whether people may register themselves with the default organisation when it comes to be: open, invite, or
    /// closed. Afterwards PATCH /v1/tenants/{id} says so, as for every organisation.
    #[arg(long, env = "REGISTRATION_POLICY", default_value = "open", value_name = "POLICY")]
    registration_policy: RegistrationPolicy,

    /// How long the temporary password of an account that an admin created is good for, in hours.
    #[arg(long, env = "TEMPORARY_PASSWORD_HOURS", default_value_t = 72, value_name = "HOURS",
          value_parser = clap::value_parser!(u16).range(1..=8_760))]
    temporary_password_hours: u16,

    /// The fewest characters that a password may have.
    #[arg(long, env = "PASSWORD_MIN_LENGTH", default_value_t = 12, value_name = "CHARACTERS",
          value_parser = clap::value_parser!(u16).range(8..=128))]
    password_min_length: u16,

    /// Memory that hashing one password takes, in KiB (Argon2id).
    #[arg(long, env = "ARGON2_MEMORY_KIB", default_value_t = 19_456, value_name = "KIB",
          value_parser = clap::value_parser!(u32).range(8..=4_194_304))]
    argon2_memory_kib: u32,

    /// Passes over that memory.
    #[arg(long, env = "ARGON2_ITERATIONS", default_value_t = 2, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    argon2_iterations: u32,

    /// Lanes of that memory; Argon2id wants 8 KiB for each.
    #[arg(long, env = "ARGON2_PARALLELISM", default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=64))]
    argon2_parallelism: u32,

    /// Threads that hash passwords, beside those that serve. While other commands come in, each rests four times as
    /// long as it hashes, half a second at most.
    #[arg(long, env = "ARGON2_THREADS", default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u8).range(1..=64))]
    argon2_threads: u8,

    /// Requests that may wait for such a thread; more are answered 503.
    #[arg(long, env = "ARGON2_QUEUE", default_value_t = 64, value_name = "REQUESTS",
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    argon2_queue: u16,
}

/// All that the process is started with, its secrets read.
#[derive(Debug, Clone)]
pub struct Config {
    /// How callers are met.
    pub http: HttpArgs,
    /// Where operators look, and how the process stops.
    pub operations: OperationsArgs,
    /// The log database.
    pub database_url: Secret,
    /// How it is used.
    pub pool: PoolArgs,
    /// Where events are published.
    pub bus: BusConfig,
    /// Wraps people's keys.
    pub master_key: Secret,
    /// Signs access tokens.
    pub signing_key: Secret,
    /// Further keys that verify them.
    pub jwks: Option<Jwks>,
    /// Where both are read again from when they change.
    pub keys: KeyFiles,
    /// `iss` of access tokens.
    pub token_issuer: String,
    /// `aud` of access tokens.
    pub token_audience: String,
    /// How long access tokens live.
    pub access_token_lifetime: Duration,
    /// How often it is looked for sessions that have expired.
    pub session_sweep: Duration,
    /// What hashing costs.
    pub password_cost: Cost,
    /// What is asked of a password.
    pub password_policy: Policy,
    /// How often what may be tried.
    pub limits: Limits,
    /// What mail is sent with.
    pub mail: MailSettings,
    /// What handlers go by.
    pub settings: Settings,
}

/// The files of the keys, where they were given so.
#[derive(Debug, Clone, Default)]
pub struct KeyFiles {
    /// Of the key that signs.
    pub signing_key: Option<PathBuf>,
    /// Of the keys that verify.
    pub jwks: Option<PathBuf>,
}

/// What handlers go by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether people may register themselves with the default organisation, to begin with.
    pub registration_policy: RegistrationPolicy,
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// How long a temporary password is good for.
    pub temporary_password: TimeDelta,
    /// Opens the bootstrap, where it is open.
    pub bootstrap_token: Option<Secret>,
}

impl Arguments {
    /// How this process logs.
    pub const fn telemetry(&self) -> &TelemetryArgs {
        &self.telemetry
    }

    /// Reads the secrets.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let Self { tokens, accounts, nats, .. } = self;
        let bootstrap_token = self.bootstrap_token.optional()?;
        if bootstrap_token.as_ref().is_some_and(|token| token.expose().len() < BOOTSTRAP_TOKEN_MIN_LENGTH) {
            let reason = format!("it has fewer than {BOOTSTRAP_TOKEN_MIN_LENGTH} characters");
            return Err(ConfigError::invalid("BOOTSTRAP_TOKEN", reason));
        }
        let jwks = self.jwks.optional()?.map(|jwks| read_jwks(&jwks)).transpose()?;
        let access_token_lifetime = Duration::from_secs(tokens.access_token_seconds.into());
        Ok(Config {
            http: self.http,
            operations: self.operations,
            database_url: self.database_url.required()?,
            pool: self.pool,
            bus: BusConfig {
                url: nats.nats_url,
                stream: nats.nats_stream,
                subject_prefix: nats.nats_subject_prefix,
                replicas: nats.nats_replicas.into(),
            },
            master_key: self.master_key.required()?,
            signing_key: self.signing_key.required()?,
            jwks,
            keys: KeyFiles { signing_key: self.signing_key.path(), jwks: self.jwks.path() },
            token_issuer: tokens.token_issuer,
            token_audience: tokens.token_audience,
            access_token_lifetime,
            session_sweep: Duration::from_secs(tokens.session_sweep_seconds.into()),
            password_cost: Cost {
                memory_kib: accounts.argon2_memory_kib,
                iterations: accounts.argon2_iterations,
                parallelism: accounts.argon2_parallelism,
                threads: accounts.argon2_threads.into(),
                queue: accounts.argon2_queue.into(),
            },
            password_policy: Policy { min_length: accounts.password_min_length.into() },
            limits: self.limits.into(),
            mail: self.mail.into_settings()?,
            settings: Settings {
                registration_policy: accounts.registration_policy,
                lifetimes: Lifetimes {
                    full: TimeDelta::days(tokens.refresh_token_days.into()),
                    set_password: TimeDelta::seconds(tokens.access_token_seconds.into()),
                },
                temporary_password: TimeDelta::hours(accounts.temporary_password_hours.into()),
                bootstrap_token,
            },
        })
    }
}

fn read_jwks(document: &Secret) -> Result<Jwks, ConfigError> {
    Jwks::parse(document.expose()).map_err(|error| ConfigError::invalid("JWKS", ops::config::chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lockout, mail::MailConfig};
    use clap::CommandFactory;

    fn parsed(arguments: &[&str]) -> Arguments {
        ops::config::try_parse_from(DEFAULTS, [&["command-api"], arguments].concat()).unwrap()
    }

    const SECRETS: &[&str] = &["--database-url", "postgres://localhost/log", "--master-key", "m", "--signing-key", "s"];

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
        let config = parsed(SECRETS).into_config().unwrap();
        assert_eq!(config.http.listen_address.to_string(), "127.0.0.1:8080");
        assert_eq!(config.operations.operations_address.to_string(), "127.0.0.1:9180");
        assert_eq!(config.pool.role(), Some("registrar_command"));
        assert_eq!((config.bus.stream.as_str(), config.bus.subject_prefix.as_str()), ("REGISTRAR", "registrar.events"));
        assert_eq!(config.access_token_lifetime, Duration::from_mins(15));
        let cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1, threads: 1, queue: 64 };
        assert_eq!(config.password_cost, cost);
        assert_eq!(config.password_policy, Policy { min_length: 12 });
        assert_eq!(config.settings.registration_policy, RegistrationPolicy::Open);
        let lifetimes = Lifetimes { full: TimeDelta::days(7), set_password: TimeDelta::minutes(15) };
        assert_eq!(config.settings.lifetimes, lifetimes);
        assert!(config.settings.bootstrap_token.is_none());
        let limits = Limits {
            logins_per_account: 10,
            logins_per_address: 60,
            resets_per_account: 5,
            resets_per_address: 60,
            registrations_per_address: 30,
            lockout: lockout::Policy { failures: 10, lasts: TimeDelta::minutes(15) },
            refusal_window: Duration::from_mins(1),
        };
        assert_eq!(config.limits, limits);
        assert!(config.mail.way.is_none());
    }

    #[test]
    fn mail_leaves_by_a_server_or_into_a_folder() {
        let way = |arguments: &[&str]| parsed(&[SECRETS, arguments].concat()).into_config().unwrap().mail.way;
        assert!(matches!(way(&["--smtp-host", "mail.example.org"]), Some(MailConfig::Smtp(_))));
        assert!(matches!(way(&["--mail-outbox", "/mail"]), Some(MailConfig::Folder(_))));
        let both = [&["command-api"], SECRETS, &["--smtp-host", "m", "--mail-outbox", "/mail"]].concat();
        assert!(ops::config::try_parse_from::<Arguments, _>(DEFAULTS, both).is_err());
    }

    #[test]
    fn a_link_without_its_token_is_refused() {
        let arguments = [SECRETS, &["--reset-password-url", "https://learn.example/reset"]].concat();
        let error = parsed(&arguments).into_config().unwrap_err().to_string();
        assert!(error.contains("RESET_PASSWORD_URL"), "{error}");
    }

    #[test]
    fn a_short_bootstrap_token_is_refused() {
        let arguments = [SECRETS, &["--bootstrap-token", "too-short"]].concat();
        let error = parsed(&arguments).into_config().unwrap_err().to_string();
        assert!(error.contains("BOOTSTRAP_TOKEN") && !error.contains("too-short"), "{error}");
    }

    #[test]
    fn a_setting_out_of_bounds_is_refused() {
        for wrong in [["--password-min-length", "7"], ["--argon2-threads", "0"], ["--registration-policy", "maybe"]] {
            let arguments = [&["command-api"], SECRETS, &wrong].concat();
            assert!(ops::config::try_parse_from::<Arguments, _>(DEFAULTS, arguments).is_err(), "{wrong:?}");
        }
    }
}
