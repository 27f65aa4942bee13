//! How long everything takes to work again once a fault is over: not only to say so, but to do it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use async_nats::jetstream;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::sleep;

use super::{
    client::Client,
    stage::{STREAM, Stage},
};
use crate::local::{Error, cluster};

/// Within this after a fault's end everything must work again.
pub const BOUND: Duration = Duration::from_secs(10);
/// After this the run is given up.
const HOPELESS: Duration = Duration::from_secs(90);
const INTERVAL: Duration = Duration::from_millis(50);

/// Looks at the servers themselves, past all processes.
#[derive(Debug, Clone)]
pub struct Observer {
    /// The log.
    pub log: PgPool,
    /// The read models.
    pub read: PgPool,
    /// JetStream.
    pub jetstream: jetstream::Context,
}

impl Observer {
    /// Of this stage's servers.
    pub async fn of(stage: &Stage<'_>) -> Result<Self, Error> {
        let pool = |url: String| {
            let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(2));
            let failed = |source| Error::Database { action: "look at a database".to_owned(), source };
            options.connect_lazy(&url).map_err(failed)
        };
        let failed = |error: async_nats::Error| Error::Bus { action: "look at JetStream", source: error };
        let client = async_nats::ConnectOptions::new()
            .max_reconnects(None)
            .reconnect_delay_callback(|_| Duration::from_millis(100))
            .connect(&stage.nats_url)
            .await
            .map_err(|error| failed(error.into()))?;
        let jetstream = jetstream::ContextBuilder::new().timeout(Duration::from_secs(2)).build(client);
        Ok(Self {
            log: pool(stage.log.url(cluster::LOG_DATABASE))?,
            read: pool(stage.read.url(cluster::READ_DATABASE))?,
            jetstream,
        })
    }

    /// The last position of the log.
    pub async fn head(&self) -> Option<i64> {
        sqlx::query_scalar("select position from log.head").fetch_one(&self.log).await.ok()
    }

    /// The last sequence of the stream.
    pub async fn last_sequence(&self) -> Option<i64> {
        let stream = self.jetstream.get_stream(STREAM).await.ok()?;
        i64::try_from(stream.cached_info().state.last_sequence).ok()
    }

    /// The position that every view has reached.
    pub async fn projected(&self) -> Option<i64> {
        sqlx::query_scalar("select min(position) from read.projections").fetch_one(&self.read).await.ok()
    }
}

/// What has to work again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// This process says that it is ready.
    Readiness(&'static str),
    /// The log can be read.
    Log,
    /// Each command API carries out commands.
    Commands,
    /// JetStream has what the log has.
    Stream,
    /// Every view has it.
    Views,
    /// The query API tells of it.
    Queries,
}

impl Need {
    /// What is said while it is not met.
    fn complaint(self) -> String {
        match self {
            Self::Readiness(process) => format!("{process} is not ready"),
            Self::Log => "the log cannot be read".to_owned(),
            Self::Commands => "a command API carries out no command".to_owned(),
            Self::Stream => "JetStream has not what the log has".to_owned(),
            Self::Views => "a view has not what the log has".to_owned(),
            Self::Queries => "the query API does not tell of it".to_owned(),
        }
    }
}

/// What is not met yet, and the end of the log that it is about.
struct Missing {
    needs: BTreeSet<Need>,
    head: Option<i64>,
}

impl Missing {
    fn everything(stage: &Stage<'_>) -> Self {
        let readiness = stage.processes.iter().map(|process| Need::Readiness(process.role.name));
        let others = [Need::Log, Need::Commands, Need::Stream, Need::Views, Need::Queries];
        Self { needs: readiness.chain(others).collect(), head: None }
    }

    fn complaint(&self) -> String {
        self.needs.iter().map(|need| need.complaint()).collect::<Vec<_>>().join(", ")
    }

    /// Looks whether what is missing is there now.
    async fn look(&mut self, stage: &Stage<'_>, observer: &Observer, client: &Client, over: Instant) {
        if self.head.is_none() {
            self.head = observer.head().await;
        }
        let reaches = |position: Option<i64>| self.head.is_some_and(|head| position.is_some_and(|at| at >= head));
        let mut met = Vec::new();
        for need in &self.needs {
            let is_met = match need {
                Need::Readiness(name) => {
                    let process = stage.processes.iter().find(|process| process.role.name == *name);
                    match process {
                        Some(process) => stage.is_ready(process).await == Some(true),
                        None => true,
                    }
                }
                Need::Log => self.head.is_some(),
                Need::Commands => client.all_served_since(over),
                Need::Stream => reaches(observer.last_sequence().await),
                Need::Views => reaches(observer.projected().await),
                Need::Queries => match self.head {
                    Some(head) => tells_of(client, head).await,
                    None => false,
                },
            };
            if is_met {
                met.push(*need);
            }
        }
        self.needs.retain(|need| !met.contains(need));
    }
}

/// Whether the query API answers as of the position: with a list, and with one thing, which is read in another way.
async fn tells_of(client: &Client, position: i64) -> bool {
    let Some(list) = client.query("/v1/courses?limit=1", None, position).await else { return false };
    match list["items"][0]["id"].as_str() {
        Some(id) => client.query(&format!("/v1/courses/{id}"), None, position).await.is_some(),
        None => true,
    }
}

/// How a recovery went.
#[derive(Debug)]
pub struct Recovery {
    /// How long it took.
    pub took: Duration,
    /// What was still missing when the bound was reached; empty where nothing was.
    pub late: String,
}

/// Waits until everything works again: each process is ready, each command API has carried out a command that was sent
/// after the fault's end, and what the log had at its end is on JetStream, in all views, and told by the query API.
pub async fn await_all(
    stage: &Stage<'_>,
    observer: &Observer,
    client: &Client,
    over: Instant,
) -> Result<Recovery, String> {
    let mut missing = Missing::everything(stage);
    let mut late = String::new();
    loop {
        missing.look(stage, observer, client, over).await;
        let took = over.elapsed();
        if missing.needs.is_empty() {
            return Ok(Recovery { took, late });
        }
        if took > BOUND && late.is_empty() {
            late = missing.complaint();
        }
        if took > HOPELESS {
            return Err(format!("after {} s {}", HOPELESS.as_secs(), missing.complaint()));
        }
        sleep(INTERVAL).await;
    }
}
