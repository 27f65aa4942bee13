//! Waiting until projections have come as far as a caller needs (`Registrar-Min-Position`), so that whoever has written
//! reads their own write, and nobody polls for it.
//!
//! One task a process hears from the projector how far it has come. While somebody waits it also looks, however many
//! wait: seldom as long as it hears all that it sees, and every 5 ms where it does not, as on a replica, where nothing can
//! be listened to. Whoever waits holds no connection. What was waited for is checked again, in the snapshot that is answered from.

use axum::http::HeaderMap;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use ops::{
    config::chain,
    database::Own,
    http::{MIN_POSITION, POSITION},
    problem::{PROJECTION_BEHIND, Problem},
};
use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// What the projector notifies with every batch that it has applied: a position, a space, and the names of the projections
/// that have come to it, with commas between.
const CHANNEL: &str = "registrar_projections";
/// How often it is looked where the projections are, while somebody waits and nothing is heard.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// The same where the projector is listened to: a notification may be lost with a connection.
const ASSURE_INTERVAL: Duration = Duration::from_millis(100);
/// How long nothing may be heard before the connection is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(10);
/// How long to do without listening where it cannot be done.
const LISTEN_AGAIN: Duration = Duration::from_secs(30);
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

    /// Keeps what is known up to date, until the stop, on two connections of its own.
    pub async fn follow(self, options: PgConnectOptions, stop: CancellationToken) -> Result<(), Infallible> {
        stop.run_until_cancelled(self.learn(&options)).await;
        Ok(())
    }

    async fn learn(&self, options: &PgConnectOptions) {
        let hears = AtomicBool::new(false);
        tokio::join!(self.listen(options, &hears), self.look(Own::new(options.clone()), &hears));
    }

    /// Looks while somebody waits: at once where nothing is heard, else only to make sure.
    async fn look(&self, mut own: Own, hears: &AtomicBool) {
        let interval = || if hears.load(Relaxed) { ASSURE_INTERVAL } else { LOOK_INTERVAL };
        loop {
            self.asked.notified().await;
            if hears.load(Relaxed) {
                sleep(ASSURE_INTERVAL).await;
            }
            while self.known.receiver_count() > 0 {
                let before = self.known.borrow().clone();
                match read(&mut own).await {
                    Ok(seen) => {
                        // What was seen and not heard of shows that nobody tells, or that nothing gets through.
                        if self.saw(&before, seen) {
                            hears.store(false, Relaxed);
                        }
                        sleep(interval()).await;
                    }
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "the projections' positions cannot be read");
                        sleep(AFTER_FAILURE).await;
                    }
                }
            }
        }
    }

    /// Takes in what was read since it was known what was known `before`, and says whether it is news. What was heard
    /// meanwhile may be newer; what was not may go back, after a crash of the database.
    fn saw(&self, before: &Known, mut seen: Known) -> bool {
        let mut is_news = false;
        self.known.send_modify(|known| {
            for (name, position) in &mut seen {
                match known.get(name) {
                    Some(current) if before.get(name) != Some(current) => *position = (*position).max(*current),
                    Some(current) => is_news |= *position > *current,
                    None => is_news = true,
                }
            }
            *known = seen;
        });
        is_news
    }

    async fn listen(&self, options: &PgConnectOptions, hears: &AtomicBool) {
        let mut is_told = false;
        loop {
            match begin_to_listen(options).await {
                Ok(mut listener) => {
                    is_told = false;
                    while let Some(notification) = next(&mut listener).await {
                        self.heard(notification.payload());
                        hears.store(true, Relaxed);
                    }
                    hears.store(false, Relaxed);
                    sleep(AFTER_FAILURE).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::info!(error = chain(&error), "the projector cannot be listened to, and is looked at");
                    }
                    sleep(LISTEN_AGAIN).await;
                }
            }
        }
    }

    /// Takes in a notification. A projection whose position was never read stays unknown.
    fn heard(&self, told: &str) {
        let Some((position, names)) = parse(told) else { return };
        self.known.send_modify(|known| {
            for name in names {
                if let Some(known) = known.get_mut(name) {
                    *known = position.max(*known);
                }
            }
        });
    }
}

/// A position and whose it is.
fn parse(told: &str) -> Option<(i64, impl Iterator<Item = &str>)> {
    let (position, names) = told.split_once(' ')?;
    Some((position.parse().ok()?, names.split(',')))
}

/// Listens on a connection of its own: one that has lost its server is never given back, which no pool that others use
/// may suffer from.
async fn begin_to_listen(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let own = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_BOUND);
    let own = own.connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&own).await?;
    let listening = timeout(ANSWER_BOUND, listener.listen(CHANNEL)).await;
    listening.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))?;
    Ok(listener)
}

/// The next notification; `None` once the connection is lost. A server that lost its power never says so, and is asked.
async fn next(listener: &mut PgListener) -> Option<PgNotification> {
    loop {
        if let Ok(heard) = timeout(SILENCE, listener.try_recv()).await {
            return heard.ok().flatten();
        }
        let asked = sqlx::query("select 1").execute(&mut *listener);
        if !matches!(timeout(ANSWER_BOUND, asked).await, Ok(Ok(_))) {
            return None;
        }
    }
}

/// Reads the positions.
async fn read(own: &mut Own) -> Result<Known, sqlx::Error> {
    let reading = async {
        let mut connection = own.take().await?;
        let rows = sqlx::query!("select name, position from read.projections").fetch_all(&mut connection).await?;
        own.keep(connection);
        Ok(rows.into_iter().map(|row| (row.name, row.position)).collect())
    };
    timeout(ANSWER_BOUND, reading).await.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
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

    #[test]
    fn what_the_projector_says_moves_those_that_are_known() {
        let positions = Positions::new(Duration::from_secs(1));
        positions.known.send_replace(known(&[("a", 3), ("b", 2)]));
        for told in ["7 a,c", "5 a,b", "nonsense", "x b", "9"] {
            positions.heard(told);
        }
        assert_eq!(*positions.known.borrow(), known(&[("a", 7), ("b", 5)]));
    }

    #[test]
    fn what_was_heard_while_it_was_looked_is_not_taken_back() {
        let positions = Positions::new(Duration::from_secs(1));
        let before = known(&[("a", 3), ("b", 9)]);
        positions.known.send_replace(before.clone());
        positions.heard("7 a");
        assert!(!positions.saw(&before, known(&[("a", 5), ("b", 2)])), "nothing is news");
        assert_eq!(*positions.known.borrow(), known(&[("a", 7), ("b", 2)]), "and a crash may take back");
        let before = positions.known.borrow().clone();
        assert!(positions.saw(&before, known(&[("a", 8), ("b", 2)])));
        assert!(positions.saw(&before, known(&[("a", 8), ("b", 2), ("c", 1)])));
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
