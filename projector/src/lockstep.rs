//! Projections that keep up with the log are applied together: one batch, one transaction, one connection, however many
//! they are. Each still has its own checkpoint, which commits with its rows, and its own failures: whichever cannot go
//! along is let go of, is applied alone by its [`Runner`], and holds up nobody.

use crate::{
    checkpoint::{self, Checkpoint},
    entry::Entry,
    feed::Feed,
    parked::Parked,
    run::{Manner, Runner, StepError, apply_entries},
};
use ops::database::{Kept, bounded};
use sqlx::{Acquire, PgPool, Postgres, Transaction};
use std::{collections::BTreeSet, sync::Arc, time::Instant};

/// Applies many projections at once.
#[derive(Debug)]
pub struct Lockstep {
    runners: Vec<Runner>,
    feed: Feed,
    batch_size: usize,
    connection: Kept,
}

/// What one step did.
#[derive(Debug)]
pub enum Together {
    /// A batch was applied, to all.
    Applied {
        /// Where all checkpoints are now, at least.
        position: i64,
        /// How many events the batch held.
        events: usize,
    },
    /// There is nothing behind the checkpoints.
    Idle {
        /// Where they are.
        position: i64,
    },
    /// These cannot go along, and are in lockstep no more. Nothing was applied; the others may step on.
    Without(Vec<Runner>),
}

/// What became of a batch.
enum Attempt {
    Applied,
    Unfit(BTreeSet<&'static str>),
}

impl Lockstep {
    /// Nobody yet, on the read database, fed by `feed`, at most `batch_size` events a step.
    pub fn new(read: PgPool, feed: Feed, batch_size: usize) -> Self {
        Self { runners: Vec::new(), feed, batch_size, connection: Kept::new(read) }
    }

    /// From the next step on this projection is applied with the others. One that is further behind than a batch is let
    /// go of again.
    pub fn admit(&mut self, runner: Runner) {
        self.runners.push(runner);
    }

    /// Whether nobody is in lockstep.
    pub const fn is_empty(&self) -> bool {
        self.runners.is_empty()
    }

    /// Who is.
    pub(crate) fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.runners.iter().map(Runner::name).collect()
    }

    /// Lets go of some.
    pub(crate) fn release(&mut self, whom: impl Fn(&'static str) -> bool) -> Vec<Runner> {
        let released = self.runners.extract_if(.., |runner| whom(runner.name())).collect();
        if self.runners.is_empty() {
            self.connection.release();
        }
        released
    }

    /// Applies the next batch to all, if there is one. On an error nothing is known to be written, and the same step may
    /// be tried again.
    pub async fn step(&mut self) -> Result<Together, StepError> {
        for runner in &mut self.runners {
            runner.find_position().await?;
        }
        let positions = || self.runners.iter().filter_map(Runner::position);
        let (Some(position), Some(foremost)) = (positions().min(), positions().max()) else {
            return Ok(Together::Without(Vec::new()));
        };
        // The others would wait for it.
        let reach = i64::try_from(self.batch_size).unwrap_or(i64::MAX);
        if foremost - position > reach {
            let behind = |runner: &Runner| runner.position().is_none_or(|position| foremost - position > reach);
            let names: BTreeSet<_> = self.runners.iter().filter(|one| behind(one)).map(Runner::name).collect();
            return Ok(Together::Without(self.release(|name| names.contains(name))));
        }
        let batch = self.feed.after(position, self.batch_size).await?;
        let Some(last) = batch.last() else { return Ok(Together::Idle { position }) };

        let started = Instant::now();
        match self.attempt(&batch).await {
            Ok(Attempt::Applied) => {
                for runner in &mut self.runners {
                    let known = batch.partition_point(|entry| Some(entry.position()) <= runner.position());
                    if known < batch.len() {
                        runner.stepped(last.position(), batch.len() - known, started.elapsed());
                    }
                }
                Ok(Together::Applied { position: last.position(), events: batch.len() })
            }
            Ok(Attempt::Unfit(names)) => Ok(Together::Without(self.release(|name| names.contains(name)))),
            Err(error) => {
                // A commit whose answer was lost may have happened: only the checkpoints' rows know.
                self.runners.iter_mut().for_each(Runner::forget_position);
                Err(error)
            }
        }
    }

    /// The connection stays with this where all went well; else the pool finds out what is left of it.
    async fn attempt(&mut self, batch: &[Arc<Entry>]) -> Result<Attempt, StepError> {
        let mut connection = self.connection.take().await?;
        let mut transaction = bounded(connection.begin()).await?;
        let attempt = self.apply(&mut transaction, batch).await?;
        match attempt {
            Attempt::Applied => transaction.commit().await?,
            Attempt::Unfit(_) => transaction.rollback().await?,
        }
        self.connection.keep(connection);
        Ok(attempt)
    }

    async fn apply(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        batch: &[Arc<Entry>],
    ) -> Result<Attempt, StepError> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(Attempt::Applied) };
        let names = self.names();
        let checkpoints = checkpoint::lock_free(transaction, &names).await?;
        let aside = checkpoint::find_aside(transaction, &names).await?;
        let is_fit = |checkpoint: &Checkpoint| !checkpoint.is_paused() && checkpoint.position + 1 >= first.position();
        let unfit = names.iter().copied().filter(|name| !checkpoints.get(*name).is_some_and(is_fit));
        let unfit: BTreeSet<_> = unfit.collect();
        if !unfit.is_empty() {
            return Ok(Attempt::Unfit(unfit));
        }
        for runner in &self.runners {
            let (name, checkpoint) = (runner.name(), &checkpoints[runner.name()]);
            let known = batch.partition_point(|entry| entry.position() <= checkpoint.position);
            let mut parked = if aside.contains(name) {
                Parked::load(transaction, name, checkpoint.position).await?
            } else {
                Parked::none(name)
            };
            let applied =
                apply_entries(transaction, runner.projection(), &batch[known..], &mut parked, Manner::Together).await;
            match applied {
                Ok(()) => {}
                Err(error) if error.is_of_the_connection() => return Err(error.into()),
                Err(error) => {
                    let error = ops::config::chain(&error);
                    tracing::info!(projection = name, error, "it cannot be applied with the others, and goes alone");
                    return Ok(Attempt::Unfit(BTreeSet::from([name])));
                }
            }
        }
        checkpoint::advance(transaction, &names, last.position(), last.recorded().recorded_at).await?;
        Ok(Attempt::Applied)
    }
}
