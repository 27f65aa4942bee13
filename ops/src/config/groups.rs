//! The groups of settings that processes share, each for `#[command(flatten)]`.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use axum::http::HeaderValue;
use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::secret_args;

secret_args! {
    /// The log database: postgres://user:password@host:port/database.
    pub LogDatabaseUrl = "DATABASE_URL", "database-url";
    /// The read database: postgres://user:password@host:port/database.
    pub ReadDatabaseUrl = "READ_DATABASE_URL", "read-database-url";
}

/// How a process uses its databases.
#[derive(Clone, Debug, Args)]
pub struct PoolArgs {
    /// The role that each connection takes on (SET ROLE at start-up); empty: the role that logged in.
    #[arg(long, env = "DATABASE_ROLE", default_value = "", hide_default_value = true)]
    pub database_role: String,

    /// Connections that each pool may hold; those that one task needs for itself come on top, a dozen of a query API.
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_pool_size: u32,
}

impl PoolArgs {
    /// The role to take on, where there is one.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        Some(self.database_role.as_str()).filter(|role| !role.is_empty())
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Plain lines, for people.
    Text,
}

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
pub struct TelemetryArgs {
    /// The form of a log line.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// What is logged: a level, or directives such as `info,access=warn,sqlx=debug` (`access`: a line for each
    /// request). `RUST_LOG` is used where this is not set; the default is `info`.
    #[arg(long, env = "LOG_LEVEL", value_parser = filter, value_name = "FILTER")]
    pub log_level: Option<String>,
}

fn filter(directives: &str) -> Result<String, String> {
    EnvFilter::try_new(directives).map(|_| directives.to_owned()).map_err(|error| error.to_string())
}

/// How a process meets its callers.
#[derive(Clone, Debug, Args)]
pub struct HttpArgs {
    /// The address on which callers are served.
    #[arg(long, env = "LISTEN_ADDRESS", value_name = "ADDRESS:PORT")]
    pub listen_address: SocketAddr,

    /// The web origins that browsers may call from, separated by commas, such as `https://app.example.org`.
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", default_value = "", hide_default_value = true, value_name = "ORIGINS")]
    pub cors_allowed_origins: Origins,

    /// Serve the API's documentation at /docs; off in production.
    #[arg(
        long,
        env = "DOCS",
        action = ArgAction::Set,
        num_args = 0..=1,
        default_value_t = false,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub docs: bool,

    /// The largest body of a request, in bytes; a larger one is answered 413.
    #[arg(long, env = "MAX_BODY_BYTES", default_value_t = 1024 * 1024, value_name = "BYTES")]
    pub max_body_bytes: usize,

    /// The longest that a request may take, in seconds; after it the answer is 408.
    #[arg(long, env = "REQUEST_TIMEOUT_SECONDS", default_value_t = 30, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub request_timeout_seconds: u64,

    /// How many proxies of one's own stand in front and append to X-Forwarded-For; 0: that header is not believed.
    #[arg(long, env = "TRUSTED_PROXIES", default_value_t = 0, value_name = "COUNT")]
    pub trusted_proxies: u8,
}

impl HttpArgs {
    /// The longest that a request may take.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }
}

/// Where operators look, and how a process stops.
#[derive(Clone, Debug, Args)]
pub struct OperationsArgs {
    /// The address of /metrics and /health for operators; keep it off the public network.
    #[arg(long, env = "OPERATIONS_ADDRESS", value_name = "ADDRESS:PORT")]
    pub operations_address: SocketAddr,

    /// The longest that a stop may take, in seconds, from the signal to the exit.
    #[arg(long, env = "SHUTDOWN_SECONDS", default_value_t = 20, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=600))]
    pub shutdown_seconds: u64,
}

impl OperationsArgs {
    /// The longest that a stop may take.
    #[must_use]
    pub fn shutdown_bound(&self) -> Duration {
        Duration::from_secs(self.shutdown_seconds)
    }
}

/// Web origins as browsers send them: scheme, host and port, nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub Vec<HeaderValue>);

impl FromStr for Origins {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',')
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(origin)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || format!("{text:?} is not an origin such as https://app.example.org");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.origin().ascii_serialization() != text {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}
