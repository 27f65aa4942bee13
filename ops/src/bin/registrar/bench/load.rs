//! The load generator. Closed loop: so many connections, each sends its next request when the one before is answered.
//! Open loop: requests are due at a fixed rate whatever the answers do, and each one's latency counts from when it was
//! due, so that a server which falls behind cannot hide it (no coordinated omission).
//!
//! It runs on one thread of its own, and tells how much of a processor that thread used.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    http::{CallError, Connection},
};

/// The longest latency that is told apart, in microseconds: a minute.
const LONGEST: u64 = 60_000_000;

/// Writes the next request.
pub type Requests = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;

/// What one worker does with its connections, again and again.
pub trait Work: Send + 'static {
    /// Does it once; the answer is from when on its latency counts, where that is not from when it was due.
    fn turn(&mut self) -> BoxFuture<'_, Result<Option<Instant>, CallError>>;
}

/// How requests come.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// One after the other on each connection.
    Closed,
    /// So many a second, over all connections.
    Open(f64),
}

/// What came of a stretch of load.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Latencies in microseconds.
    pub latencies: Histogram<u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Processor time of the generator's thread.
    pub generator: Duration,
}

impl Sample {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few minutes stay far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The mean latency, in milliseconds.
    pub fn mean_ms(&self) -> f64 {
        self.latencies.mean() / 1000.0
    }
}

/// An empty histogram of latencies in microseconds.
pub fn histogram() -> Histogram<u64> {
    // Three significant digits up to a minute are always within the bounds of the type.
    Histogram::new_with_bounds(1, LONGEST, 3).unwrap_or_else(|_| Histogram::new_from(&histogram()))
}

/// A quantile of latencies, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a minute in microseconds stays far below 2^52")]
pub fn quantile_ms(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1000.0
}

/// Sends one kind of request on one connection, and insists on the status.
#[derive(Clone)]
pub struct Requester {
    /// Where to.
    pub address: SocketAddr,
    /// What.
    pub requests: Requests,
    /// The status of every answer.
    pub expected: u16,
    /// The highest position that was answered.
    pub reached: Arc<AtomicI64>,
}

impl Requester {
    /// A requester that begins at position 0.
    pub fn new(address: SocketAddr, expected: u16, requests: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self { address, requests: Arc::new(requests), expected, reached: Arc::default() }
    }
}

struct Asking {
    requester: Requester,
    connection: Connection,
    request: Vec<u8>,
}

impl Work for Asking {
    fn turn(&mut self) -> BoxFuture<'_, Result<Option<Instant>, CallError>> {
        Box::pin(async {
            self.request.clear();
            (self.requester.requests)(&mut self.request);
            let reply = self.connection.call(&self.request).await?;
            check(&reply, self.requester.expected)?;
            if let Some(position) = reply.position {
                self.requester.reached.fetch_max(position, Ordering::Relaxed);
            }
            Ok(None)
        })
    }
}

/// An answer of another status than the expected one is a fault of the measurement.
pub fn check(reply: &super::http::Reply<'_>, expected: u16) -> Result<(), CallError> {
    if reply.status == expected {
        return Ok(());
    }
    let body = String::from_utf8_lossy(reply.body);
    Err(CallError::Unreadable(format!("status {} instead of {expected}: {body}", reply.status)))
}

/// Loads with one kind of request over so many connections.
pub async fn run(
    requester: &Requester,
    connections: usize,
    pace: Pace,
    length: Duration,
    cancel: &CancellationToken,
) -> Result<Sample, Error> {
    let requester = requester.clone();
    run_with(connections, pace, length, cancel, move || {
        let requester = requester.clone();
        Box::pin(async move {
            let connection = Connection::open(requester.address).await?;
            Ok(Asking { requester, connection, request: Vec::with_capacity(2048) })
        })
    })
    .await
}

/// Loads with whatever `make` makes, one for each worker, on a thread of its own.
pub async fn run_with<W: Work>(
    workers: usize,
    pace: Pace,
    length: Duration,
    cancel: &CancellationToken,
    make: impl Fn() -> BoxFuture<'static, Result<W, CallError>> + Send + 'static,
) -> Result<Sample, Error> {
    let cancel = cancel.clone();
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(generate(workers, pace, length, cancel, make))
    });
    match thread.await {
        Ok(sample) => sample.map_err(|source| Error::Load { source }),
        Err(panic) => Err(Error::Load { source: CallError::Unreadable(panic.to_string()) }),
    }
}

async fn generate<W: Work>(
    workers: usize,
    pace: Pace,
    length: Duration,
    cancel: CancellationToken,
    make: impl Fn() -> BoxFuture<'static, Result<W, CallError>>,
) -> Result<Sample, CallError> {
    let mut ready = Vec::with_capacity(workers);
    for _ in 0..workers {
        ready.push(make().await?);
    }
    let begun = Instant::now();
    let used = processor_time();
    let schedule = Schedule { pace, begun, end: begun + length, next: Arc::new(AtomicU64::new(0)) };
    let mut working = JoinSet::new();
    for work in ready {
        working.spawn(repeat(work, schedule.clone(), cancel.clone()));
    }
    let mut latencies = histogram();
    while let Some(done) = working.join_next().await {
        let done = done.map_err(|panic| CallError::Unreadable(panic.to_string()))??;
        // Both have the same bounds.
        let _ = latencies.add(done);
    }
    Ok(Sample { latencies, elapsed: begun.elapsed(), generator: processor_time().saturating_sub(used) })
}

#[derive(Clone)]
struct Schedule {
    pace: Pace,
    begun: Instant,
    end: Instant,
    next: Arc<AtomicU64>,
}

impl Schedule {
    /// Waits for the next turn; the answer is when it was due, or `None` at the end.
    async fn due(&self) -> Option<Instant> {
        let due = match self.pace {
            Pace::Closed => Instant::now(),
            #[expect(clippy::cast_precision_loss, reason = "turns of a few minutes stay far below 2^52")]
            Pace::Open(rate) => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                self.begun + Duration::from_secs_f64(turn as f64 / rate)
            }
        };
        if due >= self.end {
            return None;
        }
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        Some(due)
    }
}

async fn repeat(
    mut work: impl Work,
    schedule: Schedule,
    cancel: CancellationToken,
) -> Result<Histogram<u64>, CallError> {
    let mut latencies = histogram();
    while !cancel.is_cancelled()
        && let Some(due) = schedule.due().await
    {
        let from = work.turn().await?.unwrap_or(due);
        let microseconds = u64::try_from(from.elapsed().as_micros()).unwrap_or(LONGEST);
        latencies.saturating_record(microseconds.max(1));
    }
    Ok(latencies)
}

/// Processor time of the calling thread: the first field of its `schedstat`, in nanoseconds. Zero where there is no /proc.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes long once, and counts its turns.
    struct Slow(Arc<Mutex<u32>>);

    impl Work for Slow {
        fn turn(&mut self) -> BoxFuture<'_, Result<Option<Instant>, CallError>> {
            let first = {
                let mut turns = self.0.lock().unwrap();
                *turns += 1;
                *turns == 1
            };
            Box::pin(async move {
                if first {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Ok(None)
            })
        }
    }

    #[tokio::test]
    async fn in_an_open_loop_a_pause_of_the_server_is_seen_by_all_who_had_to_wait() {
        let turns = Arc::new(Mutex::new(0));
        let (counted, length) = (turns.clone(), Duration::from_millis(400));
        let make = move || -> BoxFuture<'static, Result<Slow, CallError>> {
            let slow = Slow(counted.clone());
            Box::pin(async move { Ok(slow) })
        };
        let sample = run_with(1, Pace::Open(100.0), length, &CancellationToken::new(), make).await.unwrap();
        assert_eq!((sample.latencies.len(), *turns.lock().unwrap()), (40, 40));
        // Of forty, the first waits 200 ms, and half of those that were due meanwhile more than 100 ms; where the machine
        // stands still as well, more of them. Counted from when each was sent, it would be the first alone.
        let waited = sample.latencies.count_between(100_000, LONGEST);
        assert!(waited >= 10, "{waited} waited");
    }
}
