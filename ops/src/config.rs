//! Configuration: every setting is an environment variable and a flag of the same name, documented by `--help`.
//! A secret may also come from a file. A bad value ends the process at start, with one line on stderr and exit code 2.
//!
//! What a setting means is left to the module that uses it; each process puts its own together from these groups.

mod groups;

use std::{
    error::Error,
    fmt, fs,
    path::Path,
    process::{self, ExitCode},
    str::FromStr,
};

use clap::{CommandFactory, FromArgMatches, error::ErrorKind};

pub use self::groups::{
    HttpArgs, LogDatabaseUrl, LogFormat, OperationsArgs, Origins, PoolArgs, ReadDatabaseUrl, TelemetryArgs,
};

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

            /// The file that holds it, where it is given so.
            pub fn path(&self) -> Option<::std::path::PathBuf> {
                self.file.as_deref().filter(|path| !path.is_empty()).map(::std::path::PathBuf::from)
            }

            /// The secret, where it is given.
            pub fn optional(&self) -> Result<Option<$crate::config::Secret>, $crate::config::ConfigError> {
                $crate::config::optional_secret($variable, self.inline.as_ref(), self.file.as_deref())
            }
        }
    )+};
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

/// An error and its causes in one line, outermost first. Some libraries repeat a cause in their own message: what is
/// said already is not said again.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source()).map(ToString::to_string);
    let mut said: Vec<String> = Vec::new();
    for cause in causes {
        if !said.last().is_some_and(|last| last.ends_with(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ").replace('\n', " ")
}

#[cfg(test)]
mod tests;
