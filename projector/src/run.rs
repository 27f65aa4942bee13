//! One projection, one batch: `step` reads what comes after the checkpoint, applies it and moves the checkpoint, in one
//! transaction. So every event has its effect exactly once, whatever is delivered twice, too late or not at all, and
//! whoever else applies the same projection.
//!
//! When to take a step is `pace`'s affair; where batches come from is `feed`'s; what is parked, `parked`'s. `lockstep`
//! applies a batch to many projections at once.

use crate::{
    checkpoint,
    entry::{Batch, Entry},
    feed::Feed,
    metrics::ProjectionMetrics,
    parked::Parked,
    projections::{ApplyError, Projection},
};
use events::log::LogError;
use sqlx::{Acquire, PgConnection, PgPool};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch was applied.
    Applied {
        /// Where the checkpoint is now.
        position: i64,
        /// How many events the batch held, those that were parked included.
        events: usize,
    },
    /// All that the batch held was applied already.
    Known {
        /// Where the checkpoint is.
        position: i64,
    },
    /// There is nothing behind the checkpoint.
    Idle {
        /// Where it is.
        position: i64,
    },
    /// An operator has paused the projection.
    Paused,
}

/// Why a step failed. Nothing of it was written; the same step may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The read database said no, or nothing.
    #[error("the read database failed")]
    Read(#[from] sqlx::Error),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
    /// The view's own statements failed, and not for an event's fault.
    #[error("the batch could not be applied")]
    Apply(#[from] ApplyError),
    /// The read database has no checkpoint of this name: it was not migrated.
    #[error("the read database knows no projection {0}; migrate it")]
    UnknownProjection(&'static str),
}

/// Applies one projection.
#[derive(Debug)]
pub struct Runner {
    projection: Projection,
    read: PgPool,
    feed: Feed,
    batch_size: usize,
    /// Where the checkpoint was last seen: a guess at what to read next. The locked row decides.
    position: Option<i64>,
    metrics: ProjectionMetrics,
}

/// How the events of a batch are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// All at once, which is fast; one bad event fails the batch.
    Together,
    /// All at once, into tables that nobody reads yet.
    InBulk,
    /// Each alone, so that a bad one is found and parked.
    OneByOne,
}

impl Runner {
    /// A runner of the projection on the read database, fed by `feed`, at most `batch_size` events a step.
    pub fn new(projection: Projection, read: PgPool, feed: Feed, batch_size: usize) -> Self {
        let metrics = ProjectionMetrics::of(projection.name);
        Self { projection, read, feed, batch_size, position: None, metrics }
    }

    /// The projection's name.
    pub const fn name(&self) -> &'static str {
        self.projection.name
    }

    /// What is measured of the projection.
    pub(crate) const fn metrics(&self) -> &ProjectionMetrics {
        &self.metrics
    }

    /// Tells the feed that this process applies the projection no more.
    pub(crate) fn leave(&mut self) {
        self.forget_position();
        self.feed.forget(self.projection.name);
    }

    /// The projection.
    pub(crate) const fn projection(&self) -> &Projection {
        &self.projection
    }

    /// Where the checkpoint was last seen.
    pub(crate) const fn position(&self) -> Option<i64> {
        self.position
    }

    /// Where the checkpoint is to be thought to be.
    pub(crate) async fn find_position(&mut self) -> Result<i64, StepError> {
        if let Some(position) = self.position {
            return Ok(position);
        }
        let position = checkpoint::find_position(&self.read, self.projection.name).await?;
        self.moved_to(position);
        Ok(position)
    }

    /// The next step looks where the checkpoint is.
    pub(crate) const fn forget_position(&mut self) {
        self.position = None;
    }

    /// A batch was applied that ended at the position.
    pub(crate) fn stepped(&mut self, position: i64, events: usize, took: Duration) {
        self.metrics.applied(events, took);
        self.moved_to(position);
    }

    /// Applies the next batch, if there is one.
    pub async fn step(&mut self) -> Result<Step, StepError> {
        let position = self.find_position().await?;
        let batch = self.feed.after(position, self.batch_size).await?;
        if batch.is_empty() {
            return Ok(Step::Idle { position });
        }
        self.apply(batch).await
    }

    /// Applies a batch as it was delivered: events from before the checkpoint are dropped, and where some are missing
    /// the log gives them.
    pub async fn apply(&mut self, batch: Vec<Arc<Entry>>) -> Result<Step, StepError> {
        let started = Instant::now();
        let step = match self.attempt(&batch, Manner::Together).await {
            Err(StepError::Apply(error)) if error.is_of_the_data() => {
                tracing::warn!(
                    projection = self.projection.name,
                    error = ops::config::chain(&error),
                    "a batch failed for an event's fault; its events are applied one by one"
                );
                self.attempt(&batch, Manner::OneByOne).await
            }
            step => step,
        };
        match &step {
            Ok(Step::Applied { position, events }) => self.stepped(*position, *events, started.elapsed()),
            Ok(Step::Known { position } | Step::Idle { position }) => self.moved_to(*position),
            // A commit whose answer was lost may have happened: only the checkpoint's row knows.
            Ok(Step::Paused) | Err(_) => self.forget_position(),
        }
        step
    }

    fn moved_to(&mut self, position: i64) {
        self.position = Some(position);
        self.feed.reached(self.projection.name, position);
    }

    async fn attempt(&self, batch: &[Arc<Entry>], manner: Manner) -> Result<Step, StepError> {
        let mut transaction = self.read.begin().await?;
        let checkpoint = checkpoint::lock(&mut transaction, self.projection.name).await?;
        if checkpoint.is_paused() {
            return Ok(Step::Paused);
        }
        let batch = self.contiguous(batch, checkpoint.position).await?;
        let Some(last) = batch.last() else { return Ok(Step::Known { position: checkpoint.position }) };
        let aside = checkpoint::find_aside(&mut transaction, &[self.projection.name]).await?;
        let mut parked = if aside.contains(self.projection.name) {
            Parked::load(&mut transaction, self.projection.name, checkpoint.position).await?
        } else {
            Parked::none(self.projection.name)
        };
        apply_entries(&mut transaction, &self.projection, &batch, &mut parked, manner).await?;
        let position = last.position();
        checkpoint::advance(&mut transaction, &[self.projection.name], position, last.recorded().recorded_at).await?;
        transaction.commit().await?;
        Ok(Step::Applied { position, events: batch.len() })
    }

    /// What of the batch comes after the checkpoint, in order and without a gap.
    async fn contiguous(&self, batch: &[Arc<Entry>], checkpoint: i64) -> Result<Vec<Arc<Entry>>, StepError> {
        let mut batch: Vec<_> = batch.iter().filter(|entry| entry.position() > checkpoint).cloned().collect();
        batch.sort_by_key(|entry| entry.position());
        batch.dedup_by_key(|entry| entry.position());
        if batch.iter().zip(checkpoint + 1..).all(|(entry, expected)| entry.position() == expected) {
            return Ok(batch);
        }
        tracing::debug!(projection = self.projection.name, checkpoint, "a gap is filled from the log");
        Ok(self.feed.after(checkpoint, self.batch_size).await?)
    }
}

/// Applies entries that follow one another. What belongs to a parked stream is parked behind it.
pub(crate) async fn apply_entries(
    connection: &mut PgConnection,
    projection: &Projection,
    entries: &[Arc<Entry>],
    parked: &mut Parked,
    manner: Manner,
) -> Result<(), ApplyError> {
    let mut together = Vec::new();
    // A replay brings each view what it looks at, and nothing else.
    let is_wanted =
        |entry: &Entry| manner == Manner::InBulk || projection.streams.includes(&entry.recorded().stream.stream_type);
    for entry in entries.iter().filter(|entry| is_wanted(entry)) {
        if parked.skips(entry.recorded()) {
            continue;
        }
        if parked.holds(entry.recorded()) {
            parked.add(connection, entry.recorded()).await?;
            continue;
        }
        match &**entry {
            Entry::Unreadable { recorded, reason } if projection.needs_content => {
                parked.park(connection, recorded, reason).await?;
            }
            entry if manner != Manner::OneByOne => together.push(entry),
            entry => apply_alone(connection, projection, entry, parked).await?,
        }
    }
    if together.is_empty() {
        return Ok(());
    }
    let batch = if manner == Manner::InBulk { Batch::in_bulk(&together) } else { Batch::new(&together) };
    (projection.apply)(connection, batch).await
}

async fn apply_alone(
    connection: &mut PgConnection,
    projection: &Projection,
    entry: &Entry,
    parked: &mut Parked,
) -> Result<(), ApplyError> {
    let mut savepoint = connection.begin().await?;
    match (projection.apply)(&mut savepoint, Batch::new(&[entry])).await {
        Ok(()) => Ok(savepoint.commit().await?),
        Err(error) if error.is_of_the_data() => {
            savepoint.rollback().await?;
            parked.park(connection, entry.recorded(), &ops::config::chain(&error)).await?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}
