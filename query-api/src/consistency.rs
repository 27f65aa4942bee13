//! Waiting until projections have come as far as a caller needs (`Registrar-Min-Position`), so that whoever has written
//! reads their own write, and nobody polls for it.
//!
//! One task a process looks where the projections are, and only while somebody waits: every 5 ms, however many wait.
//! It works on a replica too, where nothing could be listened to. Whoever waits holds no connection. What was waited for
//! is checked again, in the snapshot that is answered from.

use axum::http::HeaderMap;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use ops::{
    config::chain,
    http::{MIN_POSITION, POSITION},
    problem::{PROJECTION_BEHIND, Problem},
};
use sqlx::PgPool;
use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Connections that [`Positions::follow`] uses.
pub const CONNECTIONS: u32 = 1;

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// A server that lost its power never answers; others must not be waited for with it.
const ANSWER_BOUND: Duration = Duration::from_secs(2);
const AFTER_FAILURE: Duration = Duration::from_millis(500);
const RETRY_AFTER_SECONDS: u64 = 1;

type Known = BTreeMap<String, i64>;

/// How far the projections are known to have come. Clones share what is known.
#[derive(Debug, Clone)]
pub struct Positions {
    known: Arc<watch::Sender<Known>>,
    asked: Arc<Notify>,
    bound: Duration,
}

impl Positions {
    /// Nothing is known yet; nobody waits longer than `bound`.
    pub fn new(bound: Duration) -> Self {
        describe_histogram!(
            "registrar_min_position_wait_seconds",
            Unit::Seconds,
            "How long queries waited for a position, by outcome: reached or timed_out"
        );
        describe_counter!("registrar_min_position_timeouts_total", "Queries refused because a projection was behind");
        Self { known: Arc::default(), asked: Arc::default(), bound }
    }

    /// Waits until all of `projections` have reached `position`; an empty list stands for every projection there is.
    /// 503 `projection-behind` where they do not within the bound.
    pub async fn reach(&self, projections: &[&str], position: i64) -> Result<(), Problem> {
        let started = Instant::now();
        let mut known = self.known.subscribe();
        self.asked.notify_one();
        let reached = known.wait_for(|known| lowest(known, projections).is_some_and(|lowest| lowest >= position));
        let reached = timeout(self.bound, reached).await.is_ok();
        let outcome = if reached { "reached" } else { "timed_out" };
        histogram!("registrar_min_position_wait_seconds", "outcome" => outcome).record(started.elapsed());
        if reached {
            return Ok(());
        }
        counter!("registrar_min_position_timeouts_total").increment(1);
        let lowest = lowest(&known.borrow(), projections);
        Err(behind(position, lowest.unwrap_or_default()))
    }

    /// Keeps what is known up to date while somebody waits, until the stop. `pool` holds [`CONNECTIONS`] of its own, so
    /// that a busy pool does not hide that the wait is over.
    pub async fn follow(self, pool: PgPool, stop: CancellationToken) -> Result<(), Infallible> {
        stop.run_until_cancelled(self.poll(&pool)).await;
        Ok(())
    }

    async fn poll(&self, pool: &PgPool) {
        loop {
            self.asked.notified().await;
            while self.known.receiver_count() > 0 {
                match read(pool).await {
                    Ok(positions) => {
                        self.known.send_replace(positions);
                        sleep(POLL_INTERVAL).await;
                    }
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "the projections' positions cannot be read");
                        sleep(AFTER_FAILURE).await;
                    }
                }
            }
        }
    }
}

async fn read(pool: &PgPool) -> Result<Known, sqlx::Error> {
    let asked = sqlx::query!("select name, position from read.projections").fetch_all(pool);
    let rows = timeout(ANSWER_BOUND, asked).await.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))?;
    Ok(rows.into_iter().map(|row| (row.name, row.position)).collect())
}

/// The least of the named projections' positions; `None` where one is not known.
fn lowest(known: &Known, projections: &[&str]) -> Option<i64> {
    if projections.is_empty() {
        return known.values().copied().min();
    }
    projections.iter().map(|name| known.get(*name).copied()).min().flatten()
}

/// The position that a request asks for.
pub fn min_position(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(MIN_POSITION) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|position| *position >= 0);
    let wrong = || {
        let pointer = "/headers/registrar-min-position";
        Problem::invalid_field(pointer, "invalid", "must be a position, such as a command answered: 0 or more")
    };
    position.map(Some).ok_or_else(wrong)
}

/// 503: the view reflects `position`, and `wanted` was asked for.
pub fn behind(wanted: i64, position: i64) -> Problem {
    Problem::new(PROJECTION_BEHIND)
        .detail(format!("The view reflects position {position}; {wanted} was asked for."))
        .with("position", position)
        .header(POSITION, position.into())
        .retry_after(RETRY_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(positions: &[(&str, i64)]) -> Known {
        positions.iter().map(|(name, position)| ((*name).to_owned(), *position)).collect()
    }

    #[test]
    fn an_answer_reflects_the_least_of_its_projections() {
        let known = known(&[("a", 3), ("b", 2), ("c", 1)]);
        assert_eq!(lowest(&known, &["a", "b"]), Some(2));
        assert_eq!(lowest(&known, &["a", "missing"]), None);
        assert_eq!(lowest(&known, &[]), Some(1));
    }

    #[test]
    fn a_min_position_is_a_number_from_zero() {
        let header = |value: &str| HeaderMap::from_iter([(MIN_POSITION, value.parse().unwrap())]);
        assert_eq!(min_position(&HeaderMap::new()).unwrap(), None);
        assert_eq!(min_position(&header("0")).unwrap(), Some(0));
        assert_eq!(min_position(&header("1234")).unwrap(), Some(1234));
        for bad in ["", "-1", "1.5", "latest", "99999999999999999999"] {
            let problem = min_position(&header(bad)).unwrap_err();
            let pointer = &problem.document().errors[0].pointer;
            assert_eq!((problem.slug(), pointer.as_str()), ("invalid-request", "/headers/registrar-min-position"));
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_when_all_have_caught_up() {
        let positions = Positions::new(Duration::from_secs(10));
        positions.known.send_replace(known(&[("a", 1), ("b", 1)]));
        let waiting = tokio::spawn({
            let positions = positions.clone();
            async move { positions.reach(&["a", "b"], 2).await }
        });
        positions.asked.notified().await;
        positions.known.send_replace(known(&[("a", 2), ("b", 1)]));
        assert!(!waiting.is_finished());
        positions.known.send_replace(known(&[("a", 2), ("b", 2)]));
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_bounded() {
        let positions = Positions::new(Duration::from_secs(2));
        positions.known.send_replace(known(&[("a", 1)]));
        let problem = positions.reach(&["a"], 2).await.unwrap_err();
        assert_eq!((problem.slug(), problem.status().as_u16()), ("projection-behind", 503));
        assert_eq!(problem.document().extensions["position"], 1);
        assert_eq!(positions.known.receiver_count(), 0);
    }
}
