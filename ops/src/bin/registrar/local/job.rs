//! Programs that run to their end: `cargo`, `pip`, `initdb`. Each is a process group of its own, so that Ctrl-C reaches
//! this command alone, which then ends the job with all that it started.

use std::{
    ffi::OsStr,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::{Error, account::Account, files, process};

/// How long an interrupted job may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A command that inherits no setting of Registrar, of PostgreSQL's clients or of the `cargo run` around this process:
/// a job gets what it is given, and a stray `DATABASE_URL` reaches nothing.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_setting) {
            command.env_remove(name);
        }
    }
    command
}

fn is_setting(name: &str) -> bool {
    const PREFIXES: [&str; 20] = [
        "SMTP_",
        "MAIL_",
        "RESET_",
        "LOCKOUT_",
        "REFUSAL_",
        "SESSION_SWEEP_",
        "LOGIN_RATE_",
        "REGISTRATION_RATE_",
        "PG",
        "NATS_",
        "ARGON2_",
        "SQLX_",
        "TEST_",
        "SIGNING_KEY",
        "MASTER_KEY",
        "BOOTSTRAP_TOKEN",
        "JWKS",
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
    ];
    const NAMES: [&str; 25] = [
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "DATABASE_ROLE",
        "DATABASE_POOL_SIZE",
        "READ_DATABASE_URL",
        "READ_DATABASE_URL_FILE",
        "LISTEN_ADDRESS",
        "OPERATIONS_ADDRESS",
        "TOKEN_ISSUER",
        "TOKEN_AUDIENCE",
        "ACCESS_TOKEN_SECONDS",
        "REFRESH_TOKEN_DAYS",
        "TEMPORARY_PASSWORD_HOURS",
        "PASSWORD_MIN_LENGTH",
        "REGISTRATION_POLICY",
        "LOGIN_RATE_PER_MINUTE",
        "MIN_POSITION_WAIT_MS",
        "BATCH_SIZE",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "CORS_ALLOWED_ORIGINS",
        "DOCS",
        "SHUTDOWN_SECONDS",
        "REGISTRAR_BIN_DIR",
        "REGISTRAR_UPDATE_SCHEMAS",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// Lets the command run as another user.
pub fn run_as(command: &mut Command, account: Option<&Account>) {
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
}

/// Runs a job whose output the operator sees.
pub async fn run(name: &str, command: &mut Command, cancel: &CancellationToken) -> Result<(), Error> {
    let status = finish(spawn(command)?, cancel).await?;
    check(name, status, String::new)
}

/// Runs a job whose output goes into a log; an error carries its last line.
pub async fn run_logged(
    name: &str,
    command: &mut Command,
    log: &Path,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    files::remove(log)?;
    let output = files::append(log)?;
    let errors = output.try_clone().map_err(files::failed("write", log))?;
    let status = finish(spawn(command.stdout(output).stderr(errors))?, cancel).await?;
    check(name, status, || files::last_words(log))
}

/// Runs a short job for its answer on standard output.
pub async fn answer(name: &str, command: &mut Command) -> Result<String, Error> {
    let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true))?;
    let output = child.wait_with_output().await.map_err(|source| Error::Spawn { program: name.to_owned(), source })?;
    let errors = String::from_utf8_lossy(&output.stderr);
    check(name, output.status, || errors.trim().lines().last().unwrap_or_default().to_owned())?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts a command; an error names its program.
pub fn spawn(command: &mut Command) -> Result<Child, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|source| Error::Spawn { program, source })
}

async fn finish(mut child: Child, cancel: &CancellationToken) -> Result<ExitStatus, Error> {
    let group = child.id();
    let ended = tokio::select! {
        status = child.wait() => status,
        () = cancel.cancelled() => {
            if let Some(group) = group {
                process::send_to_group(group, Signal::SIGTERM);
                if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                    process::send_to_group(group, Signal::SIGKILL);
                }
            }
            return Err(Error::Interrupted);
        }
    };
    ended.map_err(|source| Error::Spawn { program: "a child process".to_owned(), source })
}

fn check(name: &str, status: ExitStatus, last: impl FnOnce() -> String) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Job { name: name.to_owned(), how: how(status), last: last() })
}

/// An exit status in words.
pub fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    let signal = || status.signal().and_then(|number| Signal::try_from(number).ok()).map_or("a signal", Signal::as_str);
    status.code().map_or_else(|| format!("killed by {}", signal()), |code| format!("exit code {code}"))
}
