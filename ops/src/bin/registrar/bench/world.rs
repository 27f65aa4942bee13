//! The system that is measured: servers and processes of its own, in an instance that is thrown away afterwards.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use sqlx::{Connection, PgConnection};

use super::Error;
use crate::{
    local::{
        self, cluster,
        keys::Keys,
        processes::{self, Access, PROCESSES, Places, Wiring},
        project::Instance,
        servers::{self, Profile, Source, Wanted, postgres::Postgres},
        supervisor::{self, Supervisor},
    },
    migrate,
};

/// What differs from production: limits that one address would meet, and how long tokens live.
const SETTINGS: [(&str, &str); 4] = [
    ("LOGIN_RATE_PER_MINUTE", "0"),
    ("LOGIN_RATE_PER_ADDRESS_PER_MINUTE", "0"),
    ("ACCESS_TOKEN_SECONDS", "3600"),
    ("LOG_FORMAT", "json"),
];
/// PostgreSQL's settings that the report names.
const NAMED: [&str; 8] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
];
/// The longest wait for what follows from a command: publication, projection.
const PATIENCE: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(5);

/// The running system.
#[derive(Debug)]
pub struct World<'a> {
    /// Its folder.
    pub instance: &'a Instance,
    /// Who keeps it.
    pub supervisor: &'a Supervisor,
    /// Its PostgreSQL.
    pub postgres: Postgres,
    /// Its secrets.
    pub keys: Keys,
    /// Where its processes are.
    pub places: Places,
    client: reqwest::Client,
}

impl<'a> World<'a> {
    /// Starts everything.
    pub async fn start(
        instance: &'a Instance,
        source: Source,
        binaries: &Path,
        supervisor: &'a Supervisor,
    ) -> Result<Self, Error> {
        let wanted = Wanted { source, profile: Profile::Bench, postgres: true, nats: true };
        let servers = servers::start(instance, wanted, supervisor).await?;
        let (Some(postgres), Some(nats_url)) = (servers.postgres, servers.nats_url) else {
            return Err(local::Error::Usage("the servers were not started".to_owned()).into());
        };
        let names = [cluster::LOG_DATABASE, cluster::READ_DATABASE];
        cluster::create_databases(&postgres, &names).await?;
        migrate::both(&postgres.url(names[0]), &postgres.url(names[1])).await?;
        let mut access = Vec::new();
        for process in PROCESSES {
            let password = cluster::give_login(&postgres, process.role).await?;
            access.push(Access {
                database_url: postgres.url_of(process.role, &password, names[0]),
                read_database_url: postgres.url_of(process.role, &password, names[1]),
                database_role: None,
            });
        }
        let keys = Keys::prepare(instance)?;
        let wiring = Wiring {
            access,
            nats_url: &nats_url,
            keys: &keys,
            binaries,
            shown: false,
            settings: SETTINGS.map(|(name, value)| (name, OsString::from(value))).to_vec(),
        };
        let places = processes::start(instance, &wiring, supervisor).await?;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap_or_default();
        Ok(Self { instance, supervisor, postgres, keys, places, client })
    }

    /// Where the command API listens.
    pub fn command_api(&self) -> Result<SocketAddr, Error> {
        address(&self.places.command_api)
    }

    /// Where the query API listens.
    pub fn query_api(&self) -> Result<SocketAddr, Error> {
        address(&self.places.query_api)
    }

    /// The process ids of the servers and the processes, by name.
    pub fn pids(&self) -> Result<Vec<(String, u32)>, Error> {
        let running = supervisor::running(self.instance)?;
        Ok(running.into_iter().map(|(name, record)| (name, record.identity.pid)).collect())
    }

    /// The process ids of Registrar's own three processes.
    pub fn own_pids(&self) -> Result<Vec<(String, u32)>, Error> {
        let own = |name: &str| PROCESSES.iter().any(|process| process.name == name);
        Ok(self.pids()?.into_iter().filter(|(name, _)| own(name)).collect())
    }

    /// PostgreSQL's settings that matter.
    pub async fn settings(&self) -> Result<Vec<(String, String)>, Error> {
        let mut connection = connect(&self.postgres.url("postgres")).await?;
        let rows: Vec<(String, String)> = sqlx::query_as("select name, current_setting(name) from unnest($1) as name")
            .bind(NAMED.map(str::to_owned).to_vec())
            .fetch_all(&mut connection)
            .await?;
        Ok(rows)
    }

    /// A number in the command API's metrics.
    pub async fn metric(&self, name: &str) -> Result<f64, Error> {
        let text = self.metrics().await?;
        find_metric(&text, name).ok_or_else(|| Error::Metric(name.to_owned()))
    }

    /// The command API's metrics.
    pub async fn metrics(&self) -> Result<String, Error> {
        let url = format!("{}/metrics", self.places.operations.command_api);
        Ok(self.client.get(url).send().await?.error_for_status()?.text().await?)
    }

    /// Waits until JetStream has acknowledged the position.
    #[expect(clippy::cast_possible_truncation, reason = "a gauge of positions, which stay far below 2^52")]
    pub async fn published(&self, position: i64) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        while (self.metric("registrar_relay_position").await? as i64) < position {
            self.pause(deadline, "JetStream").await?;
        }
        Ok(())
    }

    /// Waits until every projection has come to the position.
    pub async fn projected(&self, position: i64) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = connect(&self.read_url()).await?;
        while lowest_position(&mut connection).await? < position {
            self.pause(deadline, "the projector").await?;
        }
        Ok(())
    }

    async fn pause(&self, deadline: Instant, whose: &'static str) -> Result<(), Error> {
        if Instant::now() > deadline {
            return Err(Error::Behind(whose));
        }
        let pause = tokio::time::sleep(POLL);
        self.supervisor.cancel().run_until_cancelled(pause).await.ok_or(local::Error::Interrupted.into())
    }

    /// The last position of the log.
    pub async fn head(&self) -> Result<i64, Error> {
        let mut connection = connect(&self.log_url()).await?;
        Ok(sqlx::query_scalar("select position from log.head").fetch_one(&mut connection).await?)
    }

    /// The log's database, for its owner.
    pub fn log_url(&self) -> String {
        self.postgres.url(cluster::LOG_DATABASE)
    }

    /// The database of the views, for its owner.
    pub fn read_url(&self) -> String {
        self.postgres.url(cluster::READ_DATABASE)
    }

    /// The data and the metadata of an event of this type, as the log has them.
    pub async fn event_of(&self, event_type: &str) -> Result<(Value, Value), Error> {
        let mut connection = connect(&self.log_url()).await?;
        let select = "select data, metadata from log.events where type = $1 order by position desc limit 1";
        Ok(sqlx::query_as(select).bind(event_type).fetch_one(&mut connection).await?)
    }
}

/// Where the hindmost projection is.
pub async fn lowest_position(connection: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select min(position) from read.projections").fetch_one(connection).await?)
}

/// A connection.
pub async fn connect(url: &str) -> Result<PgConnection, Error> {
    Ok(PgConnection::connect(url).await?)
}

fn address(url: &str) -> Result<SocketAddr, Error> {
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
    address.ok_or_else(|| local::Error::Usage(format!("{url} is no address")).into())
}

/// The sum over a metric's labels.
pub fn find_metric(text: &str, name: &str) -> Option<f64> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let values = lines.filter(|rest| rest.starts_with(['{', ' ']));
    let numbers: Vec<f64> = values.filter_map(|rest| rest.rsplit(' ').next()?.parse().ok()).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# HELP a_total x\na_total{b=\"c\"} 1\na_total{b=\"d\"} 2\na_total_more 9\nplain 4\n";
        assert_eq!(find_metric(text, "a_total"), Some(3.0));
        assert_eq!(find_metric(text, "plain"), Some(4.0));
        assert_eq!(find_metric(text, "absent"), None);
    }
}
