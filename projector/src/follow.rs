//! Moves the feed's window along: from the log while the projections are behind, which costs least, and at its end with
//! events as JetStream delivers them; from the log again while JetStream is silent, unreachable, lost or late. Waking is
//! all that the bus is for; no event comes to a view because of it alone.

use crate::{
    config::MAX_BATCH_SIZE,
    feed::{Feed, WINDOW},
};
use events::{
    Recorded,
    bus::{Bus, Subscription},
    log::LogError,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Events taken from the bus at a time, and from the log.
const BATCH: usize = 1_000;
const LOG_BATCH: i64 = 1_000;
/// How far the window runs ahead of the foremost projection, before what is taken next. The rest of it is for those that
/// come behind.
const AHEAD: i64 = 1_000;
const _: () = assert!(AHEAD + LOG_BATCH < WINDOW as i64 / 2, "most of the window is for those that come behind");
const _: () = assert!(MAX_BATCH_SIZE as i64 <= AHEAD, "one batch is taken while the next is fetched");
/// Whoever leaves so much untaken for so long cannot keep up with the bus.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long the bus may be silent before the log is asked.
const SILENCE: Duration = Duration::from_secs(1);
/// What is delivered is taken so far apart, all at once: each time costs, however little there is.
const TAKEN_APART: Duration = Duration::from_millis(2);
/// How often the server is told what is dealt with.
const ACKNOWLEDGED_APART: Duration = Duration::from_millis(250);
/// How often the log is asked while the bus is not there.
const WITHOUT_BUS: Duration = Duration::from_millis(250);
/// How long to leave the bus alone after it failed.
const BUS_PAUSE: Duration = Duration::from_secs(1);
/// How long a subscription may take to begin.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Follows the log until the stop. While this process applies no projection it rests.
pub(crate) async fn follow(feed: Feed, bus: Bus, stop: CancellationToken) {
    let now = Instant::now();
    let mut follower = Follower {
        feed,
        bus,
        subscription: None,
        has_caught_up: false,
        kept_up_at: now,
        resubscribe_at: now,
        take_at: now,
        acknowledge_at: now,
        told: None,
    };
    while !stop.is_cancelled() {
        let Some(foremost) = follower.feed.foremost() else {
            follower.leave_bus();
            follower.feed.rest();
            stop.run_until_cancelled(follower.feed.moved()).await;
            continue;
        };
        let end = follower.begin_or_go_on(foremost);
        if end - foremost > AHEAD {
            if follower.kept_up_at.elapsed() > PATIENCE {
                follower.leave_bus();
            }
            let _ = timeout(PATIENCE, follower.feed.moved()).await;
            continue;
        }
        follower.kept_up_at = Instant::now();
        match stop.run_until_cancelled(follower.advance(end)).await {
            None | Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(error = ops::config::chain(&error), "the log cannot be followed just now");
                stop.run_until_cancelled(sleep(SILENCE)).await;
            }
        }
    }
}

struct Follower {
    feed: Feed,
    bus: Bus,
    subscription: Option<Subscription>,
    /// Whether the end of the log was seen, so that what comes next is for the bus to bring.
    has_caught_up: bool,
    /// When the window was last not too far ahead.
    kept_up_at: Instant,
    resubscribe_at: Instant,
    take_at: Instant,
    acknowledge_at: Instant,
    /// What the process's own log says last: whether the bus delivers.
    told: Option<bool>,
}

impl Follower {
    /// Where the log has been followed to. It is followed anew from where the foremost projection is, when another
    /// process brought that further than this one followed.
    fn begin_or_go_on(&mut self, foremost: i64) -> i64 {
        match self.feed.end() {
            Some(end) if end >= foremost => end,
            _ => {
                self.leave_bus();
                self.feed.start_at(foremost);
                foremost
            }
        }
    }

    /// Reads the log up to its end. From there on takes what arrives, and asks the log when nothing new did.
    async fn advance(&mut self, end: i64) -> Result<(), LogError> {
        if self.has_caught_up {
            self.ensure_subscribed(end).await;
            let delivered = self.receive().await;
            if self.feed.admit(delivered).await? > 0 {
                return Ok(());
            }
        }
        let read = self.feed.log().read(end, LOG_BATCH).await?;
        if i64::try_from(read.len()) == Ok(LOG_BATCH) {
            self.leave_bus();
        } else {
            self.has_caught_up = true;
        }
        self.feed.admit(read).await?;
        Ok(())
    }

    /// Reads the log from here on, up to its end.
    fn leave_bus(&mut self) {
        self.has_caught_up = false;
        if let Some(subscription) = self.subscription.take() {
            subscription.close();
        }
    }

    async fn receive(&mut self) -> Vec<Recorded> {
        let patience = if self.bus.is_connected() { SILENCE } else { WITHOUT_BUS };
        let Some(subscription) = &mut self.subscription else {
            sleep(WITHOUT_BUS).await;
            return Vec::new();
        };
        sleep_until(self.take_at).await;
        self.take_at = Instant::now() + TAKEN_APART;
        if Instant::now() >= self.acknowledge_at {
            subscription.ack_through(self.feed.settled()).await;
            self.acknowledge_at = Instant::now() + ACKNOWLEDGED_APART;
        }
        match subscription.next_batch(BATCH, patience).await {
            Ok(delivered) => delivered,
            Err(error) => {
                self.unsubscribe(&error);
                Vec::new()
            }
        }
    }

    async fn ensure_subscribed(&mut self, end: i64) {
        if self.subscription.is_some() || !self.bus.is_connected() || Instant::now() < self.resubscribe_at {
            return;
        }
        match timeout(SUBSCRIBE_TIMEOUT, self.bus.subscribe(end)).await {
            Ok(Ok(subscription)) => {
                if self.told.replace(true) != Some(true) {
                    tracing::info!(after = end, "the bus delivers");
                }
                self.subscription = Some(subscription);
            }
            Ok(Err(error)) => self.unsubscribe(&error),
            Err(elapsed) => self.unsubscribe(&elapsed),
        }
    }

    fn unsubscribe(&mut self, error: &dyn std::error::Error) {
        if self.told.replace(false) != Some(false) {
            tracing::warn!(error = ops::config::chain(error), "the bus does not deliver; events are read from the log");
        }
        self.leave_bus();
        self.resubscribe_at = Instant::now() + BUS_PAUSE;
    }
}
