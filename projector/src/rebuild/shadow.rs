//! The fresh tables of one view: a schema of its own with a checkpoint of its own, filled batch by batch. The view's own
//! statements fill it, since they name tables without a schema.

use super::RebuildError;
use crate::{
    entry::Entry,
    parked::Parked,
    projections::{ApplyError, Projection},
    run::{Manner, StepError, apply_entries},
};
use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

/// Events that are applied together where a larger batch failed for one event's fault.
const CAREFUL: usize = 200;
/// Indexes that are built at once.
const AT_ONCE: usize = 2;

/// The fresh tables of one view.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    projection: Projection,
    read: PgPool,
    position: i64,
    until: i64,
    /// Whether the tables are what the live ones are.
    is_finished: bool,
}

/// A place in the log, and when its event was recorded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) position: i64,
    pub(super) recorded_at: Option<DateTime<Utc>>,
}

impl Mark {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { position: entry.position(), recorded_at: Some(entry.recorded().recorded_at) }
    }
}

impl Shadow {
    /// Empty tables, to be filled up to a position. What an earlier rebuild has left is removed.
    pub(super) async fn begin(read: &PgPool, projection: Projection, until: i64) -> Result<Self, RebuildError> {
        let shadow = Self { projection, read: read.clone(), position: 0, until, is_finished: false };
        let mut transaction = read.begin().await?;
        sqlx::query!(
            "call read.begin_rebuild($1, $2, $3)",
            projection.name,
            projection.tables as _,
            projection.appended as _
        )
        .execute(&mut *transaction)
        .await?;
        shadow.enter(&mut transaction).await?;
        sqlx::query!("insert into projections (name) values ($1)", projection.name).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(shadow)
    }

    pub(super) const fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The position that the tables reflect.
    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    /// The position that they are to reflect.
    pub(super) const fn until(&self) -> i64 {
        self.until
    }

    pub(super) const fn moved_to(&mut self, position: i64) {
        self.position = position;
    }

    pub(super) const fn aim_at(&mut self, until: i64) {
        self.until = until;
    }

    /// The name of the schema.
    pub(super) fn schema(&self) -> String {
        schema(self.projection.name)
    }

    /// Applies entries that the view looks at, all that there are up to the mark.
    pub(super) async fn apply(&mut self, entries: &[Arc<Entry>], through: Mark) -> Result<(), RebuildError> {
        match self.attempt(entries, through, self.manner()).await {
            Err(StepError::Apply(error)) if error.is_of_the_data() => self.apply_carefully(entries, through).await?,
            applied => applied?,
        }
        self.position = through.position;
        Ok(())
    }

    /// Before they are finished the tables have no row-level security.
    const fn manner(&self) -> Manner {
        if self.is_finished { Manner::Together } else { Manner::InBulk }
    }

    /// One bad event is parked; its batch would have to be applied one by one, so the batches are small.
    async fn apply_carefully(&self, entries: &[Arc<Entry>], through: Mark) -> Result<(), StepError> {
        for some in entries.chunks(CAREFUL) {
            let mark = some.last().map_or(through, |last| Mark::of(last));
            match self.attempt(some, mark, Manner::Together).await {
                Err(StepError::Apply(error)) if error.is_of_the_data() => {
                    self.attempt(some, mark, Manner::OneByOne).await?;
                }
                applied => applied?,
            }
        }
        self.attempt(&[], through, Manner::Together).await
    }

    async fn attempt(&self, entries: &[Arc<Entry>], through: Mark, manner: Manner) -> Result<(), StepError> {
        let mut transaction = self.read.begin().await?;
        self.enter(&mut transaction).await?;
        let mut parked = Parked::load(&mut transaction, self.projection.name, self.position).await?;
        apply_entries(&mut transaction, &self.projection, entries, &mut parked, manner).await?;
        sqlx::query!(
            "update projections
             set position = $1,
                 event_recorded_at = coalesce($2, event_recorded_at)",
            through.position,
            through.recorded_at,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Tables are found in this schema, and bookkeeping too. Nobody reads them yet, so no commit waits for the disk; and a
    /// large batch is held in memory, not in a temporary file.
    async fn enter(&self, transaction: &mut Transaction<'static, Postgres>) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "select set_config('search_path', $1, true) as search_path,
                    set_config('synchronous_commit', 'off', true) as synchronous_commit,
                    set_config('work_mem', '64MB', true) as work_mem,
                    set_config('plan_cache_mode', 'force_generic_plan', true) as plan_cache_mode,
                    set_config('enable_seqscan', 'off', true) as enable_seqscan",
            self.schema(),
        )
        .fetch_one(&mut **transaction)
        .await?;
        Ok(())
    }

    /// The indexes that the tables lack, and how large the live ones are, in bytes.
    async fn find_missing_indexes(&self) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let missing = sqlx::query!(
            r#"select index.relname::text as "name!", pg_relation_size(index.oid) as "bytes!"
               from pg_index
               join pg_class index on index.oid = indexrelid
               where indrelid in (select format('read.%I', name)::regclass from unnest($2::text[]) name)
                 and to_regclass(format('%I.%I', $1::text, index.relname)) is null"#,
            self.schema(),
            self.projection.tables as _,
        );
        let missing = missing.fetch_all(&self.read).await?;
        Ok(missing.into_iter().map(|index| (index.name, index.bytes)).collect())
    }

    async fn build_index(&self, index: &str) -> Result<(), sqlx::Error> {
        sqlx::query!("call read.build_index($1, $2)", self.projection.name, index).execute(&self.read).await?;
        Ok(())
    }

    /// Makes the filled tables, which have all their indexes, what the live ones are.
    async fn finish(&self) -> Result<(), sqlx::Error> {
        sqlx::query!("call read.finish_rebuild($1, $2)", self.projection.name, self.projection.tables as _)
            .execute(&self.read)
            .await?;
        Ok(())
    }

    /// Puts what stands aside and the checkpoint into the place of the live ones, in a transaction that holds the live
    /// checkpoint, and the tables too. Everything there is of this schema goes.
    pub(super) async fn replace_live(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (name, schema) = (self.projection.name, self.schema());
        for table in ["parked_streams", "parked_events"] {
            let delete = format!("delete from read.{table} where projection = $1");
            sqlx::query(sqlx::AssertSqlSafe(delete)).bind(name).execute(&mut *connection).await?;
            let insert = format!("insert into read.{table} select * from {schema}.{table}");
            sqlx::query(sqlx::AssertSqlSafe(insert)).execute(&mut *connection).await?;
        }
        let update = format!(
            "update read.projections live
             set position = fresh.position,
                 event_recorded_at = fresh.event_recorded_at,
                 updated_at = now()
             from {schema}.projections fresh
             where live.name = fresh.name"
        );
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(&mut *connection).await?;
        sqlx::query!("call read.swap_rebuild($1, $2)", name, self.projection.tables as _)
            .execute(&mut *connection)
            .await?;
        sqlx::query!("call read.end_rebuild($1)", name).execute(connection).await?;
        Ok(())
    }
}

fn schema(projection: &str) -> String {
    format!("rebuild_{projection}")
}

/// Makes the filled tables what the live ones are, two indexes at a time: sorting for one keeps a core busy. The answer
/// are those whose rows are not as their keys demand, by their number.
pub(super) async fn finish(shadows: &mut [Shadow]) -> Result<BTreeMap<usize, ApplyError>, RebuildError> {
    let mut missing = Vec::new();
    for (number, shadow) in shadows.iter().enumerate() {
        let indexes = shadow.find_missing_indexes().await?;
        missing.extend(indexes.into_iter().map(|(index, bytes)| (bytes, number, index)));
    }
    // What takes longest begins first.
    missing.sort_by_key(|(bytes, ..)| Reverse(*bytes));
    let build = |(_, number, index): (i64, usize, String)| {
        let shadow = shadows[number].clone();
        async move {
            match shadow.build_index(&index).await.map_err(ApplyError::from) {
                Err(error) if error.is_of_the_data() => Ok(Some((number, error))),
                built => Ok(built.map(|()| None)?),
            }
        }
        .boxed()
    };
    let builds = missing.into_iter().map(build).collect();
    let doubled: BTreeMap<_, _> = a_few_at_once(builds).await?.into_iter().flatten().collect();
    let sound = shadows.iter_mut().enumerate().filter(|(number, _)| !doubled.contains_key(number));
    let finish = |(_, shadow): (usize, &mut Shadow)| {
        shadow.is_finished = true;
        let shadow = shadow.clone();
        async move { Ok(shadow.finish().await?) }.boxed()
    };
    let finishes = sound.map(finish).collect();
    a_few_at_once(finishes).await?;
    Ok(doubled)
}

/// A part of the work, which its connection does.
type Job<T> = BoxFuture<'static, Result<T, RebuildError>>;

/// Waits for all of them, of which so many are under way as keep the processors busy; or until one fails, with which the
/// others are given up.
async fn a_few_at_once<T: Send + 'static>(jobs: Vec<Job<T>>) -> Result<Vec<T>, RebuildError> {
    let mut jobs = jobs.into_iter();
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    loop {
        for job in jobs.by_ref().take(AT_ONCE - running.len()) {
            running.spawn(job);
        }
        match running.join_next().await {
            Some(finished) => done.push(finished??),
            None => return Ok(done),
        }
    }
}

/// Removes what is left of a rebuild.
pub(super) async fn remove(read: &PgPool, projection: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("call read.end_rebuild($1)", projection).execute(read).await?;
    Ok(())
}
