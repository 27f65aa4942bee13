//! The categories, and which course is in which, so that they can be counted.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    category::{Category, CategoryEvent},
    course::{Course, CourseEvent, CourseStatus},
    ids::CategoryId,
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "category_list",
    tables: &["category_list", "category_list_courses"],
    appended: &["category_list"],
    streams: Interest::Streams(&[Category::STREAM_TYPE, Course::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct CategoryRow {
    tenant_id: Uuid,
    category_id: Uuid,
    name: String,
    description: Option<String>,
    created_at: DateTime<Utc>,
    version: i64,
}

struct CourseRow {
    tenant_id: Uuid,
    course_id: Uuid,
    category_id: Option<Uuid>,
    status: String,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut courses = load_courses(connection, &batch.streams(Course::STREAM_TYPE)).await?;
    let mut categories = Vec::new();
    for fact in batch.facts() {
        match fact.event {
            Event::Category(CategoryEvent::Created { name, description }) => categories.push(CategoryRow {
                tenant_id: fact.tenant_id,
                category_id: fact.id,
                name: name.clone(),
                description: description.clone(),
                created_at: fact.at,
                version: fact.version,
            }),
            Event::Course(event) => fold_course(&mut courses, &fact, event),
            _ => {}
        }
    }
    insert_categories(connection, &categories).await?;
    save_courses(connection, courses.into_values().collect()).await
}

fn fold_course(courses: &mut BTreeMap<Key, CourseRow>, fact: &Fact<'_>, event: &CourseEvent) {
    if let CourseEvent::Created { details, .. } = event {
        let row = CourseRow {
            tenant_id: fact.tenant_id,
            course_id: fact.id,
            category_id: details.category_id.map(CategoryId::as_uuid),
            status: CourseStatus::Draft.as_str().to_owned(),
        };
        courses.insert(fact.key(), row);
        return;
    }
    let Some(row) = courses.get_mut(&fact.key()) else { return };
    match event {
        CourseEvent::Created { .. } | CourseEvent::LessonAdded { .. } => {}
        CourseEvent::Updated { details } => row.category_id = details.category_id.map(CategoryId::as_uuid),
        CourseEvent::Published {} => CourseStatus::Published.as_str().clone_into(&mut row.status),
        CourseEvent::Archived {} => CourseStatus::Archived.as_str().clone_into(&mut row.status),
    }
}

async fn insert_categories(connection: &mut PgConnection, rows: &[CategoryRow]) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into category_list (tenant_id, category_id, name, description, created_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[])",
        &column!(rows, tenant_id),
        &column!(rows, category_id),
        &column!(rows, name),
        &column!(rows, description) as _,
        &column!(rows, created_at),
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn load_courses(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, CourseRow>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        CourseRow,
        "select tenant_id, course_id, category_id, status
         from category_list_courses
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, course_id) using (tenant_id, course_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.course_id), row)).collect())
}

async fn save_courses(connection: &mut PgConnection, rows: Vec<CourseRow>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into category_list_courses (tenant_id, course_id, category_id, status)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])
         on conflict (tenant_id, course_id) do update
         set category_id = excluded.category_id,
             status = excluded.status",
        &column!(rows, tenant_id),
        &column!(rows, course_id),
        &column!(rows, category_id) as _,
        &column!(rows, status),
    )
    .execute(connection)
    .await?;
    Ok(())
}
