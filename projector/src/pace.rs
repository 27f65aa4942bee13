//! When projections take their steps: those whose lease this process holds, as long as there is something to apply, else
//! when the feed says so. They begin alone, each at its own pace; whoever has caught up goes on in lockstep, and whoever
//! fails there, or may not go on, goes alone again until it has caught up. Its failures are its own: it waits a little
//! longer after each, and never gives up.

use crate::{
    feed::Feed,
    lease::Held,
    lockstep::{Lockstep, Together},
    pressure::processor_shortage,
    run::{Runner, Step, StepError},
};
use std::{
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long an idle or paused projection waits at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The wait after the first failure in a row; it doubles with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// Steps begin at least so far apart while projections keep up: what comes meanwhile is applied together.
const STEP_INTERVAL: Duration = Duration::from_millis(5);
/// Whoever's batches are this large, or who is so far from the end of the log, does not keep up; such steps take turns.
const HEAVY_EVENTS: usize = 100;
/// One who is behind gives way to commands after a step, for so many times as long as it took. All together do so for the
/// longer, the shorter processors are; one who catches up alone, behind whom others wait, does not. No longer than this.
const YIELD: f64 = 2.0;
const MOST_YIELD: f64 = 8.0;
const LONGEST_YIELD: Duration = Duration::from_secs(1);
/// A log that grows by so many events a second is busy.
const BUSY_EVENTS: i64 = 100;
/// How long a look at the log's end may take.
const LOOK_BOUND: Duration = Duration::from_millis(500);

/// Who may step, and when. Clones share the turns.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    held: watch::Receiver<Held>,
    /// For the steps of those that are behind: they take turns, so that many projections that catch up at once do not
    /// take the processors from whoever writes the log.
    heavy: Arc<Semaphore>,
    /// What one who is behind saw when it last looked.
    seen: Arc<Mutex<Look>>,
    stop: CancellationToken,
}

impl Turns {
    /// For those whose lease is held, until the stop.
    pub(crate) fn new(held: watch::Receiver<Held>, stop: CancellationToken) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let heavy = Arc::new(Semaphore::new((processors / 2).max(1)));
        Self { held, heavy, seen: Arc::new(Mutex::new(Look::at(i64::MAX))), stop }
    }

    fn may_step(&self, name: &str) -> bool {
        self.held.borrow().contains(name)
    }

    /// Returns once one of them has no lease any more.
    async fn lost(&self, names: &[&'static str]) {
        // An error says that nobody gives leases any more, which is at the stop, where steps are finished.
        if self.held.clone().wait_for(|held| !names.iter().all(|name| held.contains(name))).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// For how many times as long as a step one who is behind gives way. A log that does not answer is not busy.
    async fn look(&self, feed: &Feed, most: f64) -> f64 {
        let look = timeout(LOOK_BOUND, feed.log().head());
        let Some(Ok(Ok(log_end))) = self.stop.run_until_cancelled(look).await else { return 0.0 };
        let now = Look::at(log_end);
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        now.yields_since(before, most)
    }

    async fn wait(&self, pause: Duration) {
        self.stop.run_until_cancelled(sleep(pause)).await;
    }
}

/// What there was to see at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    log_end: i64,
    /// See [`processor_shortage`].
    shortage: Option<Duration>,
}

impl Look {
    fn at(log_end: i64) -> Self {
        Self { at: Instant::now(), log_end, shortage: processor_shortage() }
    }

    /// For how many times as long as a step to give way, at `most`, by what happened since: not at all to a log that does
    /// not grow as commands that come in numbers make it grow; longer where somebody waited for a processor, and much longer
    /// where somebody nearly always did.
    fn yields_since(self, before: Self, most: f64) -> f64 {
        let time = self.at - before.at;
        if !is_busy(self.log_end - before.log_end, time) {
            return 0.0;
        }
        let waited = self.shortage.zip(before.shortage).map(|(now, before)| now.saturating_sub(before));
        let share = waited.unwrap_or_default().as_secs_f64() / time.as_secs_f64().max(f64::EPSILON);
        YIELD + (most - YIELD) * share.min(1.0).powi(2)
    }
}

/// How steps have gone, and so when the next one is due.
struct Pace<'a> {
    turns: &'a Turns,
    feed: &'a Feed,
    most_yield: f64,
    failures: u32,
    is_behind: bool,
}

/// A step that is to be taken.
struct Turn<'a> {
    permit: Option<SemaphorePermit<'a>>,
    begun: Instant,
}

impl<'a> Pace<'a> {
    const fn new(turns: &'a Turns, feed: &'a Feed, most_yield: f64) -> Self {
        Self { turns, feed, most_yield, failures: 0, is_behind: false }
    }

    async fn next(&self) -> Turn<'a> {
        // The semaphore is never closed.
        let permit = if self.is_behind { self.turns.heavy.acquire().await.ok() } else { None };
        Turn { permit, begun: Instant::now() }
    }

    /// Waits after a step that applied so many events. The turn ends with the wait.
    async fn applied(&mut self, events: usize, turn: Turn<'_>) {
        self.failures = 0;
        self.is_behind = events >= HEAVY_EVENTS;
        let took = turn.begun.elapsed();
        let pause = match turn.permit {
            // Commands that come in while this is behind go first, and have more of the time.
            Some(_) => took.mul_f64(self.turns.look(self.feed, self.most_yield).await).min(LONGEST_YIELD),
            None if !self.is_behind => STEP_INTERVAL.saturating_sub(took),
            _ => Duration::ZERO,
        };
        self.turns.wait(pause).await;
    }

    async fn failed(&mut self, error: &StepError, projections: &str) {
        let pause = backoff(self.failures);
        self.failures += 1;
        tracing::warn!(
            projection = projections,
            error = ops::config::chain(error),
            again_in_ms = pause.as_millis(),
            "a step failed"
        );
        self.turns.wait(pause).await;
    }
}

/// Applies the projections until the stop. A step that has begun is finished before it.
pub(crate) async fn drive(runners: Vec<Runner>, feed: Feed, mut lockstep: Lockstep, turns: Turns) {
    let mut alone = JoinSet::new();
    let go_alone = |alone: &mut JoinSet<Runner>, runners: Vec<Runner>| {
        for runner in runners {
            alone.spawn(catch_up(runner, feed.clone(), turns.clone()));
        }
    };
    go_alone(&mut alone, runners);
    let mut pace = Pace::new(&turns, &feed, MOST_YIELD);
    while !turns.stop.is_cancelled() {
        while let Some(caught_up) = alone.try_join_next() {
            lockstep.admit(unwind(caught_up));
        }
        go_alone(&mut alone, lockstep.release(|name| !turns.may_step(name)));
        if lockstep.is_empty() {
            if let Some(Some(caught_up)) = turns.stop.run_until_cancelled(alone.join_next()).await {
                lockstep.admit(unwind(caught_up));
            }
            continue;
        }
        let turn = pace.next().await;
        let names = lockstep.names();
        let stepped = tokio::select! {
            stepped = lockstep.step() => stepped,
            // A step that is given up leaves nothing behind: what it wrote is rolled back, or all there. Its connection
            // may be as dead as that of the leases, and would be waited for without end.
            () = turns.lost(&names) => continue,
        };
        match stepped {
            Ok(Together::Applied { events, .. }) => pace.applied(events, turn).await,
            Ok(Together::Idle { position }) => {
                drop(turn);
                (pace.failures, pace.is_behind) = (0, false);
                tokio::select! {
                    _ = timeout(LOOK_AGAIN, feed.wait_past(position)) => {}
                    Some(caught_up) = alone.join_next() => lockstep.admit(unwind(caught_up)),
                    () = turns.lost(&names) => {}
                    () = turns.stop.cancelled() => {}
                }
            }
            Ok(Together::Without(unfit)) => go_alone(&mut alone, unfit),
            Err(error) => {
                drop(turn);
                lockstep.runners().iter().for_each(|runner| runner.metrics().failed());
                pace.failed(&error, "those in lockstep").await;
            }
        }
    }
    while alone.join_next().await.is_some() {}
}

/// The runner that a task gives back; a panic goes on.
fn unwind(joined: Result<Runner, JoinError>) -> Runner {
    joined.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// Applies one projection alone, whenever its lease is held, until it keeps up, or the stop.
async fn catch_up(mut runner: Runner, feed: Feed, turns: Turns) -> Runner {
    let name = runner.name();
    loop {
        if !turns.may_step(name) {
            runner.metrics().leased(false);
            runner.leave();
        }
        let mut held = turns.held.clone();
        let gained = held.wait_for(|held| held.contains(name));
        if !matches!(turns.stop.run_until_cancelled(gained).await, Some(Ok(_))) {
            return runner;
        }
        runner.metrics().leased(true);
        let names = [name];
        tokio::select! {
            () = apply_until_level(&mut runner, &feed, &turns) => return runner,
            () = turns.lost(&names) => {}
        }
    }
}

async fn apply_until_level(runner: &mut Runner, feed: &Feed, turns: &Turns) {
    let mut pace = Pace::new(turns, feed, YIELD);
    while !turns.stop.is_cancelled() {
        let turn = pace.next().await;
        match runner.step().await {
            Ok(Step::Applied { position, events }) => {
                pace.applied(events, turn).await;
                let heavy = i64::try_from(HEAVY_EVENTS).unwrap_or(i64::MAX);
                if feed.end().is_some_and(|end| end - position < heavy) {
                    return;
                }
            }
            Ok(Step::Known { .. }) => pace.failures = 0,
            Ok(Step::Idle { .. }) => return,
            Ok(Step::Paused) => {
                drop(turn);
                turns.wait(LOOK_AGAIN).await;
            }
            Err(error) => {
                drop(turn);
                runner.metrics().failed();
                pace.failed(&error, runner.name()).await;
            }
        }
    }
}

/// Whether a log that grew by so many events in that time is busy.
fn is_busy(events: i64, time: Duration) -> bool {
    i128::from(events) * 1_000_000 >= i128::from(BUSY_EVENTS) * i128::try_from(time.as_micros()).unwrap_or(i128::MAX)
        && events > 0
}

fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << failures.min(10)).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_busy_by_what_comes_in_a_second() {
        let after = |events, milliseconds| is_busy(events, Duration::from_millis(milliseconds));
        assert_eq!([after(100, 1_000), after(5, 50), after(1, 0)], [true; 3]);
        // A few now and then, nothing at all, many in a long time, and a first look.
        let first = is_busy(7 - i64::MAX, Duration::ZERO);
        assert_eq!([after(99, 1_000), after(0, 0), after(5_000, 60_000), first], [false; 4]);
    }

    #[test]
    fn whoever_is_behind_gives_way_the_longer_the_shorter_processors_are() {
        let before = Look { at: Instant::now(), log_end: 0, shortage: Some(Duration::from_secs(7)) };
        let yields = |log_end, waited_ms| {
            let shortage = before.shortage.map(|shortage| shortage + Duration::from_millis(waited_ms));
            Look { at: before.at + Duration::from_secs(1), log_end, shortage }.yields_since(before, MOST_YIELD)
        };
        let is = |yields: f64, expected: f64| assert!((yields - expected).abs() < 1e-9, "{yields}, not {expected}");
        is(yields(10, 1_000), 0.0);
        is(yields(1_000, 0), YIELD);
        is(yields(1_000, 500), YIELD + (MOST_YIELD - YIELD) / 4.0);
        is(yields(1_000, 1_000), MOST_YIELD);
        // More than the time that passed, by the clocks' differences; and a kernel that does not tell.
        is(yields(1_000, 1_100), MOST_YIELD);
        let untold = Look { at: before.at + Duration::from_secs(1), log_end: 1_000, shortage: None };
        is(untold.yields_since(before, MOST_YIELD), YIELD);
    }

    #[test]
    fn the_wait_after_failures_grows_and_is_bounded() {
        let waits: Vec<_> = [0, 1, 2, 7, 1000].map(backoff).iter().map(Duration::as_millis).collect();
        assert_eq!(waits, [100, 200, 400, 2_000, 2_000]);
    }
}
