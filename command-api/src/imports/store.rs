//! Where lists wait: `log.account_imports` and its chunks, sealed with a key of the process's own, gone when their job
//! has ended.

use crate::execute::{Actor, Context};
use chrono::{SubsecRound, Utc};
use events::{
    ids::{AccountId, AccountImportId, AuthSessionId, TenantId},
    log::{Keyring, bounded},
    personal::SealError,
};
use sqlx::PgPool;
use uuid::Uuid;

/// How long a job is a process's own after it last said so, in seconds.
const LEASE_SECONDS: f64 = 60.0;
/// Bytes of a chunk, but for the last.
pub(super) const CHUNK: usize = 256 * 1024;

/// A list that waits to be carried out, and in whose name.
#[derive(Debug, Clone)]
pub struct Job {
    /// The import.
    pub import_id: AccountImportId,
    tenant_id: TenantId,
    actor: Actor,
    actor_tenant_id: Option<TenantId>,
    correlation_id: Uuid,
    /// Names this hold on the job, so that a process that lost it cannot think that it has it.
    holder: Uuid,
}

impl Job {
    /// Who started it.
    pub(super) const fn starter(&self) -> Actor {
        self.actor
    }

    /// What the job's commands are surrounded by: its starter, now.
    pub(super) fn context(&self) -> Context {
        let now = Utc::now().trunc_subsecs(6);
        let (actor, actor_tenant_id) = (Some(self.actor), self.actor_tenant_id);
        Context { actor, actor_tenant_id, ..Context::of_the_system(self.tenant_id, now, self.correlation_id) }
    }

    /// The organisation that its starter is of.
    pub(super) fn starters_home(&self) -> TenantId {
        self.actor_tenant_id.unwrap_or(self.tenant_id)
    }
}

/// Why a list cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL said no, or nothing.
    #[error("the log database failed")]
    Database(#[from] sqlx::Error),
    /// The list cannot be sealed or opened.
    #[error("a list cannot be sealed or opened")]
    Seal(#[from] SealError),
    /// Another process has the job now.
    #[error("the job is another process's now")]
    Lost,
}

impl StoreError {
    /// Whether trying again later may help.
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Seal(_))
    }
}

/// Keeps lists; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    keyring: Keyring,
}

/// A list on its way in.
pub struct Upload<'a> {
    store: &'a Store,
    job: Job,
    waiting: Vec<u8>,
    number: i32,
}

impl Store {
    pub(super) const fn new(pool: PgPool, keyring: Keyring) -> Self {
        Self { pool, keyring }
    }

    /// Begins to take a list in, for whoever asks in `context`.
    pub async fn upload(
        &self,
        import_id: AccountImportId,
        context: &Context,
        actor: Actor,
    ) -> Result<Upload<'_>, StoreError> {
        let (tenant_id, correlation_id, holder) = (context.tenant_id, context.correlation_id, Uuid::now_v7());
        let written = sqlx::query!(
            "insert into log.account_imports
                 (import_id, tenant_id, actor_id, actor_role, actor_tenant_id, session_id, correlation_id, holder,
                  lease_until)
             values ($1, $2, $3, $4, $9, $5, $6, $7, now() + make_interval(secs => $8))",
            import_id.as_uuid(),
            tenant_id.as_uuid(),
            actor.account_id.as_uuid(),
            actor.role.as_str(),
            actor.session_id.as_uuid(),
            correlation_id,
            holder,
            LEASE_SECONDS,
            context.actor_tenant_id.map(TenantId::as_uuid),
        )
        .execute(&self.pool);
        bounded(written).await?;
        let actor_tenant_id = context.actor_tenant_id;
        let job = Job { import_id, tenant_id, actor, actor_tenant_id, correlation_id, holder };
        Ok(Upload { store: self, job, waiting: Vec::new(), number: 0 })
    }

    /// Takes a job that nobody has, the oldest first.
    pub(super) async fn take(&self) -> Result<Option<Job>, StoreError> {
        let holder = Uuid::now_v7();
        let row = sqlx::query!(
            "update log.account_imports
             set holder = $1,
                 lease_until = now() + make_interval(secs => $2)
             where import_id = (
                 select import_id
                 from log.account_imports
                 where lease_until <= now()
                 order by import_id
                 limit 1
                 for update skip locked)
             returning import_id, tenant_id, actor_id, actor_role, actor_tenant_id, session_id, correlation_id",
            holder,
            LEASE_SECONDS,
        )
        .fetch_optional(&self.pool);
        let row = bounded(row).await?;
        let Some(row) = row else { return Ok(None) };
        let role = row.actor_role.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let actor =
            Actor { account_id: AccountId::new(row.actor_id), role, session_id: AuthSessionId::new(row.session_id) };
        Ok(Some(Job {
            import_id: AccountImportId::new(row.import_id),
            tenant_id: TenantId::new(row.tenant_id),
            actor,
            actor_tenant_id: row.actor_tenant_id.map(TenantId::new),
            correlation_id: row.correlation_id,
            holder,
        }))
    }

    /// Says that the job is still being carried out.
    pub(super) async fn renew(&self, job: &Job) -> Result<(), StoreError> {
        self.hold(job, LEASE_SECONDS).await
    }

    /// Leaves the job to whoever takes it next.
    pub(super) async fn release(&self, job: &Job) -> Result<(), StoreError> {
        self.hold(job, 0.0).await
    }

    async fn hold(&self, job: &Job, seconds: f64) -> Result<(), StoreError> {
        let held = sqlx::query!(
            "update log.account_imports
             set lease_until = now() + make_interval(secs => $3)
             where import_id = $1
               and holder = $2",
            job.import_id.as_uuid(),
            job.holder,
            seconds,
        )
        .execute(&self.pool);
        let held = bounded(held).await?;
        if held.rows_affected() == 0 { Err(StoreError::Lost) } else { Ok(()) }
    }

    /// Forgets the list.
    pub async fn clear(&self, job: &Job) -> Result<(), StoreError> {
        let written = sqlx::query!(
            "delete from log.account_imports where import_id = $1 and holder = $2",
            job.import_id.as_uuid(),
            job.holder
        )
        .execute(&self.pool);
        bounded(written).await?;
        Ok(())
    }

    /// One chunk of the list; `None` behind the last.
    pub(super) async fn chunk(&self, job: &Job, number: i32) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = sqlx::query_scalar!(
            "select content from log.account_import_chunks where import_id = $1 and number = $2",
            job.import_id.as_uuid(),
            number,
        )
        .fetch_optional(&self.pool);
        let sealed = bounded(sealed).await?;
        Ok(sealed.map(|sealed| self.keyring.open_file(job.import_id.as_uuid(), &sealed)).transpose()?)
    }
}

impl Upload<'_> {
    /// The job that the list will be of.
    pub const fn job(&self) -> &Job {
        &self.job
    }

    /// Takes some more of the list in.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= CHUNK {
            let rest = self.waiting.split_off(CHUNK);
            let chunk = std::mem::replace(&mut self.waiting, rest);
            self.store_chunk(&chunk).await?;
        }
        Ok(())
    }

    /// Takes the rest in; the list is whole.
    pub async fn finish(mut self) -> Result<Job, StoreError> {
        let rest = std::mem::take(&mut self.waiting);
        if !rest.is_empty() {
            self.store_chunk(&rest).await?;
        }
        self.store.renew(&self.job).await?;
        Ok(self.job)
    }

    async fn store_chunk(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let sealed = self.store.keyring.seal_file(self.job.import_id.as_uuid(), chunk)?;
        let written = sqlx::query!(
            "insert into log.account_import_chunks (import_id, number, content) values ($1, $2, $3)",
            self.job.import_id.as_uuid(),
            self.number,
            sealed,
        )
        .execute(&self.store.pool);
        bounded(written).await?;
        self.number += 1;
        Ok(())
    }
}
