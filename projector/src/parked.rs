//! What one projection could not go on with: a stream stands aside with the event that failed and all that follow it,
//! in order, until an operator retries it or skips that event. Everything else flows on.
//!
//! Its tables are named without a schema, as the views' are: a rebuild parks beside. What was skipped is an operator's
//! word, and stands for the live view and for a rebuilt one alike.

use crate::{
    checkpoint, feed,
    projections::Projection,
    run::{Manner, StepError, apply_entries},
};
use events::{Recorded, StreamRef, log::LogReader};
use sqlx::{PgConnection, PgPool};
use std::collections::HashSet;
use uuid::Uuid;

/// What of one projection stands aside, within a transaction that holds its checkpoint.
#[derive(Debug)]
pub(crate) struct Parked {
    projection: &'static str,
    streams: HashSet<StreamRef>,
    skipped: HashSet<i64>,
}

impl Parked {
    pub(crate) fn none(projection: &'static str) -> Self {
        Self { projection, streams: HashSet::new(), skipped: HashSet::new() }
    }

    /// The streams that are parked, and the events after the position that are to be skipped.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        projection: &'static str,
        after: i64,
    ) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query!("select stream_type, stream_id from parked_streams where projection = $1", projection)
            .fetch_all(&mut *connection)
            .await?;
        let streams = rows.into_iter().map(|row| StreamRef { stream_type: row.stream_type.into(), id: row.stream_id });
        let skipped = sqlx::query_scalar!(
            "select position from read.skipped_events where projection = $1 and position > $2",
            projection,
            after,
        )
        .fetch_all(connection)
        .await?;
        Ok(Self { projection, streams: streams.collect(), skipped: skipped.into_iter().collect() })
    }

    /// Whether the event is left out for good. Where none is, which is the rule, the event is not looked at.
    pub(crate) fn skips(&self, event: &Recorded) -> bool {
        !self.skipped.is_empty() && self.skipped.contains(&event.position)
    }

    /// Whether the event's stream is parked.
    pub(crate) fn holds(&self, event: &Recorded) -> bool {
        self.streams.contains(&event.stream)
    }

    /// Parks the event's stream, because of this event.
    pub(crate) async fn park(
        &mut self,
        connection: &mut PgConnection,
        event: &Recorded,
        reason: &str,
    ) -> Result<(), sqlx::Error> {
        tracing::error!(
            projection = self.projection,
            stream = %event.stream,
            position = event.position,
            event_type = event.event_type,
            reason,
            "a stream is parked"
        );
        sqlx::query!(
            "insert into parked_streams (projection, tenant_id, stream_type, stream_id, position, reason)
             values ($1, $2, $3, $4, $5, $6)",
            self.projection,
            event.tenant_id.as_uuid(),
            &*event.stream.stream_type,
            event.stream.id,
            event.position,
            reason,
        )
        .execute(&mut *connection)
        .await?;
        self.streams.insert(event.stream.clone());
        self.keep(connection, event, reason).await
    }

    /// Keeps an event behind the one that parked its stream.
    pub(crate) async fn add(&self, connection: &mut PgConnection, event: &Recorded) -> Result<(), sqlx::Error> {
        self.keep(connection, event, "its stream is parked").await
    }

    async fn keep(&self, connection: &mut PgConnection, event: &Recorded, reason: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "insert into parked_events (projection, position, tenant_id, stream_type, stream_id, event, reason)
             values ($1, $2, $3, $4, $5, $6, $7)",
            self.projection,
            event.position,
            event.tenant_id.as_uuid(),
            &*event.stream.stream_type,
            event.stream.id,
            event.cloud_event(),
            reason,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// What became of a parked stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It was not parked.
    NothingParked,
    /// What was parked is applied, and the stream flows again.
    Flowing {
        /// How many events were applied.
        events: usize,
    },
    /// An event failed, the same or a later one: the stream stays parked from there on.
    StillParked,
}

/// Applies what is parked of a stream, from the event that failed on: for when its reason is mended.
pub async fn retry(
    read: &PgPool,
    log: &LogReader,
    projection: &Projection,
    stream: &StreamRef,
) -> Result<Released, StepError> {
    release(read, log, projection, stream, 0).await
}

/// Leaves the event that failed out of this projection for good, and applies what is parked behind it.
pub async fn skip(
    read: &PgPool,
    log: &LogReader,
    projection: &Projection,
    stream: &StreamRef,
) -> Result<Released, StepError> {
    release(read, log, projection, stream, 1).await
}

async fn release(
    read: &PgPool,
    log: &LogReader,
    projection: &Projection,
    stream: &StreamRef,
    skipped: usize,
) -> Result<Released, StepError> {
    let mut transaction = read.begin().await?;
    // No step of this projection runs beside it: an event of this stream comes after what is parked, not between.
    checkpoint::lock(&mut transaction, projection.name).await?;
    let positions = unpark(&mut transaction, projection.name, stream).await?;
    if positions.is_empty() {
        return Ok(Released::NothingParked);
    }
    for (position, tenant_id) in positions.iter().take(skipped) {
        remember_skipped(&mut transaction, projection.name, *position, *tenant_id).await?;
    }
    let wanted: HashSet<i64> = positions.into_iter().skip(skipped).map(|(position, _)| position).collect();
    let mut events = log.stream(stream, 0).await?;
    events.retain(|event| wanted.contains(&event.position));
    let entries = feed::decode(log, events).await?;
    let mut parked = Parked::none(projection.name);
    apply_entries(&mut transaction, projection, &entries, &mut parked, Manner::OneByOne).await?;
    transaction.commit().await?;
    if parked.streams.is_empty() { Ok(Released::Flowing { events: entries.len() }) } else { Ok(Released::StillParked) }
}

async fn remember_skipped(
    connection: &mut PgConnection,
    projection: &str,
    position: i64,
    tenant_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into read.skipped_events (projection, position, tenant_id) values ($1, $2, $3)",
        projection,
        position,
        tenant_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes all that is parked of a stream away: the positions, in order, and whose the events are.
async fn unpark(
    connection: &mut PgConnection,
    projection: &str,
    stream: &StreamRef,
) -> Result<Vec<(i64, Uuid)>, sqlx::Error> {
    sqlx::query!(
        "delete from parked_streams
         where projection = $1
           and stream_type = $2
           and stream_id = $3",
        projection,
        &*stream.stream_type,
        stream.id,
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query!(
        "delete from parked_events
         where projection = $1
           and stream_type = $2
           and stream_id = $3
         returning position, tenant_id",
        projection,
        &*stream.stream_type,
        stream.id,
    )
    .fetch_all(connection)
    .await?;
    let mut positions: Vec<_> = rows.into_iter().map(|row| (row.position, row.tenant_id)).collect();
    positions.sort_unstable();
    Ok(positions)
}
