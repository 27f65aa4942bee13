//! The stage: servers of the run's own, two of each process that may be two, and between them wires that can be cut.

use std::{collections::BTreeMap, ffi::OsString, path::Path, time::Duration};

use nix::sys::signal::Signal;
use reqwest::{Client, StatusCode};

use super::{disk::Disk, proxy::Link};
use crate::{
    local::{
        Error, cluster,
        keys::Keys,
        ports,
        processes::GENEROUS,
        project::Instance,
        servers::{
            Origin, Profile, Source,
            binaries::Search,
            nats,
            postgres::{self, Postgres},
        },
        supervisor::{Program, Stop, Supervisor, fresh_log},
    },
    migrate,
};

/// PostgreSQL with the log.
pub const LOG: &str = "log-postgres";
/// PostgreSQL with the read models.
pub const READ: &str = "read-postgres";
/// NATS.
pub const NATS: &str = nats::NAME;

/// The name of JetStream's stream.
pub const STREAM: &str = "REGISTRAR";
/// The database in which all views are built anew.
pub const REBUILT: &str = "registrar_rebuilt";

/// The longest that a process may take to say whether it is ready.
const PROBE_BOUND: Duration = Duration::from_secs(3);

/// A process, and which servers it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Its name in the run.
    pub name: &'static str,
    /// Its binary.
    pub binary: &'static str,
    /// Its account in the databases.
    account: &'static str,
    /// The servers that it talks to.
    pub servers: &'static [&'static str],
    /// The one of them without which it is not ready.
    pub needs: &'static str,
}

const fn command_api(name: &'static str) -> Role {
    Role { name, binary: "command-api", account: "registrar_command", servers: &[LOG, NATS], needs: LOG }
}

const fn projector(name: &'static str) -> Role {
    Role { name, binary: "projector", account: "registrar_projector", servers: &[LOG, READ, NATS], needs: READ }
}

/// All processes.
pub const ROLES: [Role; 5] = [
    projector("projector-1"),
    projector("projector-2"),
    command_api("command-api-1"),
    command_api("command-api-2"),
    Role { name: "query-api", binary: "query-api", account: "registrar_query", servers: &[READ], needs: READ },
];

/// One running process.
#[derive(Debug, Clone)]
pub struct Process {
    /// What it is.
    pub role: Role,
    /// Its API, where it has one.
    pub api: Option<String>,
    /// Its health and its metrics.
    pub operations: String,
}

/// Everything that runs.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Who starts what dies.
    pub supervisor: &'a Supervisor,
    /// The log's server, reached directly.
    pub log: Postgres,
    /// The read models' server, reached directly.
    pub read: Postgres,
    /// NATS, reached directly.
    pub nats_url: String,
    /// The wires.
    pub links: Vec<Link>,
    /// The processes.
    pub processes: Vec<Process>,
    /// What lets the first account be made.
    pub bootstrap_token: String,
    /// What the read models lie on.
    pub disk: &'a Disk,
    place: Place<'a>,
    passwords: BTreeMap<(&'static str, &'static str), String>,
    http: Client,
}

/// Where files are.
#[derive(Debug)]
struct Place<'a> {
    instance: &'a Instance,
    binaries: &'a Path,
    keys: Keys,
}

impl<'a> Stage<'a> {
    /// Sets it up; everything is ready when it returns.
    pub async fn set(
        instance: &'a Instance,
        source: Source,
        binaries: &'a Path,
        disk: &'a Disk,
        supervisor: &'a Supervisor,
    ) -> Result<Self, Error> {
        let servers = Servers::start(instance, source, supervisor).await?;
        let Servers { log, read, nats_port } = servers;
        cluster::create_databases(&log, &[cluster::LOG_DATABASE]).await?;
        cluster::create_databases(&read, &[cluster::READ_DATABASE, REBUILT]).await?;
        for database in [cluster::READ_DATABASE, REBUILT] {
            migrate::both(&log.url(cluster::LOG_DATABASE), &read.url(database)).await?;
        }
        let mut passwords = BTreeMap::new();
        for role in ROLES {
            for (server, postgres) in [(LOG, &log), (READ, &read)] {
                let key = (server, role.account);
                if role.servers.contains(&server) && !passwords.contains_key(&key) {
                    passwords.insert(key, cluster::give_login(postgres, role.account).await?);
                }
            }
        }
        let mut links = Vec::new();
        for (role, server) in ROLES.iter().flat_map(|role| role.servers.iter().map(move |server| (role, *server))) {
            let to = match server {
                LOG => log.port,
                READ => read.port,
                _ => nats_port,
            };
            links.push(Link::lay(role.name, server, to).await?);
        }
        let keys = Keys::prepare(instance)?;
        let mut stage = Self {
            supervisor,
            log,
            read,
            nats_url: format!("nats://127.0.0.1:{nats_port}"),
            links,
            processes: Vec::new(),
            bootstrap_token: keys.read_bootstrap_token()?,
            disk,
            place: Place { instance, binaries, keys },
            passwords,
            http: Client::builder().no_proxy().timeout(PROBE_BOUND).build().unwrap_or_default(),
        };
        for role in ROLES {
            let process = stage.start(role, cluster::READ_DATABASE).await?;
            stage.processes.push(process);
        }
        Ok(stage)
    }

    /// Starts a projector that builds all views anew beside the others.
    pub async fn start_rebuild(&self) -> Result<(), Error> {
        let role = Role { name: "projector-rebuild", ..ROLES[0] };
        self.start(role, REBUILT).await.map(drop)
    }

    /// Asks a process whether it is ready; none where it does not answer.
    pub async fn is_ready(&self, process: &Process) -> Option<bool> {
        let answer = self.http.get(format!("{}/health/ready", process.operations)).send().await.ok()?;
        match answer.status() {
            StatusCode::OK => Some(true),
            StatusCode::SERVICE_UNAVAILABLE => Some(false),
            _ => None,
        }
    }

    /// Which command API publishes the log.
    pub async fn find_relay_leader(&self) -> Option<&'static str> {
        for process in self.processes.iter().filter(|process| process.role.binary == "command-api") {
            let Ok(answer) = self.http.get(format!("{}/metrics", process.operations)).send().await else { continue };
            let metrics = answer.text().await.unwrap_or_default();
            let mut lines = metrics.lines().filter(|line| line.starts_with("registrar_relay_leader"));
            if lines.any(|line| line.ends_with(" 1")) {
                return Some(process.role.name);
            }
        }
        None
    }

    async fn start(&self, role: Role, read_database: &str) -> Result<Process, Error> {
        let operations = format!("127.0.0.1:{}", ports::free(None)?);
        let mut environment = settings(role);
        environment.push(("OPERATIONS_ADDRESS", (&operations).into()));
        let mut api = None;
        if role.binary != "projector" {
            let address = format!("127.0.0.1:{}", ports::free(None)?);
            environment.push(("LISTEN_ADDRESS", (&address).into()));
            api = Some(format!("http://{address}"));
        }
        for server in role.servers {
            environment.push(self.way_to(server, role, read_database));
        }
        let keys = &self.place.keys;
        environment.extend(match role.binary {
            "query-api" => vec![("JWKS_FILE", keys.jwks.clone().into())],
            "projector" => vec![("MASTER_KEY_FILE", keys.master_key.clone().into())],
            _ => vec![
                ("MASTER_KEY_FILE", keys.master_key.clone().into()),
                ("SIGNING_KEY_FILE", keys.signing_key.clone().into()),
                ("BOOTSTRAP_TOKEN_FILE", keys.bootstrap_token.clone().into()),
            ],
        });
        let instance = self.place.instance;
        let log = instance.log(role.name);
        fresh_log(&log)?;
        let program = Program {
            name: role.name,
            path: self.place.binaries.join(role.binary),
            arguments: Vec::new(),
            environment,
            account: None,
            folder: instance.project.root().to_path_buf(),
            log,
            shown: false,
            stop: Stop { ask: Signal::SIGTERM, grace: Duration::from_secs(25), end: Signal::SIGKILL },
        };
        let process = Process { role, api, operations: format!("http://{operations}") };
        let ready = async || self.is_ready(&process).await == Some(true);
        self.supervisor.start(program, Duration::from_mins(1), ready).await?;
        Ok(process)
    }

    /// The setting that tells a process where a server is: at the end of its own wire, or, where it has none, directly.
    fn way_to(&self, server: &'static str, role: Role, read_database: &str) -> (&'static str, OsString) {
        let link = self.links.iter().find(|link| link.process == role.name && link.server == server);
        if server == NATS {
            let url = link.map_or_else(|| self.nats_url.clone(), |link| format!("nats://127.0.0.1:{}", link.port));
            return ("NATS_URL", url.into());
        }
        let (variable, postgres, database) = match server {
            LOG => ("DATABASE_URL", &self.log, cluster::LOG_DATABASE),
            _ => ("READ_DATABASE_URL", &self.read, read_database),
        };
        let mut postgres = postgres.clone();
        if let Some(link) = link {
            postgres.port = link.port;
        }
        let password = self.passwords.get(&(server, role.account)).map_or("", String::as_str);
        (variable, postgres.url_of(role.account, password, database).into())
    }
}

/// The servers of a run.
struct Servers {
    log: Postgres,
    read: Postgres,
    nats_port: u16,
}

impl Servers {
    async fn start(instance: &Instance, source: Source, supervisor: &Supervisor) -> Result<Self, Error> {
        let mut search = Search::new(instance.project.clone(), source, supervisor.cancel().clone());
        let (of_postgres, of_nats) = (search.postgres().await?, search.nats().await?);
        if [&of_postgres, &of_nats].iter().any(|origin| matches!(origin, Origin::Docker)) {
            return Err(Error::OutOfReach);
        }
        let (log, read) = (part(instance, "log")?, part(instance, super::READ_PART)?);
        Ok(Self {
            log: postgres::start_named(LOG, &log, &of_postgres, Profile::Durable, supervisor).await?,
            read: postgres::start_named(READ, &read, &of_postgres, Profile::Small, supervisor).await?,
            nats_port: nats::start(instance, &of_nats, supervisor).await?,
        })
    }
}

/// A part of an instance with a folder of its own within the instance's.
pub fn part(instance: &Instance, name: &str) -> Result<Instance, Error> {
    instance.project.instance(&format!("{}/{name}", instance.name))
}

/// What a process is told beside where everything is. Hashing passwords is made cheap: it is not what is on trial.
fn settings(role: Role) -> Vec<(&'static str, OsString)> {
    let mut settings: Vec<(&'static str, OsString)> =
        vec![("LOG_FORMAT", "text".into()), ("NO_COLOR", "1".into()), ("NATS_STREAM", STREAM.into())];
    if role.binary == "command-api" {
        settings.extend([
            ("ACCESS_TOKEN_SECONDS", "3600".into()),
            // What is refused at the end is to be in the log soon.
            ("REFUSAL_WINDOW_SECONDS", "2".into()),
            ("ARGON2_MEMORY_KIB", "64".into()),
            ("ARGON2_ITERATIONS", "1".into()),
        ]);
        settings.extend(GENEROUS.map(|(name, value)| (name, value.into())));
    }
    settings.extend(std::env::var_os("LOG_LEVEL").map(|level| ("LOG_LEVEL", level)));
    settings
}
