//! Puts fresh tables into the place of the live ones, together with their checkpoint, in one transaction.
//!
//! Readers look through snapshots that may be older than the fresh rows, while table names always lead to the newest
//! tables: such a reader would find a table with rows missing. So the swap waits, with the live view standing still,
//! until every snapshot from before the last fresh row is gone; all others see both, and both are the same position.
//! Whoever holds a table is waited for in short attempts, so that readers do not queue up behind the swap.

use super::{RebuildError, Rebuilder, shadow::Shadow};
use crate::checkpoint;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the live view may stand still while old snapshots go.
const STANDSTILL: Duration = Duration::from_secs(2);
/// How often it is looked whether they are gone.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The wait between two attempts.
const BETWEEN: Duration = Duration::from_millis(250);
/// The longest that is tried.
const BOUND: Duration = Duration::from_mins(5);
/// The longest wait for one table. Shorter than `deadlock_timeout` (1 s), so that of a reader and a swap that wait for
/// each other it is never the reader that fails.
const LOCK_TIMEOUT: &str = "100ms";

/// Why an attempt came to nothing.
enum Attempt {
    Done,
    /// These hold snapshots that are too old, or one of the tables.
    Held(String),
}

/// Tries until it is done, or the bound is reached.
pub(super) async fn swap(rebuilder: &Rebuilder, shadow: &mut Shadow) -> Result<(), RebuildError> {
    let started = Instant::now();
    loop {
        rebuilder.catch_up(shadow).await?;
        match attempt(rebuilder, shadow).await? {
            Attempt::Done => return Ok(()),
            Attempt::Held(holders) if started.elapsed() > BOUND => {
                let projection = shadow.projection().name;
                return Err(RebuildError::Held { projection, seconds: BOUND.as_secs(), holders });
            }
            Attempt::Held(_) => sleep(BETWEEN).await,
        }
    }
}

async fn attempt(rebuilder: &Rebuilder, shadow: &mut Shadow) -> Result<Attempt, RebuildError> {
    let mut transaction = rebuilder.read.begin().await?;
    let live = checkpoint::lock(&mut transaction, shadow.projection().name).await?;
    rebuilder.bring_to(shadow, live.position).await?;
    let old = snapshots(&rebuilder.read, None).await?;
    let started = Instant::now();
    loop {
        let left = snapshots(&rebuilder.read, Some(&old)).await?;
        if left.is_empty() {
            break;
        }
        if started.elapsed() > STANDSTILL {
            transaction.rollback().await?;
            return Ok(Attempt::Held(left.join(", ")));
        }
        sleep(LOOK_AGAIN).await;
    }
    sqlx::query!("select set_config('lock_timeout', $1, true) as bound", LOCK_TIMEOUT)
        .fetch_one(&mut *transaction)
        .await?;
    match shadow.replace_live(&mut transaction).await {
        Ok(()) => {
            transaction.commit().await?;
            Ok(Attempt::Done)
        }
        // 55P03: lock_not_available.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "55P03") => {
            transaction.rollback().await?;
            Ok(Attempt::Held("readers of its tables".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The transactions that hold a snapshot, as `virtual id (who)`, all of them or those of a list that still do. A
/// transaction without one, however long it is open, takes a new one when it reads.
async fn snapshots(read: &PgPool, among: Option<&[String]>) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select who as "who!"
           from (
               select format('%s of process %s, %s', l.virtualtransaction, a.pid, a.application_name) as who
               from pg_locks l
               join pg_stat_activity a using (pid)
               where l.locktype = 'virtualxid'
                 and l.granted
                 and a.datname = current_database()
                 and a.backend_xmin is not null
                 and a.pid <> pg_backend_pid()
           ) as held
           where $1::text[] is null or who = any($1)"#,
        among as _,
    )
    .fetch_all(read)
    .await
}
