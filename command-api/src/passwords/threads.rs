//! The threads that hash, behind a bounded queue. They give way to what serves: by their priority, and, since priorities
//! say little between processes, by resting after each password while other commands come in.

use super::PasswordError;
use crate::{appender::Appended, metrics};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How much threads that hash give way to threads that serve (nice(2)): a tenth of a processor that both want.
#[cfg(target_os = "linux")]
const GIVES_WAY: i32 = 10;
/// While other commands come in, a thread rests after a password for so many times as long as that took, and no longer
/// than this: a processor is kept from them for a quarter of the time at most.
const REST: u32 = 3;
const LONGEST_REST: Duration = Duration::from_millis(500);
/// So many other commands since the last password are others that come in.
const OTHERS: u64 = 2;

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
    pub(super) fn start(threads: usize, queue: usize, appended: Appended) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(queue);
        let (waiting, traffic) = (Arc::new(Mutex::new(waiting)), Arc::new(Traffic::new(appended)));
        for number in 1..=threads {
            let (waiting, traffic) = (Arc::clone(&waiting), Arc::clone(&traffic));
            thread::Builder::new().name(format!("argon2-{number}")).spawn(move || work(&waiting, &traffic))?;
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
fn work(waiting: &Mutex<Receiver<Job>>, traffic: &Traffic) {
    // On Linux this is of the thread alone; elsewhere it would slow the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(GIVES_WAY) {
        tracing::debug!(%error, "a thread that hashes passwords has the priority of all others");
    }
    let mut seen = traffic.look();
    loop {
        // The lock is held while waiting and not while working. A poisoned one guards nothing that could be broken.
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let started = Instant::now();
        job();
        let took = started.elapsed();
        traffic.hashed();
        let now = traffic.look();
        thread::sleep(rest(now.others_since(seen), took));
        seen = now;
    }
}

/// How long to rest after a password that took so long, while so many other commands came in.
fn rest(others: u64, took: Duration) -> Duration {
    if others >= OTHERS { (took * REST).min(LONGEST_REST) } else { Duration::ZERO }
}

/// What commands come in, beside those that a password is hashed for.
struct Traffic {
    appended: Appended,
    hashed: AtomicU64,
}

/// Counts, from the beginning of the process to one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    appended: u64,
    hashed: u64,
}

impl Traffic {
    fn new(appended: Appended) -> Self {
        Self { appended, hashed: AtomicU64::new(0) }
    }

    fn hashed(&self) {
        self.hashed.fetch_add(1, Ordering::Relaxed);
    }

    fn look(&self) -> Look {
        Look { appended: self.appended.count(), hashed: self.hashed.load(Ordering::Relaxed) }
    }
}

impl Look {
    /// The commands since then that no password was hashed for: most passwords lead to one command.
    fn others_since(self, before: Self) -> u64 {
        (self.appended - before.appended).saturating_sub(self.hashed - before.hashed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let threads = Threads::start(1, 1, Appended::default()).unwrap();
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
    fn others_are_the_commands_that_no_password_was_hashed_for() {
        let appended = Appended::default();
        let traffic = Traffic::new(appended.clone());
        let before = traffic.look();
        traffic.hashed();
        appended.add(1);
        assert_eq!(traffic.look().others_since(before), 0);
        appended.add(3);
        assert_eq!(traffic.look().others_since(before), 3);
        // Passwords that were wrong lead to no command.
        let before = traffic.look();
        traffic.hashed();
        assert_eq!(traffic.look().others_since(before), 0);
    }

    #[test]
    fn a_thread_rests_while_others_come_in_and_never_for_long() {
        let took = Duration::from_millis(14);
        assert_eq!([rest(0, took), rest(1, took), rest(2, took)], [Duration::ZERO, Duration::ZERO, took * 3]);
        assert_eq!(rest(9, Duration::from_secs(9)), LONGEST_REST);
    }
}
