//! What is known of a running `up`: the file that `status` and scripts read.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, files, lock::Lock, project::Instance, supervisor};

/// One log-in of the sample data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// Its role.
    pub role: String,
    /// What it logs in with.
    pub email: String,
    /// Its password.
    pub password: String,
}

impl Login {
    /// One row of a table.
    pub fn row(&self) -> String {
        format!("  {:12} {:36} {}", self.role, self.email, self.password)
    }
}

/// Where metrics and health of each process are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operations {
    /// Of the command API.
    pub command_api: String,
    /// Of the query API.
    pub query_api: String,
    /// Of the projector.
    pub projector: String,
}

/// Everything that a client, an operator or a script needs to reach the system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The command API.
    pub command_api: String,
    /// The query API.
    pub query_api: String,
    /// Metrics and health.
    pub operations: Operations,
    /// The log, as its owner.
    pub database_url: String,
    /// The read models, as their owner.
    pub read_database_url: String,
    /// JetStream.
    pub nats_url: String,
    /// The folder of the processes' programs.
    #[serde(default)]
    pub binaries: PathBuf,
    /// The log-ins of the sample data.
    pub logins: Vec<Login>,
}

/// The file of an `up` that is ready, and which `up` that is.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    up: u32,
    #[serde(flatten)]
    state: State,
}

impl State {
    /// Says that this process is ready.
    pub fn write(&self, instance: &Instance) -> Result<(), Error> {
        files::write_json(&instance.path(FILE), &Ready { up: std::process::id(), state: self.clone() })
    }

    /// Takes back what an earlier run said.
    pub fn remove(instance: &Instance) -> Result<(), Error> {
        files::remove(&instance.path(FILE))
    }

    /// What the `up` with this process id said when it was ready.
    pub fn find(instance: &Instance, up: u32) -> Result<Option<Self>, Error> {
        let ready: Option<Ready> = files::find_json(&instance.path(FILE))?;
        Ok(ready.filter(|ready| ready.up == up).map(|ready| ready.state))
    }
}

const FILE: &str = "state.json";

/// What `status` answers. Without a running system the places are null.
#[derive(Debug, Default, Serialize)]
pub struct Status {
    /// The command API.
    pub command_api: Option<String>,
    /// The query API.
    pub query_api: Option<String>,
    operations: Option<Operations>,
    database_url: Option<String>,
    read_database_url: Option<String>,
    nats_url: Option<String>,
    /// The log-ins of the sample data.
    pub logins: Vec<Login>,
    /// Whether it is ready to be used.
    pub running: bool,
    /// Who runs, by name; `up` is the process that keeps the others.
    pub pids: BTreeMap<String, u32>,
}

impl Status {
    /// The status of an instance now.
    pub fn read(instance: &Instance) -> Result<Self, Error> {
        let mut pids: BTreeMap<String, u32> =
            supervisor::running(instance)?.into_iter().map(|(name, record)| (name, record.identity.pid)).collect();
        let Some(up) = Lock::holder(&instance.lock_path())? else {
            return Ok(Self { pids, ..Self::default() });
        };
        pids.insert("up".to_owned(), up);
        let Some(state) = State::find(instance, up)? else {
            return Ok(Self { pids, ..Self::default() });
        };
        Ok(Self {
            command_api: Some(state.command_api),
            query_api: Some(state.query_api),
            operations: Some(state.operations),
            database_url: Some(state.database_url),
            read_database_url: Some(state.read_database_url),
            nats_url: Some(state.nats_url),
            logins: state.logins,
            running: true,
            pids,
        })
    }
}
