//! Imports of accounts, carried out: lists wait sealed in the log database (`store`), are read row by row (`reader`),
//! and each row becomes an account by the same command as any other (`rows`).
//!
//! A job belongs to whichever process holds its lease. One that stops or dies leaves it to another, or to its own next
//! start, which goes on behind the rows that are recorded; a row that was carried out and not yet recorded is known
//! again by its account's id, which follows from the job and the line.

mod reader;
mod rows;
mod store;

pub use reader::{Layout, read_header};
pub use store::{Job, Store, StoreError, Upload};

use crate::{
    domain::account_import::{self, Command},
    execute::{Context, Executor, Reply},
};
use events::{
    Role,
    account::Account,
    account_import::{AccountImport, ImportFailure},
    log::Keyring,
};
use ops::problem::Problem;
use reader::{ReadError, Rows};
use rows::{Carrier, Done};
use sqlx::PgPool;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often a process looks for a list whose own process is gone.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What handlers hand lists to. Clones share it.
#[derive(Clone)]
pub struct Imports {
    store: Store,
    executor: Executor,
    arrived: Arc<Notify>,
}

/// Why a job stands still for now. Another try may bring it on.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error("the job's list cannot be reached")]
    Store(#[from] StoreError),
    #[error("a command failed: {}", .0.slug())]
    Command(Problem),
    #[error("the list's reader ended early")]
    Reader,
}

impl Imports {
    /// Imports over the log database.
    pub fn new(pool: PgPool, keyring: Keyring, executor: Executor) -> Self {
        Self { store: Store::new(pool, keyring), executor, arrived: Arc::default() }
    }

    /// Where lists wait.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Begins with a list that is whole and whose job is in the log.
    pub async fn begin(&self, job: &Job) -> Result<(), StoreError> {
        self.store.release(job).await?;
        self.arrived.notify_one();
        Ok(())
    }

    /// Carries lists out, one after the other, until the stop.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            match self.store.take().await {
                Ok(Some(job)) => self.carry(&job, &stop).await,
                Ok(None) => self.wait(&stop).await,
                Err(error) => {
                    ops::telemetry::error(&error, "waiting imports cannot be looked for");
                    self.wait(&stop).await;
                }
            }
        }
        Ok(())
    }

    async fn wait(&self, stop: &CancellationToken) {
        tokio::select! {
            () = self.arrived.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Brings one job to its end, or as far as it goes. What halts it halts it for the length of a lease.
    async fn carry(&self, job: &Job, stop: &CancellationToken) {
        let span = tracing::info_span!("import", import = %job.import_id);
        let carried = tracing::Instrument::instrument(self.try_carry(job, stop), span).await;
        match carried {
            Ok(()) => {}
            Err(Halt::Command(problem)) => {
                tracing::warn!(import = %job.import_id, problem = problem.slug(), "an import halts and is tried again");
            }
            Err(halt) => ops::telemetry::error(&halt, "an import halts and is tried again"),
        }
    }

    async fn try_carry(&self, job: &Job, stop: &CancellationToken) -> Result<(), Halt> {
        let state =
            self.executor.look::<AccountImport>(&job.context(), job.import_id).await.map_err(Halt::Command)?.state;
        if !state.is_running() {
            // Handed in and never begun, or ended and not yet cleared away.
            return Ok(self.store.clear(job).await?);
        }
        tracing::info!(rows = state.rows(), dry_run = state.dry_run, "an import begins or goes on");
        let mut rows = Rows::begin(self.store.clone(), job.clone());
        let mut carrier = Carrier::new(self.executor.clone(), job.clone(), state.dry_run);
        let mut known = state.rows();
        loop {
            let batch = match rows.next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(ReadError::Halted) => return Err(Halt::Reader),
                Err(ReadError::Store(error)) if error.is_transient() => return Err(error.into()),
                Err(error) => {
                    ops::telemetry::error(&error, "the list of an import cannot be read");
                    self.command(job, Command::Fail { reason: ImportFailure::ListLost }).await?;
                    return Ok(self.store.clear(job).await?);
                }
            };
            if stop.is_cancelled() {
                return Ok(self.store.release(job).await?);
            }
            if !self.may_go_on(job).await? {
                self.command(job, Command::Fail { reason: ImportFailure::StarterLost }).await?;
                return Ok(self.store.clear(job).await?);
            }
            let skipped = usize::try_from(known).unwrap_or(usize::MAX).min(batch.len());
            known -= u64::try_from(skipped).unwrap_or_default();
            let Done { accepted, refused, errors } = carrier.carry(batch, skipped).await.map_err(Halt::Command)?;
            if accepted + refused > 0 {
                self.command(job, Command::Progress { accepted, refused, errors }).await?;
            }
            self.store.renew(job).await?;
        }
        self.command(job, Command::Finish).await?;
        tracing::info!("an import is done");
        Ok(self.store.clear(job).await?)
    }

    /// Whether the job's starter still has the role in whose right the accounts are made.
    async fn may_go_on(&self, job: &Job) -> Result<bool, Halt> {
        let starter = job.starter();
        if starter.role == Role::Operator {
            return Ok(true);
        }
        let at_home = Context { tenant_id: job.starters_home(), ..job.context() };
        let account = self.executor.look::<Account>(&at_home, starter.account_id).await.map_err(Halt::Command)?;
        let role = account.state.profile.as_ref().map(|profile| profile.role);
        Ok(account.state.is_active && role == Some(starter.role))
    }

    async fn command(&self, job: &Job, command: Command) -> Result<(), Halt> {
        let (context, id, command) = (job.context(), job.import_id, &command);
        let context = &context;
        self.executor
            .execute(context, "account_import.go_on", |work| {
                Box::pin(async move {
                    let loaded = work.load::<AccountImport>(id).await?;
                    let events = account_import::decide(&loaded.state, context, command.clone())?;
                    work.append::<AccountImport>(id, events);
                    Ok(Reply::ok(id))
                })
            })
            .await
            .map(drop)
            .map_err(Halt::Command)
    }
}
