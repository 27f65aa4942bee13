//! How a process stops: a signal cancels one token, everything that was started finishes, within a bound.
//!
//! A task that fails or panics stops the process too: half a process is worse than one that is started again.

use std::{error::Error, panic::AssertUnwindSafe, process, time::Duration};

use futures::FutureExt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Why a stop was not a clean one.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// A task ended with an error or a panic, which was logged.
    #[error("the task {0} failed")]
    TaskFailed(&'static str),
    /// Tasks were still running when the bound was reached.
    #[error("{tasks} tasks did not finish within {seconds} s")]
    Unfinished {
        /// How many were left.
        tasks: usize,
        /// The bound.
        seconds: u64,
    },
}

/// The one switch of a process, and the tasks that follow it. Clones share both.
#[derive(Clone, Debug)]
pub struct Shutdown {
    stop: CancellationToken,
    tasks: TaskTracker,
    failed: watch::Sender<Option<&'static str>>,
    bound: Duration,
}

impl Shutdown {
    /// A switch that nothing but [`Shutdown::stop`] and a failed task turns; `bound` limits the stop.
    #[must_use]
    pub fn new(bound: Duration) -> Self {
        Self { stop: CancellationToken::new(), tasks: TaskTracker::new(), failed: watch::Sender::new(None), bound }
    }

    /// As [`Shutdown::new`], and SIGTERM or SIGINT turn it. A second signal ends the process at once.
    pub fn on_signals(bound: Duration) -> std::io::Result<Self> {
        let shutdown = Self::new(bound);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = shutdown.stop.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let received = next().await;
            tracing::info!(signal = received, "stopping");
            stop.cancel();
            let received = next().await;
            tracing::warn!(signal = received, "stopping at once");
            process::exit(1);
        });
        Ok(shutdown)
    }

    /// Begins the stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The token to wait on or to hand on.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Whether the stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the stop begins.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// The longest that the stop may take.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Starts a task that the stop waits for. Its error or panic is logged, and begins the stop.
    pub fn spawn<F, E>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Error + 'static,
    {
        let shutdown = self.clone();
        self.tasks.spawn(async move {
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => crate::telemetry::error(&error, &format!("the task {name} failed")),
                Err(_) => tracing::error!(task = name, "the task {name} panicked"),
            }
            shutdown.failed.send_if_modified(|failed| failed.replace(name).is_none());
            shutdown.stop.cancel();
        });
    }

    /// Waits until the stop has begun and every task has ended, at most the bound after its beginning.
    pub async fn finished(&self) -> Result<(), ShutdownError> {
        self.stopping().await;
        self.tasks.close();
        if tokio::time::timeout(self.bound, self.tasks.wait()).await.is_err() {
            return Err(ShutdownError::Unfinished { tasks: self.tasks.len(), seconds: self.bound.as_secs() });
        }
        match *self.failed.borrow() {
            Some(name) => Err(ShutdownError::TaskFailed(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_what_was_started() {
        let shutdown = Shutdown::new(Duration::from_secs(5));
        let (token, (done, seen)) = (shutdown.token(), tokio::sync::oneshot::channel());
        shutdown.spawn("worker", async move {
            token.cancelled().await;
            let _ = done.send(());
            Ok::<_, io::Error>(())
        });
        shutdown.stop();
        shutdown.finished().await.unwrap();
        seen.await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_is_bounded() {
        let shutdown = Shutdown::new(Duration::from_millis(10));
        shutdown.spawn("stuck", std::future::pending::<Result<(), io::Error>>());
        shutdown.stop();
        assert!(matches!(shutdown.finished().await, Err(ShutdownError::Unfinished { tasks: 1, .. })));
    }

    #[tokio::test]
    async fn a_task_that_fails_or_panics_stops_the_process() {
        let shutdown = Shutdown::new(Duration::from_secs(5));
        shutdown.spawn("failing", async { Err(io::Error::other("broken")) });
        assert!(matches!(shutdown.finished().await, Err(ShutdownError::TaskFailed("failing"))));

        let shutdown = Shutdown::new(Duration::from_secs(5));
        shutdown.spawn("panicking", async {
            assert!(shutdown_is_well(), "broken");
            Ok::<_, io::Error>(())
        });
        assert!(matches!(shutdown.finished().await, Err(ShutdownError::TaskFailed("panicking"))));
    }

    fn shutdown_is_well() -> bool {
        false
    }
}
