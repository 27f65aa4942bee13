//! Tells this process which sessions have ended, whatever their tenant: the view `ended_sessions`, looked at every
//! [`INTERVAL`], so that a revoked token is refused here as soon as the projector has seen the end of its session.

use chrono::Utc;
use ops::{
    database::{Own, bounded},
    tokens::EndedSessions,
};
use sqlx::postgres::PgConnectOptions;
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often the view is asked.
const INTERVAL: Duration = Duration::from_millis(100);
/// A projector says every second that it is there; after so long it is not.
const SILENCE_SECONDS: f64 = 10.0;
/// Events that the view may lack and still be called current: what comes in a moment under load.
const FAR_BEHIND: i64 = 20_000;
/// How long to wait after a failure.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Reads which sessions end, until the stop, on a connection of its own: a busy pool keeps no ended session alive.
pub async fn follow(
    options: PgConnectOptions,
    ended: EndedSessions,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut own = Own::new(options);
    let mut known = 0;
    let mut fails = false;
    while !stop.is_cancelled() {
        let Some(read) = stop.run_until_cancelled(read(&mut own, &ended, known)).await else { break };
        let pause = match read {
            Ok(heard) => {
                known = heard.last;
                fails = false;
                ended.heard(Utc::now(), heard.is_current);
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

/// What the view said.
struct Heard {
    /// The position of the last session that is known to have ended.
    last: i64,
    /// Whether the projector has looked at the log of late, and applies it to the view.
    is_current: bool,
}

/// Takes in what stands behind a position.
async fn read(own: &mut Own, ended: &EndedSessions, known: i64) -> Result<Heard, sqlx::Error> {
    let mut connection = own.take().await?;
    let asked = sqlx::query!(
        "select position, session_id, ended_at
         from read.ended_sessions
         where position > $1
         order by position",
        known,
    )
    .fetch_all(&mut connection);
    let rows = bounded(asked).await?;
    for row in &rows {
        ended.end(row.session_id, row.ended_at);
    }
    let asked = sqlx::query_scalar!(
        r#"select head.seen_at > now() - make_interval(secs => $1)
               and view.state <> 'paused'
               and head.position - view.position < $2 as "is_current!"
           from read.log_head head, read.projections view
           where view.name = 'ended_sessions'"#,
        SILENCE_SECONDS,
        FAR_BEHIND,
    )
    .fetch_optional(&mut connection);
    let is_current = bounded(asked).await?.unwrap_or(false);
    own.keep(connection);
    Ok(Heard { last: rows.last().map_or(known, |last| last.position), is_current })
}
