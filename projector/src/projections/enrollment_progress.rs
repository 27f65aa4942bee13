//! Who is in which course, how far, and which lessons they finished.

use super::{ApplyError, Interest, Projection, column};
use crate::{
    copy::copy,
    entry::{Batch, Fact, Key, Keys},
};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    enrollment::{Basis, Enrollment, EnrollmentEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "enrollment_progress",
    tables: &["enrollment_progress", "enrollment_progress_lessons"],
    appended: &["enrollment_progress_lessons"],
    streams: Interest::Streams(&[Enrollment::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    enrollment_id: Uuid,
    learner_id: Uuid,
    course_id: Uuid,
    basis: String,
    payment_id: Option<Uuid>,
    progress_percent: i16,
    completed_lessons: i32,
    enrolled_at: DateTime<Utc>,
    last_activity_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    withdrawn_at: Option<DateTime<Utc>>,
    version: i64,
}

struct FinishedLesson {
    tenant_id: Uuid,
    enrollment_id: Uuid,
    lesson_id: Uuid,
    completed_at: DateTime<Utc>,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut enrollments = load(connection, &batch.streams(Enrollment::STREAM_TYPE)).await?;
    let mut finished = Vec::new();
    for fact in batch.facts() {
        let Event::Enrollment(event) = fact.event else { continue };
        fold(&mut enrollments, &fact, event);
        if let EnrollmentEvent::LessonCompleted { lesson_id, .. } = event {
            finished.push(FinishedLesson {
                tenant_id: fact.tenant_id,
                enrollment_id: fact.id,
                lesson_id: lesson_id.as_uuid(),
                completed_at: fact.at,
            });
        }
    }
    save(connection, enrollments.into_values().collect()).await?;
    if batch.is_bulk() {
        return copy_lessons(connection, finished).await;
    }
    insert_lessons(connection, &finished).await
}

fn fold(enrollments: &mut BTreeMap<Key, Row>, fact: &Fact<'_>, event: &EnrollmentEvent) {
    if let EnrollmentEvent::Enrolled { learner_id, course_id, basis } = event {
        let (basis, payment_id) = match basis {
            Basis::Free => ("free", None),
            Basis::Import => ("import", None),
            Basis::Payment { payment_id } => ("payment", Some(payment_id.as_uuid())),
        };
        // Whoever comes again has what they finished before.
        let before = enrollments.remove(&fact.key());
        let row = Row {
            tenant_id: fact.tenant_id,
            enrollment_id: fact.id,
            learner_id: learner_id.as_uuid(),
            course_id: course_id.as_uuid(),
            basis: basis.to_owned(),
            payment_id,
            progress_percent: before.as_ref().map_or(0, |before| before.progress_percent),
            completed_lessons: before.as_ref().map_or(0, |before| before.completed_lessons),
            enrolled_at: fact.at,
            last_activity_at: fact.at,
            completed_at: before.and_then(|before| before.completed_at),
            withdrawn_at: None,
            version: fact.version,
        };
        enrollments.insert(fact.key(), row);
        return;
    }
    let Some(row) = enrollments.get_mut(&fact.key()) else { return };
    (row.last_activity_at, row.version) = (fact.at, fact.version);
    match event {
        EnrollmentEvent::Enrolled { .. } => {}
        EnrollmentEvent::LessonCompleted { progress_percent, .. } => {
            row.progress_percent = i16::from(*progress_percent);
            row.completed_lessons += 1;
        }
        EnrollmentEvent::Completed { .. } => row.completed_at = Some(fact.at),
        EnrollmentEvent::Withdrawn { .. } => row.withdrawn_at = Some(fact.at),
    }
}

async fn load(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, Row>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, enrollment_id, learner_id, course_id, basis, payment_id, progress_percent,
                completed_lessons, enrolled_at, last_activity_at, completed_at, withdrawn_at, version
         from enrollment_progress
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, enrollment_id) using (tenant_id, enrollment_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.enrollment_id), row)).collect())
}

async fn save(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into enrollment_progress (tenant_id, enrollment_id, learner_id, course_id, basis, payment_id,
             progress_percent, completed_lessons, enrolled_at, last_activity_at, completed_at, withdrawn_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::smallint[],
             $8::integer[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],
             $13::bigint[])
         on conflict (tenant_id, enrollment_id) do update
         set basis = excluded.basis,
             payment_id = excluded.payment_id,
             progress_percent = excluded.progress_percent,
             completed_lessons = excluded.completed_lessons,
             enrolled_at = excluded.enrolled_at,
             last_activity_at = excluded.last_activity_at,
             completed_at = excluded.completed_at,
             withdrawn_at = excluded.withdrawn_at,
             version = excluded.version",
        &column!(rows, tenant_id),
        &column!(rows, enrollment_id),
        &column!(rows, learner_id),
        &column!(rows, course_id),
        &column!(rows, basis),
        &column!(rows, payment_id) as _,
        &column!(rows, progress_percent),
        &column!(rows, completed_lessons),
        &column!(rows, enrolled_at),
        &column!(rows, last_activity_at),
        &column!(rows, completed_at) as _,
        &column!(rows, withdrawn_at) as _,
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn copy_lessons(connection: &mut PgConnection, rows: Vec<FinishedLesson>) -> Result<(), ApplyError> {
    let into = "enrollment_progress_lessons (tenant_id, enrollment_id, lesson_id, completed_at)";
    Ok(copy(connection, into, rows, |row, values| {
        values.add(&row.tenant_id).add(&row.enrollment_id).add(&row.lesson_id).add(&row.completed_at);
    })
    .await?)
}

async fn insert_lessons(connection: &mut PgConnection, rows: &[FinishedLesson]) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into enrollment_progress_lessons (tenant_id, enrollment_id, lesson_id, completed_at)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])",
        &column!(rows, tenant_id),
        &column!(rows, enrollment_id),
        &column!(rows, lesson_id),
        &column!(rows, completed_at),
    )
    .execute(connection)
    .await?;
    Ok(())
}
