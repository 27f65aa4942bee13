//! Every assessment with all that it asks.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::Batch;
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    assessment::{Assessment, AssessmentEvent, Definition},
    ids::CourseId,
};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "assessment_list",
    tables: &["assessment_list"],
    appended: &["assessment_list"],
    streams: Interest::Streams(&[Assessment::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row<'a> {
    tenant_id: Uuid,
    assessment_id: Uuid,
    author_id: Uuid,
    course_id: Option<Uuid>,
    item_count: i32,
    definition: &'a Definition,
    definition_json: Value,
    created_at: DateTime<Utc>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut assessments = Vec::new();
    for fact in batch.facts() {
        let Event::Assessment(event) = fact.event else { continue };
        match event {
            AssessmentEvent::Created { author_id, course_id, definition } => assessments.push(Row {
                tenant_id: fact.tenant_id,
                assessment_id: fact.id,
                author_id: author_id.as_uuid(),
                course_id: course_id.map(CourseId::as_uuid),
                item_count: definition.items.len().try_into()?,
                definition,
                definition_json: serde_json::to_value(definition)?,
                created_at: fact.at,
                version: fact.version,
            }),
        }
    }
    insert(connection, &assessments).await
}

async fn insert(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let kinds: Vec<_> = rows.iter().map(|row| row.definition.kind.as_str().to_owned()).collect();
    let pass_percents: Vec<_> = rows.iter().map(|row| row.definition.pass_percent.map(i16::from)).collect();
    let time_limits: Vec<_> = rows.iter().map(|row| row.definition.time_limit_seconds.map(i64::from)).collect();
    let max_attempts: Vec<_> = rows.iter().map(|row| row.definition.max_attempts.map(i64::from)).collect();
    sqlx::query!(
        "insert into assessment_list (tenant_id, assessment_id, author_id, course_id, title, kind, item_count,
             pass_percent, time_limit_seconds, max_attempts, definition, created_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::integer[],
             $8::smallint[], $9::bigint[], $10::bigint[], $11::jsonb[], $12::timestamptz[], $13::bigint[])",
        &column!(rows, tenant_id),
        &column!(rows, assessment_id),
        &column!(rows, author_id),
        &column!(rows, course_id) as _,
        &column!(rows, definition.title),
        &kinds,
        &column!(rows, item_count),
        &pass_percents as _,
        &time_limits as _,
        &max_attempts as _,
        &column!(rows, definition_json),
        &column!(rows, created_at),
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}
