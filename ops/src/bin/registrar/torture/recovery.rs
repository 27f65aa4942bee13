//! How long everything takes to work again once a fault is over: not only to say so, but to do it.

use std::{
    sync::Arc,
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

/// What has to work again, each with when it did.
#[derive(Debug, Default)]
struct Seen {
    head: Option<i64>,
    ready: Vec<bool>,
    commands: bool,
    stream: bool,
    views: bool,
    queries: bool,
}

impl Seen {
    fn missing(&self, stage: &Stage<'_>) -> String {
        let processes = stage.processes.iter().zip(&self.ready);
        let mut missing: Vec<String> = processes
            .filter(|(_, ready)| !**ready)
            .map(|(process, _)| format!("{} is not ready", process.role.name))
            .collect();
        let mut lacks = |done: bool, what: &str| {
            if !done {
                missing.push(what.to_owned());
            }
        };
        lacks(self.head.is_some(), "the log cannot be read");
        lacks(self.commands, "a command API carries out no command");
        lacks(self.stream, "JetStream has not what the log has");
        lacks(self.views, "a view has not what the log has");
        lacks(self.queries, "the query API does not answer");
        missing.join(", ")
    }

    fn is_all(&self) -> bool {
        self.head.is_some()
            && self.ready.iter().all(|ready| *ready)
            && self.commands
            && self.stream
            && self.views
            && self.queries
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
    client: &Arc<Client>,
    over: Instant,
) -> Result<Recovery, String> {
    let mut seen = Seen { ready: vec![false; stage.processes.len()], ..Seen::default() };
    let mut late = String::new();
    loop {
        look(stage, observer, client, over, &mut seen).await;
        let took = over.elapsed();
        if seen.is_all() {
            return Ok(Recovery { took, late });
        }
        if took > BOUND && late.is_empty() {
            late = seen.missing(stage);
        }
        if took > HOPELESS {
            return Err(format!("after {} s {}", HOPELESS.as_secs(), seen.missing(stage)));
        }
        sleep(INTERVAL).await;
    }
}

async fn look(stage: &Stage<'_>, observer: &Observer, client: &Client, over: Instant, seen: &mut Seen) {
    if seen.head.is_none() {
        seen.head = observer.head().await;
    }
    for (process, ready) in stage.processes.iter().zip(&mut seen.ready) {
        *ready = *ready || stage.is_ready(process).await == Some(true);
    }
    seen.commands = seen.commands || client.all_served_since(over);
    let Some(head) = seen.head else { return };
    let reaches = |position: Option<i64>| position.is_some_and(|position| position >= head);
    seen.stream = seen.stream || reaches(observer.last_sequence().await);
    seen.views = seen.views || reaches(observer.projected().await);
    seen.queries = seen.queries || client.query("/v1/courses?limit=1", None, head).await.is_some();
}
