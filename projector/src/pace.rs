//! When a projection takes its steps: while this process holds its lease, as long as there is something to apply, else
//! when the feed says so. Its failures are its own: it waits a little longer after each, and never gives up.

use crate::{
    lease::Held,
    run::{Runner, Step},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long an idle or paused projection waits at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The wait after the first failure in a row; it doubles with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// Steps of a projection begin at least so far apart while it keeps up: what comes meanwhile is applied together.
const STEP_INTERVAL: Duration = Duration::from_millis(5);
/// A projection whose batches are this large does not keep up; such steps take turns.
const HEAVY_EVENTS: usize = 100;
/// The longest that a projection which is behind gives way to commands after a step.
const LONGEST_YIELD: Duration = Duration::from_millis(500);

/// Applies the projection, whenever its lease is held, until the stop. A step that has begun is finished before it.
///
/// `heavy` is for the steps of those that are behind: they take turns, so that many projections that catch up at once do
/// not take the processors from whoever writes the log.
pub(crate) async fn drive(
    mut runner: Runner,
    mut held: watch::Receiver<Held>,
    heavy: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let name = runner.name();
    loop {
        runner.metrics().leased(false);
        let gained = held.wait_for(|held| held.contains(name));
        if !matches!(stop.run_until_cancelled(gained).await, Some(Ok(_))) {
            return;
        }
        runner.metrics().leased(true);
        let mut lost = held.clone();
        tokio::select! {
            () = apply_while_leased(&mut runner, &held, &heavy, &stop) => {}
            // A step that is given up leaves nothing behind: what it wrote is rolled back, or all there. Its connection
            // may be as dead as that of the leases, and would be waited for without end.
            Ok(_) = lost.wait_for(|held| !held.contains(name)) => {}
        }
        runner.leave();
    }
}

async fn apply_while_leased(
    runner: &mut Runner,
    held: &watch::Receiver<Held>,
    heavy: &Semaphore,
    stop: &CancellationToken,
) {
    let name = runner.name();
    let mut failures = 0;
    let mut is_behind = false;
    while !stop.is_cancelled() && held.borrow().contains(name) {
        // The semaphore is never closed.
        let turn = if is_behind { heavy.acquire().await.ok() } else { None };
        let (begun, end) = (Instant::now(), runner.log_end());
        let stepped = runner.step().await;
        match stepped {
            Ok(Step::Applied { events, .. }) => {
                failures = 0;
                is_behind = events >= HEAVY_EVENTS;
                let pause = match turn {
                    // Commands come in while this is behind: they go first, and have as much of the time.
                    Some(_) if runner.log_end() > end => begun.elapsed().min(LONGEST_YIELD),
                    None if !is_behind => STEP_INTERVAL.saturating_sub(begun.elapsed()),
                    _ => Duration::ZERO,
                };
                stop.run_until_cancelled(sleep(pause)).await;
                drop(turn);
            }
            Ok(Step::Known { .. }) => failures = 0,
            Ok(Step::Idle { position }) => {
                drop(turn);
                failures = 0;
                is_behind = false;
                stop.run_until_cancelled(timeout(LOOK_AGAIN, runner.wait_past(position))).await;
            }
            Ok(Step::Paused) => {
                drop(turn);
                stop.run_until_cancelled(sleep(LOOK_AGAIN)).await;
            }
            Err(error) => {
                drop(turn);
                let pause = backoff(failures);
                failures += 1;
                runner.metrics().failed();
                tracing::warn!(
                    projection = name,
                    error = ops::config::chain(&error),
                    again_in_ms = pause.as_millis(),
                    "a step failed"
                );
                stop.run_until_cancelled(sleep(pause)).await;
            }
        }
    }
}

fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << failures.min(10)).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_after_failures_grows_and_is_bounded() {
        let waits: Vec<_> = [0, 1, 2, 7, 1000].map(backoff).iter().map(Duration::as_millis).collect();
        assert_eq!(waits, [100, 200, 400, 2_000, 2_000]);
    }
}
