//! How far a projection has come, in `read.projections`. Its row is locked by whoever applies a batch, and commits with
//! the rows that the batch wrote.

use crate::run::StepError;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use std::collections::{HashMap, HashSet};

/// The schema whose tables readers see.
pub(crate) const SCHEMA: &str = "read";

/// A projection's row, locked until the transaction ends.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) position: i64,
    pub(crate) state: String,
}

impl Checkpoint {
    /// Whether batches may not be applied. While the projection is rebuilt they may: that happens beside it.
    pub(crate) fn is_paused(&self) -> bool {
        self.state == "paused"
    }
}

/// The position, without a lock.
pub(crate) async fn find_position(read: &PgPool, projection: &'static str) -> Result<i64, StepError> {
    sqlx::query_scalar!("select position from read.projections where name = $1", projection)
        .fetch_optional(read)
        .await?
        .ok_or(StepError::UnknownProjection(projection))
}

/// Locks the row, and makes the transaction one that applies: tables are found in the schema that readers see, and the
/// commit does not wait for the disk. What a crash of the database takes back with its last commits is rows and
/// checkpoint alike; the log has the events still. Each statement is planned once a connection, perhaps while the tables
/// are empty, and looks everything up by an index, whatever their size is later.
pub(crate) async fn lock(connection: &mut PgConnection, projection: &'static str) -> Result<Checkpoint, StepError> {
    let row = sqlx::query!(
        "select p.position, p.state,
                  set_config('search_path', $2, true) as search_path,
                  set_config('synchronous_commit', 'off', true) as synchronous_commit,
                  set_config('plan_cache_mode', 'force_generic_plan', true) as plan_cache_mode,
                  set_config('enable_seqscan', 'off', true) as enable_seqscan
           from read.projections p
           where name = $1
           for update of p",
        projection,
        SCHEMA,
    )
    .fetch_optional(connection)
    .await?
    .ok_or(StepError::UnknownProjection(projection))?;
    Ok(Checkpoint { position: row.position, state: row.state })
}

/// Locks the rows of many as [`lock`] does, but for those that somebody else has locked.
pub(crate) async fn lock_free(
    connection: &mut PgConnection,
    projections: &[&'static str],
) -> Result<HashMap<String, Checkpoint>, sqlx::Error> {
    let rows = sqlx::query!(
        "select p.name, p.position, p.state,
                  set_config('search_path', $2, true) as search_path,
                  set_config('synchronous_commit', 'off', true) as synchronous_commit,
                  set_config('plan_cache_mode', 'force_generic_plan', true) as plan_cache_mode,
                  set_config('enable_seqscan', 'off', true) as enable_seqscan
           from read.projections p
           where name = any($1)
           for update of p skip locked",
        projections as _,
        SCHEMA,
    )
    .fetch_all(connection)
    .await?;
    let checkpoints = rows.into_iter().map(|row| (row.name, Checkpoint { position: row.position, state: row.state }));
    Ok(checkpoints.collect())
}

/// Those of locked projections of which streams stand aside, or events that are to come are to be skipped. It is asked
/// after the lock was had: what whoever held it before has parked is seen then.
pub(crate) async fn find_aside(
    connection: &mut PgConnection,
    projections: &[&'static str],
) -> Result<HashSet<String>, sqlx::Error> {
    let names = sqlx::query_scalar!(
        "select p.name
         from read.projections p
         where name = any($1)
           and (exists (select from read.parked_streams where projection = p.name)
                or exists (select from read.skipped_events where projection = p.name and position > p.position))",
        projections as _,
    )
    .fetch_all(connection)
    .await?;
    Ok(names.into_iter().collect())
}

/// What query APIs listen to.
const CHANNEL: &str = "registrar_projections";

/// Moves the checkpoints of locked rows that are not there yet, and tells whoever listens, once it is committed.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    projections: &[&'static str],
    position: i64,
    recorded_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with moved as (
             update read.projections
             set position = $2,
                 event_recorded_at = $3,
                 updated_at = now()
             where name = any($1)
               and position < $2
             returning name
         )
         select pg_notify($4, $2::bigint || ' ' || string_agg(name, ',')) as notified
         from moved
         having count(*) > 0",
        projections as _,
        position,
        recorded_at,
        CHANNEL,
    )
    .execute(connection)
    .await?;
    Ok(())
}
