//! The threads that hash, behind a bounded queue. They give way to what serves: by their priority, and, since priorities
//! say little between processes, by resting after each password while other commands come in.

use super::PasswordError;
use crate::{appender::Appended, metrics};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How much threads that hash give way to threads that serve (nice(2)): a tenth of a processor that both want.
#[cfg(target_os = "linux")]
const GIVES_WAY: i32 = 10;
/// While other commands come in, a thread rests after a password for so many times as long as that took: of a processor,
/// it takes a fifth of the time from them. No longer than this, which a hash of an older system may come to.
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_millis(500);
/// Others come in when there are so many a second.
const BUSY_COMMANDS: u64 = 50;

type Job = Box<dyn FnOnce() + Send>;

/// Takes work in and hands it to the threads, which end with the last clone.
#[derive(Clone)]
pub(super) struct Threads {
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    queue: usize,
}

impl Threads {
    /// Starts so many threads, for whom so many jobs may wait.
    pub(super) fn start(threads: usize, queue: usize, appended: &Appended) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 1..=threads {
            let (waiting, appended) = (Arc::clone(&waiting), appended.clone());
            thread::Builder::new().name(format!("argon2-{number}")).spawn(move || work(&waiting, &appended))?;
        }
        Ok(Self { jobs, waiting: Arc::default(), queue })
    }

    /// A health check: whether one more job could be taken in.
    pub(super) fn check_room(&self) -> Result<(), String> {
        if self.waiting.load(Ordering::Relaxed) < self.queue { Ok(()) } else { Err("the queue is full".to_owned()) }
    }

    /// Queues the work, or says that the queue is full. Work whose caller has gone is not done.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting::new(&self.waiting);
        let job = Box::new(move || {
            drop(waiting);
            if answer.is_closed() {
                return;
            }
            let started = Instant::now();
            let done = work();
            metrics::password_hashed(started.elapsed());
            // The caller may have gone meanwhile; then nobody needs the answer.
            let _ = answer.send(done);
        });
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => PasswordError::Busy,
            TrySendError::Disconnected(_) => PasswordError::Ended,
        })?;
        answered.await.map_err(|_| PasswordError::Ended)
    }
}

/// Counts a request as waiting until it is dropped: when its turn comes, or when it is turned away.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        metrics::passwords_waiting().increment(1);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        metrics::passwords_waiting().decrement(1);
    }
}

/// Takes one job after the other until nobody can send any more.
fn work(waiting: &Mutex<Receiver<Job>>, appended: &Appended) {
    // On Linux this is of the thread alone; elsewhere it would slow the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(GIVES_WAY) {
        tracing::debug!(%error, "a thread that hashes passwords has the priority of all others");
    }
    let (mut seen, mut at) = (appended.others(), Instant::now());
    loop {
        // The lock is held while waiting and not while working. A poisoned one guards nothing that could be broken.
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let started = Instant::now();
        job();
        let (now, others) = (Instant::now(), appended.others());
        thread::sleep(rest(others - seen, now - at, now - started));
        (seen, at) = (others, now);
    }
}

/// How long to rest after a password that took so long, where so many other commands came in since the one before, which
/// was so long ago.
fn rest(others: u64, since: Duration, took: Duration) -> Duration {
    let is_busy = u128::from(others) * 1_000 >= u128::from(BUSY_COMMANDS) * since.as_millis();
    if is_busy && others > 0 { (took * REST).min(LONGEST_REST) } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let threads = Threads::start(1, 1, &Appended::default()).unwrap();
        let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let blocking = threads.clone();
        let first = tokio::spawn(async move {
            blocking
                .run(move || {
                    begun.blocking_send(()).unwrap();
                    wait.recv().unwrap();
                })
                .await
        });
        has_begun.recv().await.unwrap();
        let mut second = Box::pin(threads.run(|| ()));
        assert!(tokio::time::timeout(Duration::ZERO, &mut second).await.is_err(), "the second waits");
        assert!(matches!(threads.run(|| ()).await, Err(PasswordError::Busy)));
        assert!(threads.check_room().is_err());
        go_on.send(()).unwrap();
        first.await.unwrap().unwrap();
        second.await.unwrap();
        assert!(threads.check_room().is_ok());
    }

    #[test]
    fn a_thread_rests_while_others_come_in_and_never_for_long() {
        let took = Duration::from_millis(14);
        assert_eq!(
            [rest(0, took, took), rest(1, took, took), rest(3, took, took)],
            [Duration::ZERO, took * 4, took * 4]
        );
        assert_eq!(rest(9, took, Duration::from_secs(9)), LONGEST_REST);
        // A few in a long time are not many.
        assert_eq!(rest(49, Duration::from_secs(1), took), Duration::ZERO);
        assert_eq!(rest(3, Duration::from_hours(1), took), Duration::ZERO);
    }

    #[tokio::test]
    async fn between_two_passwords_a_thread_rests_while_others_come_in() {
        let appended = Appended::default();
        let threads = Threads::start(1, 1, &appended).unwrap();
        let hash = |others: u64| {
            let appended = appended.clone();
            move || {
                appended.add_others(others);
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(20) {
                    std::hint::spin_loop();
                }
            }
        };
        let begun = Instant::now();
        threads.run(hash(1_000)).await.unwrap();
        threads.run(hash(0)).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(20 + 4 * 20 + 20), "{:?}", begun.elapsed());
    }
}
