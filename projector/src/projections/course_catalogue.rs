//! The courses as they are looked for, and how many students each has.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    course::{Course, CourseDetails, CourseEvent, CourseStatus},
    enrollment::{Enrollment, EnrollmentEvent},
    ids::CategoryId,
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "course_catalogue",
    tables: &["course_catalogue", "course_catalogue_students"],
    appended: &[],
    streams: Interest::Streams(&[Course::STREAM_TYPE, Enrollment::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    course_id: Uuid,
    owner_id: Uuid,
    category_id: Option<Uuid>,
    title: String,
    description: Option<String>,
    thumbnail_url: Option<String>,
    price_minor: i64,
    currency: Option<String>,
    status: String,
    lessons: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
    version: i64,
}

impl Row {
    fn describe(&mut self, details: &CourseDetails) {
        self.category_id = details.category_id.map(CategoryId::as_uuid);
        self.title.clone_from(&details.title);
        self.description.clone_from(&details.description);
        self.thumbnail_url.clone_from(&details.thumbnail_url);
        self.price_minor = details.price.map_or(0, |price| price.amount_minor);
        self.currency = details.price.map(|price| price.currency.to_string());
    }
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut courses = load(connection, &batch.streams(Course::STREAM_TYPE)).await?;
    let mut entered: BTreeMap<Key, i64> = BTreeMap::new();
    for fact in batch.facts() {
        match fact.event {
            Event::Course(event) => fold(&mut courses, &fact, event),
            Event::Enrollment(EnrollmentEvent::Enrolled { course_id, .. }) => {
                *entered.entry((fact.tenant_id, course_id.as_uuid())).or_default() += 1;
            }
            Event::Enrollment(EnrollmentEvent::Withdrawn { course_id, .. }) => {
                *entered.entry((fact.tenant_id, course_id.as_uuid())).or_default() -= 1;
            }
            _ => {}
        }
    }
    save(connection, courses.into_values().collect()).await?;
    add_students(connection, entered).await
}

fn fold(courses: &mut BTreeMap<Key, Row>, fact: &Fact<'_>, event: &CourseEvent) {
    if let CourseEvent::Created { owner_id, details } = event {
        let mut row = Row {
            tenant_id: fact.tenant_id,
            course_id: fact.id,
            owner_id: owner_id.as_uuid(),
            category_id: None,
            title: String::new(),
            description: None,
            thumbnail_url: None,
            price_minor: 0,
            currency: None,
            status: CourseStatus::Draft.as_str().to_owned(),
            lessons: 0,
            created_at: fact.at,
            updated_at: fact.at,
            published_at: None,
            version: fact.version,
        };
        row.describe(details);
        courses.insert(fact.key(), row);
        return;
    }
    let Some(row) = courses.get_mut(&fact.key()) else { return };
    (row.updated_at, row.version) = (fact.at, fact.version);
    match event {
        CourseEvent::Created { .. } => {}
        CourseEvent::Updated { details } => row.describe(details),
        CourseEvent::LessonAdded { .. } => row.lessons += 1,
        CourseEvent::Published {} => {
            CourseStatus::Published.as_str().clone_into(&mut row.status);
            row.published_at = Some(fact.at);
        }
        CourseEvent::Archived {} => CourseStatus::Archived.as_str().clone_into(&mut row.status),
    }
}

async fn load(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, Row>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, course_id, owner_id, category_id, title, description, thumbnail_url, price_minor, currency,
                status, lessons, created_at, updated_at, published_at, version
         from course_catalogue
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, course_id) using (tenant_id, course_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.course_id), row)).collect())
}

async fn save(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into course_catalogue (tenant_id, course_id, owner_id, category_id, title, description, thumbnail_url,
             price_minor, currency, status, lessons, created_at, updated_at, published_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[],
             $9::text[], $10::text[], $11::integer[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
             $15::bigint[])
         on conflict (tenant_id, course_id) do update
         set category_id = excluded.category_id,
             title = excluded.title,
             description = excluded.description,
             thumbnail_url = excluded.thumbnail_url,
             price_minor = excluded.price_minor,
             currency = excluded.currency,
             status = excluded.status,
             lessons = excluded.lessons,
             updated_at = excluded.updated_at,
             published_at = excluded.published_at,
             version = excluded.version",
        &column!(rows, tenant_id),
        &column!(rows, course_id),
        &column!(rows, owner_id),
        &column!(rows, category_id) as _,
        &column!(rows, title),
        &column!(rows, description) as _,
        &column!(rows, thumbnail_url) as _,
        &column!(rows, price_minor),
        &column!(rows, currency) as _,
        &column!(rows, status),
        &column!(rows, lessons),
        &column!(rows, created_at),
        &column!(rows, updated_at),
        &column!(rows, published_at) as _,
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_students(connection: &mut PgConnection, entered: BTreeMap<Key, i64>) -> Result<(), ApplyError> {
    if entered.is_empty() {
        return Ok(());
    }
    let keys: Keys = entered.keys().copied().collect();
    let students: Vec<_> = entered.into_values().collect();
    sqlx::query!(
        "insert into course_catalogue_students as stored (tenant_id, course_id, total_students)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::bigint[])
         on conflict (tenant_id, course_id) do update
         set total_students = stored.total_students + excluded.total_students",
        &keys.tenants,
        &keys.ids,
        &students,
    )
    .execute(connection)
    .await?;
    Ok(())
}
