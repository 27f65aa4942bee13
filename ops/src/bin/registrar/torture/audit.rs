//! The reckoning: the log, JetStream and the views against what every client was told. What an auditor would check is
//! checked as an auditor would, from the documented formats and with nothing of the code that wrote them.

mod cloud_event;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{
    ledger::{Acknowledged, Entry, Fate, Ledger},
    recovery::Observer,
    stage::{REBUILT, STREAM, Stage},
};
use crate::local::Error;

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_mins(2);
/// How long the next message of the stream may take.
const NEXT_MESSAGE: Duration = Duration::from_secs(10);
/// How long nothing must have been added to the log before it is looked at: longer than refusals are added up for.
const QUIET: Duration = Duration::from_secs(5);
/// Streams of what the system notes of its own accord: that something was refused. No command of a client is behind them.
const NOTED: [&str; 1] = ["refusal"];
/// Tables of the read models that say when something was done, and so never are twice the same.
const BOOKKEEPING: [&str; 3] = ["projections", "log_head", "_migrations"];
/// Streams in which the system does something that nobody asks for: there always is the default organisation.
const OF_ITSELF: [&str; 1] = ["tenant"];

/// One row of the log.
#[derive(Debug, FromRow)]
pub struct Row {
    position: i64,
    event_id: Uuid,
    tenant_id: Uuid,
    stream_type: String,
    stream_id: Uuid,
    version: i64,
    r#type: String,
    data: Value,
    metadata: Value,
    recorded_at: DateTime<Utc>,
    leaf_hash: Vec<u8>,
}

/// What of an event is needed further on.
#[derive(Debug, Clone)]
struct Known {
    event_id: Uuid,
    stream_type: String,
    stream_id: Uuid,
    version: i64,
    correlation_id: Option<Uuid>,
    leaf_hash: String,
}

/// What was looked at, for the report.
#[derive(Debug, Default, Clone, Copy)]
pub struct Audited {
    /// Events in the log.
    pub events: usize,
    /// Streams in it.
    pub streams: usize,
    /// Messages on JetStream.
    pub messages: usize,
    /// Tables that were compared with those built anew.
    pub tables: usize,
    /// Rows in them.
    pub rows: i64,
}

/// Checks everything, and writes what is wrong into the ledger.
pub async fn audit(stage: &Stage<'_>, observer: &Observer, ledger: &Ledger) -> Result<Audited, Error> {
    let failed = |source| Error::Database { action: "audit".to_owned(), source };
    come_to_an_end(observer, ledger).await;
    let events = read_log(&observer.log, ledger).await.map_err(failed)?;
    let streams = events.iter().map(|event| event.stream_id).collect::<std::collections::HashSet<_>>().len();
    hold_against(&events, &ledger.entries(), ledger);
    let head = i64::try_from(events.len()).unwrap_or(i64::MAX);
    come_to_rest("JetStream", head, ledger, async || observer.last_sequence().await).await;
    let messages = read_stream(observer, &events, ledger).await?;
    come_to_rest("a view", head, ledger, async || observer.projected().await).await;
    let mut audited = Audited { events: events.len(), streams, messages, tables: 0, rows: 0 };
    compare_views(stage, observer, head, ledger, &mut audited).await?;
    Ok(audited)
}

/// Waits until nothing more is noted of its own accord.
async fn come_to_an_end(observer: &Observer, ledger: &Ledger) {
    let deadline = Instant::now() + REST;
    let (mut head, mut since) = (observer.head().await, Instant::now());
    while head.is_none() || since.elapsed() < QUIET {
        if Instant::now() > deadline {
            return ledger.breach(format!("nobody sends commands, and the log grows still, at {head:?}"));
        }
        sleep(Duration::from_millis(100)).await;
        let now = observer.head().await;
        if now != head {
            (head, since) = (now, Instant::now());
        }
    }
}

async fn come_to_rest(who: &str, head: i64, ledger: &Ledger, position: impl AsyncFn() -> Option<i64>) {
    let deadline = Instant::now() + REST;
    loop {
        let reached = position().await;
        if reached.is_some_and(|reached| reached >= head) {
            return;
        }
        if Instant::now() > deadline {
            return ledger.breach(format!("{who} came to {reached:?} and the log ends at {head}"));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Positions without a gap, versions without a gap, hashes that are right.
async fn read_log(log: &PgPool, ledger: &Ledger) -> Result<Vec<Known>, sqlx::Error> {
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut events: Vec<Known> = Vec::new();
    let mut rows = sqlx::query_as::<_, Row>(
        "select position, event_id, tenant_id, stream_type, stream_id, version, type, data, metadata, recorded_at,
                leaf_hash
         from log.events
         order by position",
    )
    .fetch(log);
    while let Some(row) = rows.try_next().await? {
        let expected = i64::try_from(events.len()).unwrap_or(i64::MAX) + 1;
        if row.position != expected {
            ledger.breach(format!("the log has position {} where {expected} must be", row.position));
        }
        let version = versions.entry(row.stream_id).or_default();
        if row.version != *version + 1 {
            ledger.breach(format!("position {} has version {} after {version}", row.position, row.version));
        }
        *version = row.version;
        if cloud_event::leaf_hash(&row).as_deref() != Some(&*row.leaf_hash) {
            ledger.breach(format!("the leaf hash of position {} is not that of its content", row.position));
        }
        let correlation_id = row.metadata["correlation_id"].as_str().and_then(|id| id.parse().ok());
        events.push(Known {
            event_id: row.event_id,
            stream_type: row.stream_type,
            stream_id: row.stream_id,
            version: row.version,
            correlation_id,
            leaf_hash: cloud_event::hex(&row.leaf_hash),
        });
    }
    let head: i64 = sqlx::query_scalar("select position from log.head").fetch_one(log).await?;
    if usize::try_from(head) != Ok(events.len()) {
        ledger.breach(format!("the log has {} events, and its head says {head}", events.len()));
    }
    Ok(events)
}

/// What was acknowledged is there once, where it was acknowledged; what was refused is not; nothing else is.
fn hold_against(events: &[Known], entries: &[Entry], ledger: &Ledger) {
    let mut of_command: BTreeMap<Uuid, Vec<(i64, &Known)>> = BTreeMap::new();
    for (position, event) in (1..).zip(events) {
        match event.correlation_id {
            _ if NOTED.contains(&&*event.stream_type) => {}
            Some(id) => of_command.entry(id).or_default().push((position, event)),
            None => ledger.breach(format!("position {position} was caused by nothing")),
        }
    }
    for entry in entries {
        let found = of_command.remove(&entry.correlation_id).unwrap_or_default();
        let wrong = match &entry.fate {
            Fate::Acknowledged(told) => find_wrong(told, &found),
            Fate::Refused => {
                found.first().map(|(position, _)| format!("was refused and stands at position {position}"))
            }
        };
        if let Some(wrong) = wrong {
            ledger.breach(format!("{} (correlation {}) {wrong}", entry.kind, entry.correlation_id));
        }
    }
    of_command.retain(|_, events| !events.iter().all(|(_, event)| OF_ITSELF.contains(&&*event.stream_type)));
    for (correlation_id, events) in of_command {
        let positions: Vec<i64> = events.iter().map(|(position, _)| *position).collect();
        ledger.breach(format!("positions {positions:?} are of a command that nobody knows ({correlation_id})"));
    }
}

fn find_wrong(told: &Acknowledged, found: &[(i64, &Known)]) -> Option<String> {
    let positions: Vec<i64> = found.iter().map(|(position, _)| *position).collect();
    let Acknowledged { events, position, stream, version } = told;
    if positions.len() != *events {
        return Some(format!("was acknowledged with {events} events and has {} at {positions:?}", positions.len()));
    }
    let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return None };
    if last != position || usize::try_from(last - first + 1) != Ok(positions.len()) {
        return Some(format!("was acknowledged at position {position} and stands at {positions:?}"));
    }
    let is_named =
        |event: &&(i64, &Known)| event.1.version == *version && stream.is_none_or(|stream| stream == event.1.stream_id);
    if found.iter().any(|event| is_named(&event)) {
        return None;
    }
    Some(format!("was acknowledged as version {version} of {stream:?}, and its events at {positions:?} are of others"))
}

/// JetStream holds every position, in order, as the log has it.
async fn read_stream(observer: &Observer, events: &[Known], ledger: &Ledger) -> Result<usize, Error> {
    let failed = |source: async_nats::Error| Error::Bus { action: "read the stream", source };
    let stream = observer.jetstream.get_stream(STREAM).await.map_err(|error| failed(error.into()))?;
    let consumer = stream
        .create_consumer(pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            ..pull::Config::default()
        })
        .await
        .map_err(|error| failed(error.into()))?;
    let mut messages = consumer.messages().await.map_err(|error| failed(error.into()))?;
    for (position, event) in (1_u64..).zip(events) {
        let Ok(Some(message)) = timeout(NEXT_MESSAGE, messages.next()).await else {
            ledger.breach(format!("JetStream does not deliver position {position} of {}", events.len()));
            return Ok(usize::try_from(position).unwrap_or(usize::MAX) - 1);
        };
        let message = message.map_err(|error| failed(error.into()))?;
        let sequence = message.info().map_err(failed)?.stream_sequence;
        let header = |name: &str| {
            let headers = message.headers.as_ref();
            headers.and_then(|headers| headers.get(name)).map(|value| value.as_str().to_owned()).unwrap_or_default()
        };
        let is_right = sequence == position
            && header("Registrar-Position") == position.to_string()
            && header("Nats-Msg-Id") == event.event_id.to_string()
            && header("Registrar-Leaf-Hash") == event.leaf_hash
            && cloud_event::hex(&cloud_event::leaf_hash_of(&message.payload)) == event.leaf_hash;
        if !is_right {
            ledger.breach(format!("JetStream has sequence {sequence} where position {position} of the log must be"));
        }
    }
    Ok(events.len())
}

/// Every view equals one that is built from the log alone, and nothing was parked.
async fn compare_views(
    stage: &Stage<'_>,
    observer: &Observer,
    head: i64,
    ledger: &Ledger,
    audited: &mut Audited,
) -> Result<(), Error> {
    let failed = |source| Error::Database { action: "compare the views".to_owned(), source };
    let parked: i64 = sqlx::query_scalar("select count(*) from read.parked_streams")
        .fetch_one(&observer.read)
        .await
        .map_err(failed)?;
    if parked > 0 {
        ledger.breach(format!("{parked} streams are parked"));
    }
    stage.start_rebuild().await?;
    let rebuilt = PgPool::connect(&stage.read.url(REBUILT)).await.map_err(failed)?;
    let observe =
        async || sqlx::query_scalar("select min(position) from read.projections").fetch_one(&rebuilt).await.ok();
    come_to_rest("a view that is built anew", head, ledger, observe).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text
         from information_schema.tables
         where table_schema = 'read'
           and table_type = 'BASE TABLE'
           and table_name <> all ($1)
         order by table_name",
    )
    .bind(BOOKKEEPING.map(str::to_owned).as_slice())
    .fetch_all(&observer.read)
    .await
    .map_err(failed)?;
    for table in &tables {
        let (live, new) =
            (digest(&observer.read, table).await.map_err(failed)?, digest(&rebuilt, table).await.map_err(failed)?);
        if live != new {
            ledger.breach(format!("{table} is not what the log gives: {} rows, and {} built anew", live.0, new.0));
        }
        audited.tables += 1;
        audited.rows += live.0;
    }
    Ok(())
}

/// How many rows a table has, and a digest of them all, in whatever order they lie.
async fn digest(database: &PgPool, table: &str) -> Result<(i64, Option<String>), sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select count(*), md5(string_agg(row_digest, '' order by row_digest))
         from (select md5(t::text) as row_digest from read.{table} t) rows"
    )))
    .fetch_one(database)
    .await
}
