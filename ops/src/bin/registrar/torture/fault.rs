//! What can go wrong, how it is brought about, and what each process must say of itself meanwhile.

use std::time::Duration;

use nix::sys::signal::Signal;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{
    proxy::Link,
    stage::{LOG, NATS, READ, ROLES, Role, STREAM, Stage},
};
use crate::local::{Error, cluster};

/// Every kind of fault; the report gives them their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One of the two, with SIGKILL, as all that are killed.
    CommandApiKilled,
    /// The command API that publishes the log.
    RelayLeaderKilled,
    /// One of the two.
    ProjectorKilled,
    /// The only one.
    QueryApiKilled,
    /// PostgreSQL ends its sessions and stops.
    LogStoppedFast,
    /// It stops as it stands, and recovers when it starts.
    LogStoppedImmediately,
    /// As for the log.
    ReadStoppedFast,
    /// As for the log.
    ReadStoppedImmediately,
    /// And started again.
    NatsKilled,
    /// All of JetStream's messages are gone.
    StreamDeleted,
    /// One process cannot reach one server: its connections are reset.
    LinkCut,
    /// One process hears nothing of one server for a while.
    LinkStalled,
    /// As stalled, and the connections of that time never say a word again, while new ones do.
    LinkSilenced,
    /// Somebody holds the lock that every append needs.
    LogHeadLocked,
    /// Somebody holds the locks that every projection needs.
    CheckpointLocked,
    /// Twenty sessions sit in a transaction.
    IdleTransactions,
    /// Nothing more can be written for the read models.
    DiskFull,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::CommandApiKilled,
        Self::RelayLeaderKilled,
        Self::ProjectorKilled,
        Self::QueryApiKilled,
        Self::LogStoppedFast,
        Self::LogStoppedImmediately,
        Self::ReadStoppedFast,
        Self::ReadStoppedImmediately,
        Self::NatsKilled,
        Self::StreamDeleted,
        Self::LinkCut,
        Self::LinkStalled,
        Self::LinkSilenced,
        Self::LogHeadLocked,
        Self::CheckpointLocked,
        Self::IdleTransactions,
        Self::DiskFull,
    ];

    /// Its name for people and scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::CommandApiKilled => "command-api killed",
            Self::RelayLeaderKilled => "relay leader killed",
            Self::ProjectorKilled => "projector killed",
            Self::QueryApiKilled => "query-api killed",
            Self::LogStoppedFast => "log PostgreSQL stopped fast",
            Self::LogStoppedImmediately => "log PostgreSQL stopped immediately",
            Self::ReadStoppedFast => "read PostgreSQL stopped fast",
            Self::ReadStoppedImmediately => "read PostgreSQL stopped immediately",
            Self::NatsKilled => "NATS killed",
            Self::StreamDeleted => "stream deleted",
            Self::LinkCut => "connection cut",
            Self::LinkStalled => "connection stalled",
            Self::LinkSilenced => "connections lost in silence",
            Self::LogHeadLocked => "head of the log locked",
            Self::CheckpointLocked => "checkpoints locked",
            Self::IdleTransactions => "idle transactions",
            Self::DiskFull => "read disk full",
        }
    }
}

/// One fault, and where.
#[derive(Debug)]
pub struct Fault {
    /// What kind.
    pub kind: Kind,
    /// Which process it befalls, where it befalls one.
    process: Option<Role>,
    /// Which server it befalls, where it befalls one.
    server: Option<&'static str>,
    /// Sessions that are held open.
    sessions: Vec<PgConnection>,
}

impl Fault {
    /// A fault of this kind, at a random place where there are several.
    pub fn draw(kind: Kind, rng: &mut StdRng) -> Self {
        let of = |binary: &str| ROLES.into_iter().filter(|role| role.binary == binary).collect::<Vec<_>>();
        let mut one_of = |roles: &[Role]| roles.choose(rng).copied();
        let (process, server) = match kind {
            Kind::CommandApiKilled => (one_of(&of("command-api")), None),
            Kind::ProjectorKilled => (one_of(&of("projector")), None),
            Kind::QueryApiKilled => (one_of(&of("query-api")), None),
            Kind::RelayLeaderKilled => (None, None),
            Kind::NatsKilled | Kind::StreamDeleted => (None, Some(NATS)),
            Kind::LinkCut | Kind::LinkStalled | Kind::LinkSilenced => {
                let role = one_of(&ROLES);
                (role, role.and_then(|role| role.servers.choose(rng).copied()))
            }
            Kind::LogStoppedFast | Kind::LogStoppedImmediately | Kind::LogHeadLocked => (None, Some(LOG)),
            Kind::ReadStoppedFast | Kind::ReadStoppedImmediately | Kind::CheckpointLocked | Kind::DiskFull => {
                (None, Some(READ))
            }
            Kind::IdleTransactions => (None, Some(if rng.random() { LOG } else { READ })),
        };
        Self { kind, process, server, sessions: Vec::new() }
    }

    /// What happens, for people.
    pub fn describe(&self) -> String {
        let name = self.kind.name();
        match (self.process, self.server) {
            (Some(process), Some(server)) => format!("{name} ({} to {server})", process.name),
            (Some(process), None) => format!("{name} ({})", process.name),
            (None, Some(server)) if self.kind == Kind::IdleTransactions => format!("{name} ({server})"),
            _ => name.to_owned(),
        }
    }

    /// Whether both can be at once without the one hiding the other.
    pub fn goes_with(&self, other: &Self) -> bool {
        let same = |mine: Option<&str>, theirs: Option<&str>| mine.is_some() && mine == theirs;
        // Who leads is found out by asking the command APIs, which then must be there.
        let leader = |fault: &Self| fault.kind == Kind::RelayLeaderKilled;
        let command_api = |fault: &Self| fault.process.is_some_and(|role| role.binary == "command-api");
        !(same(self.process.map(|role| role.name), other.process.map(|role| role.name))
            || same(self.server, other.server)
            || (leader(self) && (leader(other) || command_api(other) || other.server.is_some()))
            || (leader(other) && (command_api(self) || self.server.is_some())))
    }

    /// Whether it lasts until it is ended.
    pub fn lasts(&self) -> bool {
        !matches!(
            self.kind,
            Kind::CommandApiKilled
                | Kind::RelayLeaderKilled
                | Kind::ProjectorKilled
                | Kind::QueryApiKilled
                | Kind::StreamDeleted
        )
    }

    /// Whether the process must say that it is not ready while this lasts.
    pub fn makes_unready(&self, process: Role) -> bool {
        match self.kind {
            Kind::LogStoppedFast | Kind::LogStoppedImmediately => process.needs == LOG,
            Kind::ReadStoppedFast | Kind::ReadStoppedImmediately => process.needs == READ,
            Kind::LinkCut | Kind::LinkStalled => self.is_between(process) && self.server == Some(process.needs),
            _ => false,
        }
    }

    /// Whether the process may say either, or nothing: it was killed, or cannot know.
    pub fn confuses(&self, process: Role) -> bool {
        match self.kind {
            Kind::CommandApiKilled | Kind::ProjectorKilled | Kind::QueryApiKilled | Kind::LinkSilenced => {
                self.is_between(process)
            }
            Kind::RelayLeaderKilled => process.binary == "command-api",
            Kind::DiskFull => process.needs == READ,
            _ => false,
        }
    }

    fn is_between(&self, process: Role) -> bool {
        self.process == Some(process)
    }

    /// Brings it about.
    pub async fn begin(&mut self, stage: &Stage<'_>) -> Result<(), Error> {
        match self.kind {
            Kind::CommandApiKilled | Kind::ProjectorKilled | Kind::QueryApiKilled => {
                if let Some(role) = self.process {
                    stage.supervisor.signal(role.name, Signal::SIGKILL);
                }
            }
            Kind::RelayLeaderKilled => {
                if let Some(leader) = stage.find_relay_leader().await {
                    stage.supervisor.signal(leader, Signal::SIGKILL);
                }
            }
            Kind::LogStoppedFast => stop(stage, LOG, Signal::SIGINT),
            Kind::LogStoppedImmediately => stop(stage, LOG, Signal::SIGQUIT),
            Kind::ReadStoppedFast => stop(stage, READ, Signal::SIGINT),
            Kind::ReadStoppedImmediately => stop(stage, READ, Signal::SIGQUIT),
            Kind::NatsKilled => stop(stage, NATS, Signal::SIGKILL),
            Kind::StreamDeleted => delete_stream(&stage.nats_url).await?,
            Kind::LinkCut => self.wires(stage, Link::cut),
            Kind::LinkStalled | Kind::LinkSilenced => self.wires(stage, Link::stall),
            Kind::LogHeadLocked => self.open(stage, "select from log.head for update").await?,
            Kind::CheckpointLocked => self.open(stage, "select from read.projections for update").await?,
            Kind::IdleTransactions => {
                let table = if self.server == Some(LOG) { "log.events" } else { "read.projections" };
                for _ in 0..20 {
                    self.open(stage, &format!("select count(*) from {table}")).await?;
                }
            }
            Kind::DiskFull => stage.disk.fill(&stage.read.url(cluster::READ_DATABASE)).await?,
        }
        Ok(())
    }

    /// Ends it.
    pub async fn end(&mut self, stage: &Stage<'_>) -> Result<(), Error> {
        match self.kind {
            Kind::LogStoppedFast | Kind::LogStoppedImmediately => stage.supervisor.release(LOG),
            Kind::ReadStoppedFast | Kind::ReadStoppedImmediately => stage.supervisor.release(READ),
            Kind::NatsKilled => stage.supervisor.release(NATS),
            Kind::LinkCut | Kind::LinkStalled => self.wires(stage, Link::mend),
            Kind::LinkSilenced => self.wires(stage, Link::mend_for_new_connections),
            Kind::DiskFull => stage.disk.clear(&stage.read.url(cluster::READ_DATABASE)).await?,
            _ => {}
        }
        for session in self.sessions.drain(..) {
            // The server may have ended it already.
            let _ = session.close().await;
        }
        Ok(())
    }

    fn wires(&self, stage: &Stage<'_>, act: impl Fn(&Link)) {
        let process = self.process.map(|role| role.name);
        let wires = stage.links.iter().filter(|link| Some(link.process) == process && Some(link.server) == self.server);
        wires.for_each(act);
    }

    /// Opens a session with a transaction that has done one thing and then does nothing.
    async fn open(&mut self, stage: &Stage<'_>, statement: &str) -> Result<(), Error> {
        let failed = |source| Error::Database { action: "hold a transaction open".to_owned(), source };
        let url = match self.server {
            Some(LOG) => stage.log.url(cluster::LOG_DATABASE),
            _ => stage.read.url(cluster::READ_DATABASE),
        };
        let mut session = PgConnection::connect(&url).await.map_err(failed)?;
        let statements = AssertSqlSafe(format!("begin; {statement}"));
        sqlx::raw_sql(statements).execute(&mut session).await.map_err(failed)?;
        self.sessions.push(session);
        Ok(())
    }
}

/// Stops a server, which stays stopped until it is released.
fn stop(stage: &Stage<'_>, server: &'static str, how: Signal) {
    stage.supervisor.hold(server);
    stage.supervisor.signal(server, how);
}

async fn delete_stream(url: &str) -> Result<(), Error> {
    let failed = |source: async_nats::Error| Error::Bus { action: "delete the stream", source };
    let client = async_nats::connect(url).await.map_err(|error| failed(error.into()))?;
    let mut jetstream = async_nats::jetstream::new(client);
    jetstream.set_timeout(Duration::from_secs(5));
    match jetstream.delete_stream(STREAM).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}
