//! Configuration: every setting is an environment variable and a flag of the same name, documented by `--help`.
//! A secret may also come from a file. A bad value ends the process at start, with one line on stderr and exit code 2.
//!
//! What a setting means is left to the module that uses it; each process puts its own together from these groups.

use std::{
    error::Error,
    fmt, fs,
    net::SocketAddr,
    path::Path,
    process::{self, ExitCode},
    str::FromStr,
    time::Duration,
};

use axum::http::HeaderValue;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, ValueEnum, error::ErrorKind};
use tracing_subscriber::EnvFilter;

/// The exit code of a process that could not start as it was configured.
pub const EXIT_CONFIGURATION: u8 = 2;

/// A value that must not be seen: printing it, in any form, prints `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the one place that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// Why the configuration cannot be used. The text names the variable and never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither the variable nor its `_FILE` is given.
    #[error("{name} is required: set {name}, or {name}_FILE to the path of a file that holds it")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// The variable and its `_FILE` are both given.
    #[error("{name} and {name}_FILE are both set: keep one")]
    Ambiguous {
        /// The variable.
        name: &'static str,
    },
    /// The file cannot be read.
    #[error("{name}_FILE: cannot read {path}")]
    Unreadable {
        /// The variable that the file stands for.
        name: &'static str,
        /// The path that was given.
        path: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The value was read and cannot be used.
    #[error("{name} is not usable: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong, in words that do not repeat the value.
        reason: String,
    },
}

impl ConfigError {
    /// A value that was read and cannot be used; `reason` must not repeat a secret.
    pub fn invalid(name: &'static str, reason: impl fmt::Display) -> Self {
        Self::Invalid { name, reason: reason.to_string() }
    }
}

/// Reads a secret that may be given inline or by file; an empty string counts as not given.
pub fn optional_secret(
    name: &'static str,
    inline: Option<&Secret>,
    file: Option<&str>,
) -> Result<Option<Secret>, ConfigError> {
    let inline = inline.filter(|secret| !secret.expose().is_empty());
    let file = file.filter(|path| !path.is_empty());
    match (inline, file) {
        (Some(_), Some(_)) => Err(ConfigError::Ambiguous { name }),
        (Some(secret), None) => Ok(Some(secret.clone())),
        (None, Some(path)) => read_secret_file(name, Path::new(path)).map(Some),
        (None, None) => Ok(None),
    }
}

fn read_secret_file(name: &'static str, path: &Path) -> Result<Secret, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        name,
        path: path.display().to_string(),
        source,
    })?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(ConfigError::invalid(name, format!("the file {} is empty", path.display())));
    }
    Ok(Secret::new(secret))
}

/// Defines a `clap::Args` group for one secret: the variable and its flag, and the same with `_FILE`.
///
/// ```ignore
/// ops::secret_args! {
///     /// 32 bytes in base64: wraps the subjects' keys.
///     pub MasterKey = "MASTER_KEY", "master-key";
/// }
/// // #[command(flatten)] master_key: MasterKey   …   args.master_key.required()?
/// ```
#[macro_export]
macro_rules! secret_args {
    ($($(#[doc = $doc:literal])+ $visibility:vis $group:ident = $variable:literal, $flag:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, ::clap::Args)]
        $visibility struct $group {
            $(#[doc = $doc])+
            #[arg(id = $flag, long = $flag, env = $variable, hide_env_values = true, value_name = "SECRET")]
            inline: Option<$crate::config::Secret>,
            #[arg(
                help = concat!("The path of a file that holds ", $variable, ", in its place"),
                id = concat!($flag, "-file"),
                long = concat!($flag, "-file"),
                env = concat!($variable, "_FILE"),
                value_name = "PATH"
            )]
            file: Option<String>,
        }

        impl $group {
            /// The secret, or the error that names both variables.
            pub fn required(&self) -> Result<$crate::config::Secret, $crate::config::ConfigError> {
                self.optional()?.ok_or($crate::config::ConfigError::Missing { name: $variable })
            }

            /// The secret, where it is given.
            pub fn optional(&self) -> Result<Option<$crate::config::Secret>, $crate::config::ConfigError> {
                $crate::config::optional_secret($variable, self.inline.as_ref(), self.file.as_deref())
            }
        }
    )+};
}

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

    /// Connections that each pool may hold.
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

/// Reads flags and environment into `P`, or ends the process: with the help that was asked for, or with one line on
/// stderr and exit code 2.
///
/// `defaults` gives each shared setting its default in this process, by the field's name, so that `--help` shows it:
/// `parse::<Args>(&[("listen_address", "127.0.0.1:8080")])`.
#[must_use]
pub fn parse<P: CommandFactory + FromArgMatches>(defaults: &[(&'static str, &'static str)]) -> P {
    try_parse_from::<P, _>(defaults, std::env::args_os()).unwrap_or_else(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            error.exit();
        }
        eprintln!("{}", one_line(&error));
        process::exit(EXIT_CONFIGURATION.into())
    })
}

/// As [`parse`], from given arguments and without ending the process.
pub fn try_parse_from<P, A>(defaults: &[(&'static str, &'static str)], arguments: A) -> Result<P, clap::Error>
where
    P: CommandFactory + FromArgMatches,
    A: IntoIterator,
    A::Item: Into<std::ffi::OsString> + Clone,
{
    let command = defaults.iter().fold(P::command(), |command, (id, value)| {
        command.mut_arg(*id, |argument| argument.default_value(*value).required(false))
    });
    P::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said =
        text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Says in one line on stderr why a process cannot start, and gives the exit code to end with.
pub fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::from(EXIT_CONFIGURATION)
}

/// An error and its causes in one line, outermost first.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source()).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    secret_args! {
        /// A key.
        Key = "OPS_TEST_KEY", "ops-test-key";
        /// Another key, to see that groups do not collide.
        OtherKey = "OPS_TEST_OTHER_KEY", "ops-test-other-key";
    }

    #[derive(Debug, Parser)]
    struct Everything {
        #[command(flatten)]
        key: Key,
        #[command(flatten)]
        other: OtherKey,
        #[command(flatten)]
        pool: PoolArgs,
        #[command(flatten)]
        telemetry: TelemetryArgs,
        #[command(flatten)]
        http: HttpArgs,
        #[command(flatten)]
        operations: OperationsArgs,
    }

    const DEFAULTS: &[(&str, &str)] =
        &[("listen_address", "127.0.0.1:8080"), ("operations_address", "127.0.0.1:9180"), ("database_role", "someone")];

    fn parsed(arguments: &[&str]) -> Result<Everything, clap::Error> {
        try_parse_from(DEFAULTS, std::iter::once(&"test").chain(arguments))
    }

    #[test]
    fn the_command_line_is_well_formed_and_every_flag_is_described() {
        let command = Everything::command();
        command.clone().debug_assert();
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
            assert!(argument.get_env().is_some(), "{} has no variable", argument.get_id());
        }
    }

    #[test]
    fn a_process_gives_shared_settings_its_own_defaults() {
        let settings = parsed(&[]).unwrap();
        assert_eq!(settings.http.listen_address.port(), 8080);
        assert_eq!(settings.pool.role(), Some("someone"));
        assert_eq!(parsed(&["--database-role", ""]).unwrap().pool.role(), None);
        assert!(!settings.http.docs);
        assert!(parsed(&["--docs"]).unwrap().http.docs);
        assert!(parsed(&["--docs", "true"]).unwrap().http.docs);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let settings = parsed(&["--ops-test-key", "hunter2"]).unwrap();
        assert_eq!(settings.key.required().unwrap().expose(), "hunter2");
        assert!(!format!("{settings:?} {}", settings.key.required().unwrap()).contains("hunter2"));
    }

    #[test]
    fn a_secret_comes_from_a_file_without_its_newline() {
        let path = std::env::temp_dir().join(format!("ops-secret-{}", uuid::Uuid::now_v7()));
        fs::write(&path, "from a file\n").unwrap();
        let path_text = path.to_str().unwrap();
        let settings = parsed(&["--ops-test-key-file", path_text]).unwrap();
        assert_eq!(settings.key.required().unwrap().expose(), "from a file");
        let both = parsed(&["--ops-test-key", "x", "--ops-test-key-file", path_text]).unwrap();
        assert!(matches!(both.key.required(), Err(ConfigError::Ambiguous { name: "OPS_TEST_KEY" })));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_missing_secret_names_both_variables() {
        let settings = parsed(&[]).unwrap();
        assert!(settings.other.optional().unwrap().is_none());
        let message = settings.other.required().unwrap_err().to_string();
        assert!(message.contains("OPS_TEST_OTHER_KEY,") && message.contains("OPS_TEST_OTHER_KEY_FILE"), "{message}");
    }

    #[test]
    fn a_bad_value_is_one_line() {
        for wrong in [["--listen-address", "nowhere"], ["--log-level", "a=b=c"], ["--cors-allowed-origins", "*"]] {
            let line = one_line(&parsed(&wrong).unwrap_err());
            assert!(line.starts_with("error: ") && line.contains(wrong[0]) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn an_origin_has_neither_path_nor_wildcard() {
        let two: Origins = "https://a.example, http://localhost:5173".parse().unwrap();
        assert_eq!(two.0, ["https://a.example", "http://localhost:5173"]);
        for wrong in ["*", "https://a.example/", "a.example", "ftp://a.example"] {
            assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
        }
    }
}
