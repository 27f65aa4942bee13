//! `retry` and `skip`: what becomes of streams that stand aside.

use super::{OperateError, Operator, Streams, say};
use crate::{
    parked::{self, Released},
    projections::{self, Projection},
};
use events::StreamRef;
use std::process::ExitCode;

/// Reads `account/0197…`.
pub(super) fn stream(text: &str) -> Result<StreamRef, String> {
    let wrong = || "a stream is named TYPE/ID, for example account/01980000-0000-7000-8000-000000000001".to_owned();
    let (stream_type, id) = text.split_once('/').ok_or_else(wrong)?;
    Ok(StreamRef { stream_type: stream_type.to_owned().into(), id: id.parse().map_err(|_| wrong())? })
}

impl Operator {
    pub(super) async fn retry(&self, streams: &Streams) -> Result<ExitCode, OperateError> {
        let chosen = match (&streams.projection, &streams.stream) {
            (Some(projection), Some(stream)) => vec![(*projection, stream.clone())],
            _ => self.all_parked().await?,
        };
        let mut left = false;
        for (projection, stream) in &chosen {
            let released = parked::retry(&self.read, &self.log, projection, stream).await?;
            left |= tell(projection, stream, released);
        }
        if chosen.is_empty() {
            say("nothing is parked");
        }
        Ok(if left { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    pub(super) async fn skip(&self, projection: &Projection, stream: &StreamRef) -> Result<ExitCode, OperateError> {
        let released = parked::skip(&self.read, &self.log, projection, stream).await?;
        Ok(if tell(projection, stream, released) { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    async fn all_parked(&self) -> Result<Vec<(Projection, StreamRef)>, OperateError> {
        let rows = sqlx::query!(
            "select projection, stream_type, stream_id from read.parked_streams order by projection, position"
        )
        .fetch_all(&self.read)
        .await?;
        let known = rows.into_iter().filter_map(|row| {
            let stream = StreamRef { stream_type: row.stream_type.into(), id: row.stream_id };
            Some((*projections::find(&row.projection)?, stream))
        });
        Ok(known.collect())
    }
}

/// Says what became of a stream, and whether it stands aside still.
fn tell(projection: &Projection, stream: &StreamRef, released: Released) -> bool {
    let name = projection.name;
    match released {
        Released::NothingParked => say(&format!("{name} {stream}: it was not parked")),
        Released::Flowing { events } => say(&format!("{name} {stream}: {events} events applied; it flows again")),
        Released::StillParked => say(&format!("{name} {stream}: an event fails still; `status` tells why")),
    }
    released == Released::StillParked
}
