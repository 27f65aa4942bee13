//! From the log to JetStream: committed events, each once, in position order.
//!
//! One relay at a time publishes, the one that holds an advisory lock of the log database; the others stand by. What
//! was published is what JetStream has: its last sequence is the checkpoint, so a stream that was lost is filled again
//! from the log, and nothing else need be known. Waking (in memory, by NOTIFY, by a timer) is a hint; the log is the
//! truth. Commands are accepted whether or not any of this works.

use crate::{metrics, tail::Tail};
use events::{
    Canonical,
    bus::{Bus, BusError},
    log::{LogError, LogReader, bounded},
};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Advisory lock of the relay that publishes: "relay" in ASCII.
const LEADER_LOCK: i64 = 0x0072_656c_6179;
/// Events read and sent before their acknowledgements are awaited.
const MAX_BATCH: u16 = 500;
/// How often a standby tries to take over, and an idle leader looks whether the stream is still there, and whether the
/// log holds what nothing told it of. So often, too, operators are told how far publishing has come.
const IDLE: Duration = Duration::from_secs(1);
/// Batches are sent at least so far apart, but for large ones: each wakes everyone who follows the stream. What comes after
/// a quiet moment is sent at once.
const APART: Duration = Duration::from_millis(6);
const LARGE_BATCH: usize = 100;
/// Whoever does not know how far the log goes reads it until there is no more.
const UNKNOWN: i64 = i64::MAX;
/// How long what another process may have appended is left, since it may be one's own.
const OWN_ECHO: Duration = Duration::from_millis(2);
/// How long to wait after a failure.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Why a step failed. The next one starts from what JetStream then has.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The bus did not take the events.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The lock's connection is gone, and the lock with it.
    #[error("the relay lost its lock")]
    Lock(#[source] sqlx::Error),
    /// The stream holds events that the log does not: it belongs to another log, or the log was restored to an earlier
    /// state. Publishing would mix two histories.
    #[error(
        "the stream ends at position {stream}, the log at {log}: this stream is not of this log; delete the stream, \
         and it is filled again from the log"
    )]
    StreamAheadOfLog {
        /// Last sequence of the stream.
        stream: i64,
        /// Last position of the log.
        log: i64,
    },
}

/// Publishes the log.
pub struct Relay {
    log: LogReader,
    bus: Bus,
    tail: Tail,
    published: Option<i64>,
    failures: u32,
}

impl Relay {
    /// A relay that has yet to find out what was published.
    pub fn new(log: LogReader, bus: Bus) -> Self {
        Self { log, bus, tail: Tail::default(), published: None, failures: 0 }
    }

    /// Takes what this process appends from here, and reads the log only for what is not there.
    #[must_use]
    pub fn fed_by(self, tail: Tail) -> Self {
        Self { tail, ..self }
    }

    /// Publishes the next events and returns how many there were; 0 means that JetStream has the whole log.
    ///
    /// Forgetting what was published, on any failure, is always safe: the stream itself knows.
    pub async fn step(&mut self) -> Result<usize, RelayError> {
        let published = match self.published.take() {
            Some(published) => published,
            None => self.look_up_published().await?,
        };
        let events = self.next(published).await?;
        self.bus.publish(&events).await?;
        self.published = Some(events.last().map_or(published, |last| last.recorded.position));
        Ok(events.len())
    }

    /// After a failure one event goes alone: where it is the one that is refused, the server says why.
    async fn next(&self, published: i64) -> Result<Vec<Arc<Canonical>>, LogError> {
        let max = if self.failures > 0 { 1 } else { MAX_BATCH };
        if let Some(events) = self.tail.take_after(published, max.into()) {
            return Ok(events);
        }
        let events = self.log.read(published, max.into()).await?.into_iter();
        events.map(|event| Ok(Arc::new(event.canonical().map_err(LogError::Canonical)?))).collect()
    }

    /// What JetStream has; the stream is made where there is none.
    async fn look_up_published(&self) -> Result<i64, RelayError> {
        let last = if let Some(last) = self.bus.find_last_sequence().await? {
            i64::try_from(last).unwrap_or(i64::MAX)
        } else {
            self.bus.ensure_stream().await?;
            0
        };
        let head = self.log.head().await?;
        if last > head {
            return Err(RelayError::StreamAheadOfLog { stream: last, log: head });
        }
        Ok(last)
    }

    /// Publishes for as long as the process runs. `head` wakes it when this process appended.
    pub async fn run(mut self, mut head: watch::Receiver<i64>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.lead(&mut head, &stop).await {
                self.failed(&error);
                let _ = timeout(BACK_OFF, stop.cancelled()).await;
            }
            self.tail.want(false);
        }
    }

    /// Takes the lead where it is free, and publishes until the lock is lost or the process stops. While the bus fails,
    /// the lead is kept: nobody else would reach it sooner.
    async fn lead(&mut self, head: &mut watch::Receiver<i64>, stop: &CancellationToken) -> Result<(), RelayError> {
        let Some(mut lock) = Lock::try_take(self.log.pool()).await? else {
            metrics::relay(false, 0, *head.borrow());
            let _ = timeout(IDLE, stop.cancelled()).await;
            return Ok(());
        };
        tracing::info!("this process publishes the log");
        self.published = None;
        self.tail.want(true);
        let mut notified = bounded(listen(self.log.pool())).await.map_err(RelayError::Lock)?;
        // How far the log goes, as far as anybody told; there may always be more.
        let mut known_head = UNKNOWN;
        let mut step_at = Instant::now();
        loop {
            let _ = timeout_at(step_at, stop.cancelled()).await;
            step_at = Instant::now() + APART;
            let cut_off = cut_off(self.bus.clone(), stop);
            let stepped = tokio::select! {
                stepped = self.step() => stepped,
                () = cut_off => return Ok(()),
            };
            let count = match stepped {
                Ok(count) => count,
                Err(error @ (RelayError::Bus(_) | RelayError::StreamAheadOfLog { .. })) if !stop.is_cancelled() => {
                    self.failed(&error);
                    let _ = timeout(BACK_OFF, stop.cancelled()).await;
                    lock.check().await?;
                    known_head = UNKNOWN;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.worked();
            let published = self.published.unwrap_or(0);
            let appended = *head.borrow_and_update();
            metrics::relay(true, published, published.max(appended));
            lock.record(published).await?;
            known_head = known_head.max(appended);
            if count >= LARGE_BATCH {
                step_at = Instant::now();
            }
            // At the stop nobody is waited for, and the log is read to its end.
            if count > 0 && (published < known_head || stop.is_cancelled()) {
                continue;
            }
            if stop.is_cancelled() {
                lock.write(published).await?;
                lock.release().await;
                return Ok(());
            }
            known_head = tokio::select! {
                told = told_of_more(head, &mut notified, published) => told,
                () = stop.cancelled() => UNKNOWN,
                () = tokio::time::sleep(IDLE) => {
                    lock.check().await?;
                    // An idle moment is the time to see whether the stream still has what it had.
                    self.published = None;
                    UNKNOWN
                }
            };
        }
    }

    /// The first failure is news, and so is one that lasts.
    fn failed(&mut self, error: &RelayError) {
        self.failures += 1;
        if self.failures == 1 || self.failures.is_multiple_of(50) {
            let (error, failures) = (ops::config::chain(error), self.failures);
            tracing::warn!(%error, failures, "the relay failed and tries again");
        }
    }

    fn worked(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("the relay publishes again");
        }
    }
}

/// Returns when the log goes further than to the position, by what this process appended or what others notify; and how
/// far.
async fn told_of_more(head: &mut watch::Receiver<i64>, notified: &mut PgListener, position: i64) -> i64 {
    loop {
        tokio::select! {
            Ok(()) = head.changed() => {}
            notification = notified.recv() => {
                let told = notification.ok().and_then(|told| told.payload().parse().ok()).unwrap_or(UNKNOWN);
                // A process hears of its own appends too, often before the appender has heard of them.
                if told > position && !matches!(timeout(OWN_ECHO, head.wait_for(|end| *end >= told)).await, Ok(Ok(_))) {
                    return told;
                }
            }
        }
        let appended = *head.borrow_and_update();
        if appended > position {
            return appended;
        }
    }
}

/// Returns when the process is stopping and the bus is not there to take what is left: the next relay publishes that.
async fn cut_off(bus: Bus, stop: &CancellationToken) {
    stop.cancelled().await;
    while bus.is_connected() {
        tokio::time::sleep(BACK_OFF).await;
    }
}

/// Listens on a connection of its own. One that has lost its server is never given back, which no pool that others use
/// may suffer from.
async fn listen(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(pool.connect_options().as_ref().clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen("registrar_log").await?;
    Ok(listener)
}

/// The lead: a session's advisory lock, held by a connection of its own.
struct Lock {
    connection: PgConnection,
    recorded: Option<(i64, Instant)>,
}

impl Lock {
    async fn try_take(pool: &PgPool) -> Result<Option<Self>, RelayError> {
        let options: PgConnectOptions = pool.connect_options().as_ref().clone();
        let mut connection = bounded(PgConnection::connect_with(&options)).await.map_err(RelayError::Lock)?;
        let taken = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, LEADER_LOCK)
            .fetch_one(&mut connection);
        if bounded(taken).await.map_err(RelayError::Lock)? {
            return Ok(Some(Self { connection, recorded: None }));
        }
        let _ = connection.close().await;
        Ok(None)
    }

    /// Whether the connection, and so the lock, is still there.
    async fn check(&mut self) -> Result<(), RelayError> {
        bounded(self.connection.ping()).await.map_err(RelayError::Lock)
    }

    /// Tells operators how far publishing has come, now and then.
    async fn record(&mut self, position: i64) -> Result<(), RelayError> {
        if self.recorded.is_some_and(|(recorded, at)| recorded == position || at.elapsed() < IDLE) {
            return Ok(());
        }
        self.write(position).await?;
        self.recorded = Some((position, Instant::now()));
        Ok(())
    }

    async fn write(&mut self, position: i64) -> Result<(), RelayError> {
        let recorded = sqlx::query!(
            "update log.relay
             set position = $1,
                 updated_at = now()
             where position <> $1",
            position
        )
        .execute(&mut self.connection);
        bounded(recorded).await.map_err(RelayError::Lock)?;
        Ok(())
    }

    async fn release(self) {
        let _ = self.connection.close().await;
    }
}
