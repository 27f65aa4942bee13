//! When a projection takes its steps: while this process holds its lease, as long as there is something to apply, else
//! when the feed says so. Its failures are its own: it waits a little longer after each, and never gives up.

use crate::{
    lease::Held,
    run::{Runner, Step},
};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long an idle or paused projection waits at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The wait after the first failure in a row; it doubles with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Applies the projection, whenever its lease is held, until the stop. A step that has begun is finished before it.
pub(crate) async fn drive(mut runner: Runner, mut held: watch::Receiver<Held>, stop: CancellationToken) {
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
            () = apply_while_leased(&mut runner, &held, &stop) => {}
            // A step that is given up leaves nothing behind: what it wrote is rolled back, or all there. Its connection
            // may be as dead as that of the leases, and would be waited for without end.
            Ok(_) = lost.wait_for(|held| !held.contains(name)) => {}
        }
        runner.leave();
    }
}

async fn apply_while_leased(runner: &mut Runner, held: &watch::Receiver<Held>, stop: &CancellationToken) {
    let name = runner.name();
    let mut failures = 0;
    while !stop.is_cancelled() && held.borrow().contains(name) {
        match runner.step().await {
            Ok(Step::Applied { .. } | Step::Known { .. }) => failures = 0,
            Ok(Step::Idle { position }) => {
                failures = 0;
                stop.run_until_cancelled(timeout(LOOK_AGAIN, runner.wait_past(position))).await;
            }
            Ok(Step::Paused) => {
                stop.run_until_cancelled(sleep(LOOK_AGAIN)).await;
            }
            Err(error) => {
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
