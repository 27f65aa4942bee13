//! Rebuilding views from the log, beside the live ones: fresh tables are filled, caught up, compared with the live ones
//! at the same position, and swapped in. The live views are read, and brought on by a running projector, all the while.
//!
//! `shadow` is the schema that is filled, `replay` fills many at once, `compare` tells how live and fresh differ, `swap`
//! puts the fresh ones in. `guard` keeps two rebuilds of one view apart. A rebuild that is broken off leaves the live
//! views as they are; what it had built is removed by the next one, which begins anew.

mod compare;
mod guard;
mod replay;
mod report;
mod shadow;
mod swap;

pub use guard::released as release_abandoned;
pub use report::{Comparison, Outcome, Report, TableComparison, TableState};

use crate::{
    checkpoint,
    projections::{ApplyError, Projection},
    run::StepError,
};
use events::log::{LogError, LogReader};
use guard::Guard;
use shadow::Shadow;
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Why a rebuild did not come about. The live views are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another process rebuilds or verifies the same.
    #[error("{0} is being rebuilt or verified by another process: wait for it, or stop it")]
    Busy(String),
    /// A batch could not be applied, or the read database failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// Readers or open transactions did not let go of the live tables.
    #[error(
        "{projection} could not be swapped in within {seconds} s, because of open transactions ({holders}): end them, then rebuild again"
    )]
    Held {
        /// The projection.
        projection: &'static str,
        /// How long it was tried.
        seconds: u64,
        /// Who they are, as far as is known.
        holders: String,
    },
    /// A task of this process died.
    #[error("a task of the rebuild died")]
    Task(#[from] tokio::task::JoinError),
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        Self::Step(error.into())
    }
}

impl From<LogError> for RebuildError {
    fn from(error: LogError) -> Self {
        Self::Step(error.into())
    }
}

impl From<ApplyError> for RebuildError {
    fn from(error: ApplyError) -> Self {
        Self::Step(error.into())
    }
}

/// What is to become of the fresh tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are compared, and take the place of the live ones.
    Swap,
    /// They are compared, and dropped.
    Verify,
}

/// How far a rebuild is, for whoever shows it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    position: AtomicI64,
    end: AtomicI64,
    stage: std::sync::Mutex<String>,
}

impl Progress {
    /// The position that was replayed by all views, and the one where the replay ends.
    pub fn positions(&self) -> (i64, i64) {
        (self.0.position.load(Relaxed), self.0.end.load(Relaxed))
    }

    /// What is being done, in words.
    pub fn stage(&self) -> String {
        self.0.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn ends_at(&self, end: i64) {
        self.0.end.store(end, Relaxed);
    }

    fn reached(&self, position: i64) {
        self.0.position.store(position, Relaxed);
    }

    fn say(&self, stage: impl Into<String>) {
        *self.0.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = stage.into();
    }
}

/// What a rebuild works with.
#[derive(Clone)]
pub struct Rebuilder {
    /// The views; as many connections as projections are rebuilt at once, and four more.
    pub read: PgPool,
    /// How the connection that holds the locks is made.
    pub lock: PgConnectOptions,
    /// The events.
    pub log: LogReader,
    /// Who asks for progress.
    pub progress: Progress,
}

impl Rebuilder {
    /// Rebuilds these projections together: each event is read and decoded once for all of them.
    pub async fn run(&self, projections: &[Projection], purpose: Purpose) -> Result<Report, RebuildError> {
        let guard = Guard::take(&self.lock, projections).await?;
        if purpose == Purpose::Swap {
            guard::say_rebuilding(&self.read, projections).await?;
        }
        let done = self.attempt(projections, purpose).await;
        self.clean_up(projections).await;
        guard.release().await;
        done
    }

    /// What remains is of no use any more; where it cannot be removed, the next rebuild does.
    pub(crate) async fn clean_up(&self, projections: &[Projection]) {
        for projection in projections {
            if let Err(error) = shadow::remove(&self.read, projection.name).await {
                tracing::debug!(error = ops::config::chain(&error), "the rebuilt tables are left behind");
            }
        }
        if let Err(error) = guard::say_running(&self.read, projections).await {
            tracing::debug!(error = ops::config::chain(&error), "the projections still say that they are rebuilt");
        }
    }

    async fn attempt(&self, projections: &[Projection], purpose: Purpose) -> Result<Report, RebuildError> {
        self.progress.say("preparing");
        let mut shadows = Vec::new();
        for projection in projections {
            let live = checkpoint::find_position(&self.read, projection.name).await?;
            // A view that is empty still is built to the end of the log; there is nothing to compare it with.
            let until = if live == 0 && purpose == Purpose::Swap { self.log.head().await? } else { live };
            shadows.push(Shadow::begin(&self.read, *projection, until).await?);
        }
        self.progress.say("replaying");
        let started = Instant::now();
        let events = replay::replay(&self.log, &mut shadows, &self.progress).await?;
        let replayed = started.elapsed();

        let started = Instant::now();
        self.progress.say("indexing");
        for doubled in shadow::finish(&mut shadows).await?.into_keys() {
            self.rebuild_with_keys(&mut shadows[doubled]).await?;
        }
        let indexed = started.elapsed();

        let mut outcomes = Vec::new();
        for shadow in &mut shadows {
            outcomes.push(self.settle(shadow, purpose).await?);
        }
        Ok(Report::new(outcomes, events, replayed, indexed))
    }

    /// Some events make the same row twice: with its keys there from the beginning, the tables refuse the second, and
    /// its stream is parked.
    async fn rebuild_with_keys(&self, shadow: &mut Shadow) -> Result<(), RebuildError> {
        let projection = Projection { appended: &[], ..*shadow.projection() };
        *shadow = Shadow::begin(&self.read, projection, shadow.until()).await?;
        replay::replay(&self.log, std::slice::from_mut(shadow), &self.progress).await?;
        let mut doubled = shadow::finish(std::slice::from_mut(shadow)).await?;
        doubled.pop_first().map_or(Ok(()), |(_, error)| Err(error.into()))
    }

    /// Catches up with the live view, compares, and swaps where asked to.
    async fn settle(&self, shadow: &mut Shadow, purpose: Purpose) -> Result<Outcome, RebuildError> {
        let name = shadow.projection().name;
        let started = Instant::now();
        self.progress.say(format!("comparing {name}"));
        let comparison = compare::with_live(self, shadow).await?;
        let compared = started.elapsed();
        let swapped_in = if purpose == Purpose::Swap {
            self.progress.say(format!("swapping {name}"));
            let started = Instant::now();
            swap::swap(self, shadow).await?;
            Some(started.elapsed())
        } else {
            None
        };
        Ok(Outcome::new(name, shadow.position(), comparison, compared, swapped_in))
    }

    /// Brings the fresh tables as far as the live ones are, without stopping those.
    async fn catch_up(&self, shadow: &mut Shadow) -> Result<(), RebuildError> {
        let live = checkpoint::find_position(&self.read, shadow.projection().name).await?;
        self.bring_to(shadow, live).await
    }

    async fn bring_to(&self, shadow: &mut Shadow, position: i64) -> Result<(), RebuildError> {
        if position > shadow.position() {
            shadow.aim_at(position);
            replay::replay(&self.log, std::slice::from_mut(shadow), &self.progress).await?;
        }
        Ok(())
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
