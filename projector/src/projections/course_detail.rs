//! What a course is made of: its lessons, with their content.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::Batch;
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    course::{Course, CourseEvent, Lesson},
};
use sqlx::PgConnection;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "course_detail",
    tables: &["course_detail"],
    appended: &["course_detail"],
    streams: Interest::Streams(&[Course::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row<'a> {
    tenant_id: Uuid,
    course_id: Uuid,
    order_index: i32,
    created_at: DateTime<Utc>,
    lesson: &'a Lesson,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut lessons = Vec::new();
    for fact in batch.facts() {
        if let Event::Course(CourseEvent::LessonAdded { lesson }) = fact.event {
            lessons.push(Row {
                tenant_id: fact.tenant_id,
                course_id: fact.id,
                order_index: lesson.order_index.try_into()?,
                created_at: fact.at,
                lesson,
            });
        }
    }
    insert(connection, &lessons).await
}

async fn insert(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = rows.iter().map(|row| row.lesson.lesson_id.as_uuid()).collect();
    let content_types: Vec<_> = rows.iter().map(|row| row.lesson.content_type.as_str().to_owned()).collect();
    sqlx::query!(
        "insert into course_detail (tenant_id, course_id, lesson_id, order_index, title, content_type, content, url,
             preview, created_at)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::boolean[], $10::timestamptz[])",
        &column!(rows, tenant_id),
        &column!(rows, course_id),
        &ids,
        &column!(rows, order_index),
        &column!(rows, lesson.title),
        &content_types,
        &column!(rows, lesson.content) as _,
        &column!(rows, lesson.url) as _,
        &column!(rows, lesson.preview),
        &column!(rows, created_at),
    )
    .execute(connection)
    .await?;
    Ok(())
}
