//! Reading the log: one stream, or all of it from a position, always in order and in bounded pages.

use super::{Keyring, LogError, bounded};
use crate::{
    Json,
    envelope::{Decoded, Recorded, StreamRef},
    event::CodecError,
    ids::TenantId,
    personal,
};
use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt, stream};
use sqlx::PgPool;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// Events in one page of a read that goes on for long.
const PAGE: i64 = 1_000;

/// What to take from the log; an absent condition lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this tenant's.
    pub tenant_id: Option<TenantId>,
    /// Only streams of this type.
    pub stream_type: Option<String>,
    /// Only this stored type name.
    pub event_type: Option<String>,
    /// Recorded at or after.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before.
    pub to: Option<DateTime<Utc>>,
}

/// Reads the log; cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    pool: PgPool,
    keyring: Keyring,
}

struct Row {
    position: i64,
    event_id: Uuid,
    tenant_id: Uuid,
    stream_type: String,
    stream_id: Uuid,
    version: i64,
    r#type: String,
    data: Json,
    metadata: Json,
    recorded_at: DateTime<Utc>,
    leaf_hash: Vec<u8>,
}

impl From<Row> for Recorded {
    fn from(row: Row) -> Self {
        Self {
            position: row.position,
            event_id: row.event_id,
            tenant_id: TenantId::new(row.tenant_id),
            stream: StreamRef { stream_type: row.stream_type.into(), id: row.stream_id },
            version: row.version,
            event_type: row.r#type,
            data: row.data,
            metadata: row.metadata,
            recorded_at: row.recorded_at,
            // A check constraint keeps the length.
            leaf_hash: row.leaf_hash.try_into().unwrap_or_default(),
        }
    }
}

impl LogReader {
    /// A reader over the database, opening personal data with the keyring.
    pub const fn new(pool: PgPool, keyring: Keyring) -> Self {
        Self { pool, keyring }
    }

    /// The keyring that it opens with.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The pool that it reads from.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The last position; 0 in an empty log.
    pub async fn head(&self) -> Result<i64, LogError> {
        Ok(bounded(sqlx::query_scalar!("select position from log.head").fetch_one(&self.pool)).await?)
    }

    /// At most `limit` events after the position, in order.
    pub async fn read(&self, after: i64, limit: i64) -> Result<Vec<Recorded>, LogError> {
        self.read_filtered(after, limit, &Filter::default()).await
    }

    /// At most `limit` events after the position that pass the filter, in order.
    pub async fn read_filtered(&self, after: i64, limit: i64, filter: &Filter) -> Result<Vec<Recorded>, LogError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select position, event_id, tenant_id, stream_type, stream_id, version, type, data as "data: Json",
                    metadata as "metadata: Json", recorded_at, leaf_hash
             from log.events
             where position > $1
               and ($3::uuid is null or tenant_id = $3)
               and ($4::text is null or stream_type = $4)
               and ($5::text is null or type = $5)
               and ($6::timestamptz is null or recorded_at >= $6)
               and ($7::timestamptz is null or recorded_at < $7)
             order by position
             limit $2"#,
            after,
            limit,
            filter.tenant_id.map(TenantId::as_uuid),
            filter.stream_type,
            filter.event_type,
            filter.from,
            filter.to,
        )
        .fetch_all(&self.pool);
        let rows = bounded(rows).await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// At most `limit` events after one position and up to another, in order: those of streams of these types, or of all.
    pub async fn read_through(
        &self,
        after: i64,
        through: i64,
        limit: i64,
        stream_types: Option<&[String]>,
    ) -> Result<Vec<Recorded>, LogError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select position, event_id, tenant_id, stream_type, stream_id, version, type, data as "data: Json",
                    metadata as "metadata: Json", recorded_at, leaf_hash
             from log.events
             where position > $1
               and position <= $2
               and ($4::text[] is null or stream_type = any($4))
             order by position
             limit $3"#,
            after,
            through,
            limit,
            stream_types as _,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// When the event at the position was recorded; `None` where there is none.
    pub async fn find_recorded_at(&self, position: i64) -> Result<Option<DateTime<Utc>>, LogError> {
        Ok(sqlx::query_scalar!("select recorded_at from log.events where position = $1", position)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// All events after the position that pass the filter, page by page: memory stays constant however long the log.
    pub fn follow(&self, after: i64, filter: Filter) -> impl Stream<Item = Result<Recorded, LogError>> {
        let reader = self.clone();
        stream::try_unfold(after, move |after| {
            let (reader, filter) = (reader.clone(), filter.clone());
            async move {
                let page = reader.read_filtered(after, PAGE, &filter).await?;
                Ok::<_, LogError>(page.last().map(|last| last.position).map(|last| (page, last)))
            }
        })
        .map_ok(|page| stream::iter(page.into_iter().map(Ok)))
        .try_flatten()
    }

    /// The events of one stream after the version, in order.
    pub async fn stream(&self, stream: &StreamRef, after_version: i64) -> Result<Vec<Recorded>, LogError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select position, event_id, tenant_id, stream_type, stream_id, version, type, data as "data: Json",
                    metadata as "metadata: Json", recorded_at, leaf_hash
             from log.events
             where stream_id = $1
               and version > $2
               and stream_type = $3
             order by version"#,
            stream.id,
            after_version,
            &*stream.stream_type,
        )
        .fetch_all(&self.pool);
        let rows = bounded(rows).await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// The events of many streams, stream by stream, each in order.
    pub async fn streams(&self, ids: &[Uuid]) -> Result<Vec<Recorded>, LogError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select position, event_id, tenant_id, stream_type, stream_id, version, type, data as "data: Json",
                    metadata as "metadata: Json", recorded_at, leaf_hash
             from log.events
             where stream_id = any($1)
             order by stream_id, version"#,
            ids,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// Reads the contents, with the keys of all the people in them fetched at once. What cannot be read is given back
    /// with the reason.
    pub async fn decode(
        &self,
        events: Vec<Recorded>,
    ) -> Result<Vec<Result<Decoded, (Recorded, CodecError)>>, LogError> {
        let subjects: Vec<BTreeSet<_>> = events.iter().map(|event| personal::subjects(&event.data)).collect();
        self.keyring.load(subjects.iter().flatten().copied().collect::<HashSet<_>>()).await?;
        let events = events.into_iter().zip(subjects);
        Ok(events.map(|(event, subjects)| event.decode(subjects, |json| self.keyring.open(json))).collect())
    }

    /// Who holds a name in a tenant. `digest` is of [`Keyring::claim_digest`].
    pub async fn find_claim(
        &self,
        tenant_id: TenantId,
        scope: &str,
        digest: &[u8],
    ) -> Result<Option<StreamRef>, LogError> {
        let row = sqlx::query!(
            "select stream_type, stream_id
             from log.claims
             where tenant_id = $1
               and scope = $2
               and digest = $3",
            tenant_id.as_uuid(),
            scope,
            digest,
        )
        .fetch_optional(&self.pool);
        let row = bounded(row).await?;
        Ok(row.map(|row| StreamRef { stream_type: row.stream_type.into(), id: row.stream_id }))
    }
}
