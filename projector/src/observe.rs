//! Where every projection is, once a second: for the metrics, for readiness, and, by the end of the log that is written
//! to the read database, for the query API. It looks at all projections, whichever process applies them.

use crate::{feed::Feed, metrics::ProjectionMetrics, projections, run::StepError};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(1);
/// A look that takes longer is given up: a server that lost its power never answers.
const LOOK_BOUND: Duration = Duration::from_secs(8);
/// A projection that is further behind than this is worth a word.
const NOTABLE_LAG_SECONDS: f64 = 30.0;

/// One projection as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Its checkpoint.
    pub position: i64,
    /// `running`, `paused` or `rebuilding`.
    pub state: String,
    /// Events between it and the end of the log.
    pub lag_events: i64,
    /// Age of the oldest event that is not applied; 0 when there is none.
    pub lag_seconds: f64,
    /// Streams that stand aside.
    pub parked_streams: i64,
}

impl Observation {
    /// Whether all is well with it, or what is not.
    fn health(&self) -> Result<(), String> {
        if self.state == "paused" {
            return Err(self.state.clone());
        }
        if self.parked_streams > 0 {
            return Err(format!("{} streams are parked", self.parked_streams));
        }
        if self.lag_seconds > NOTABLE_LAG_SECONDS {
            return Err(format!("{} events and {:.0} s behind", self.lag_events, self.lag_seconds));
        }
        Ok(())
    }
}

/// The last look at each projection, by name; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<Mutex<BTreeMap<String, Observation>>>);

impl Observations {
    /// The last look at the projection of this name.
    pub fn find(&self, name: &str) -> Option<Observation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whether all is well with the projection of this name, or what is not.
    pub fn health(&self, name: &str) -> Result<(), String> {
        self.find(name).map_or_else(|| Err("not seen yet".to_owned()), |seen| seen.health())
    }

    fn replace(&self, seen: BTreeMap<String, Observation>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// Looks until the stop.
pub(crate) async fn observe(read: PgPool, feed: Feed, observations: Observations, stop: CancellationToken) {
    let metrics: BTreeMap<&str, ProjectionMetrics> =
        projections::ALL.iter().map(|projection| (projection.name, ProjectionMetrics::of(projection.name))).collect();
    loop {
        let looked = timeout(LOOK_BOUND, look(&read, &feed)).await;
        match looked.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into()).into())) {
            Ok(seen) => {
                for (metrics, seen) in metrics.iter().filter_map(|(name, metrics)| Some((metrics, seen.get(*name)?))) {
                    metrics.observed(seen.position, seen.lag_events, seen.lag_seconds, seen.parked_streams);
                }
                observations.replace(seen);
            }
            Err(error) => tracing::debug!(error = ops::config::chain(&error), "the projections cannot be looked at"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// One look. While the log cannot be reached, the end that was last seen stands.
pub async fn look(read: &PgPool, feed: &Feed) -> Result<BTreeMap<String, Observation>, StepError> {
    let head = feed.log().head().await.ok().or(feed.end());
    if let Some(head) = head {
        crate::metrics::log_head(head);
    }
    crate::rebuild::release_abandoned(read).await?;
    let head = sqlx::query_scalar!(
        "update read.log_head
         set position = greatest(position, $1),
             seen_at = now()
         returning position",
        head.unwrap_or(0),
    )
    .fetch_one(read)
    .await?;
    let rows = sqlx::query!(
        r#"select name, position, state, event_recorded_at,
                  (select count(*) from read.parked_streams where projection = name) as "parked_streams!"
           from read.projections"#
    )
    .fetch_all(read)
    .await?;
    let now = Utc::now();
    let seen = rows.into_iter().map(|row| {
        let lag_events = (head - row.position).max(0);
        let oldest_missing = feed.find_recorded_at(row.position + 1).or(row.event_recorded_at);
        let observation = Observation {
            position: row.position,
            state: row.state,
            lag_events,
            lag_seconds: if lag_events == 0 { 0.0 } else { oldest_missing.map_or(0.0, |at| seconds_since(at, now)) },
            parked_streams: row.parked_streams,
        };
        (row.name, observation)
    });
    Ok(seen.collect())
}

fn seconds_since(at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    (now - at).to_std().unwrap_or_default().as_secs_f64()
}
