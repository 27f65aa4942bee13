//! The sessions that ended a short while ago: what the query API refuses the tokens of.
//!
//! It looks at events as they are stored: that a session has ended must be known even where why it did cannot be read.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Entry};
use events::{Aggregate, Recorded, auth_session::AuthSession};
use sqlx::PgConnection;

pub(super) const PROJECTION: Projection = Projection {
    name: "ended_sessions",
    tables: &["ended_sessions"],
    appended: &[],
    streams: Interest::Streams(&[AuthSession::STREAM_TYPE]),
    needs_content: false,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

/// How long before the latest end one is kept: longer than any token lives. Counted from that end and not from now, so
/// that the view is the same whenever it is made.
const KEPT_SECONDS: f64 = 7_200.0;

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let ends: Vec<&Recorded> = batch.entries().map(Entry::recorded).filter(|recorded| is_end(recorded)).collect();
    if ends.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into ended_sessions (position, session_id, ended_at)
         select *
         from unnest($1::bigint[], $2::uuid[], $3::timestamptz[])",
        &column!(ends, position),
        &column!(ends, stream.id),
        &column!(ends, recorded_at),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from ended_sessions
         where ended_at < (select max(ended_at) from ended_sessions) - make_interval(secs => $1)",
        KEPT_SECONDS,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// By its name, of whatever version it is.
fn is_end(recorded: &Recorded) -> bool {
    let name = recorded.event_type.split('.').nth(2).unwrap_or_default();
    recorded.stream.stream_type == AuthSession::STREAM_TYPE && matches!(name, "ended" | "revoked" | "expired")
}
