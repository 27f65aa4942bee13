//! Tells this process which sessions have ended, whatever their tenant: the view `ended_sessions`, looked at every
//! [`INTERVAL`], so that a revoked token is refused here as soon as the projector has seen the end of its session.

use chrono::Utc;
use ops::{database::bounded, tokens::EndedSessions};
use sqlx::PgPool;
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;

/// Connections that [`follow`] uses: its own, so that a busy pool does not keep an ended session alive.
pub const CONNECTIONS: u32 = 1;
/// How often the view is asked.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait after a failure.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Reads which sessions end, until the stop.
pub async fn follow(pool: PgPool, ended: EndedSessions, stop: CancellationToken) -> Result<(), Infallible> {
    let mut known = 0;
    let mut fails = false;
    while !stop.is_cancelled() {
        let pause = match read(&pool, &ended, known).await {
            Ok(last) => {
                known = last;
                fails = false;
                ended.heard(Utc::now());
                INTERVAL
            }
            Err(error) => {
                if !fails {
                    ops::telemetry::error(&error, "which sessions have ended cannot be read");
                    fails = true;
                }
                BACK_OFF
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

/// Takes in what stands behind a position; the position of the last.
async fn read(pool: &PgPool, ended: &EndedSessions, known: i64) -> Result<i64, sqlx::Error> {
    let asked = sqlx::query!(
        "select position, session_id, ended_at
         from read.ended_sessions
         where position > $1
         order by position",
        known,
    )
    .fetch_all(pool);
    let rows = bounded(asked).await?;
    for row in &rows {
        ended.end(row.session_id, row.ended_at);
    }
    Ok(rows.last().map_or(known, |last| last.position))
}
