//! Tells this process which sessions have ended: what it and its fellows append stands in `log.ended_sessions` from the
//! commit on, and is looked at every [`INTERVAL`]. While the log cannot be read no command can be carried out either, so
//! nothing that is new is missed by anyone who could use it.

use chrono::{DateTime, Utc};
use events::log::bounded;
use ops::{database::Own, tokens::EndedSessions};
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often the log is asked.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait after a failure.
const BACK_OFF: Duration = Duration::from_millis(500);
/// Sessions read at a time.
const BATCH: i64 = 5_000;

/// Reads which sessions end, until the stop, on a connection of its own: a busy pool keeps no ended session alive.
pub async fn follow(
    options: PgConnectOptions,
    ended: EndedSessions,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut follower = Follower { own: Own::new(options), ended, known: 0, fails: false };
    while !stop.is_cancelled() {
        let Some(pause) = stop.run_until_cancelled(follower.advance()).await else { break };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

struct Follower {
    own: Own,
    ended: EndedSessions,
    /// The number of the last that was read.
    known: i64,
    fails: bool,
}

impl Follower {
    /// Takes in what is new; how long to wait before the next time.
    async fn advance(&mut self) -> Duration {
        match self.read().await {
            Ok(count) if count >= BATCH => Duration::ZERO,
            Ok(_) => {
                self.ended.heard(Utc::now(), true);
                self.fails = false;
                INTERVAL
            }
            Err(error) => {
                if !self.fails {
                    ops::telemetry::error(&error, "which sessions have ended cannot be read");
                    self.fails = true;
                }
                BACK_OFF
            }
        }
    }

    async fn read(&mut self) -> Result<i64, sqlx::Error> {
        let mut connection = self.own.take().await?;
        let asked = sqlx::query!(
            "select number, session_id, ended_at
             from log.ended_sessions
             where number > $1
             order by number
             limit $2",
            self.known,
            BATCH,
        )
        .fetch_all(&mut connection);
        let rows = bounded(asked).await?;
        self.own.keep(connection);
        for row in &rows {
            self.ended.end(row.session_id, row.ended_at);
        }
        self.known = rows.last().map_or(self.known, |last| last.number);
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    }
}

/// Removes what no process needs any more; how much that was.
pub async fn forget(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let deleted =
        sqlx::query!("delete from log.ended_sessions where ended_at < $1", now - ops::tokens::REMEMBERED).execute(pool);
    Ok(bounded(deleted).await?.rows_affected())
}
