//! What an instructor's courses add up to: the courses, and for each, by day, who entered and finished and what they paid.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, NaiveDate, Utc};
use events::{
    Aggregate, Event,
    course::{Course, CourseEvent, CourseStatus},
    enrollment::{Enrollment, EnrollmentEvent},
    ids::CourseId,
    payment::{Payment, PaymentEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "instructor_dashboard",
    tables: &["instructor_dashboard_courses", "instructor_dashboard_students", "instructor_dashboard_revenue"],
    appended: &[],
    streams: Interest::Streams(&[Course::STREAM_TYPE, Enrollment::STREAM_TYPE, Payment::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct CourseRow {
    tenant_id: Uuid,
    course_id: Uuid,
    owner_id: Uuid,
    title: String,
    status: String,
    lessons: i32,
    created_at: DateTime<Utc>,
}

/// One course on one day.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct CourseDay {
    tenant_id: Uuid,
    course_id: Uuid,
    day: NaiveDate,
}

impl CourseDay {
    fn of(fact: &Fact<'_>, course_id: CourseId) -> Self {
        Self { tenant_id: fact.tenant_id, course_id: course_id.as_uuid(), day: fact.at.date_naive() }
    }
}

#[derive(Default)]
struct Students {
    enrollments: i64,
    completions: i64,
}

#[derive(Default)]
struct Revenue {
    payments: i64,
    amount_minor: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut courses = load_courses(connection, &batch.streams(Course::STREAM_TYPE)).await?;
    let mut students: BTreeMap<CourseDay, Students> = BTreeMap::new();
    let mut revenue: BTreeMap<(CourseDay, String), Revenue> = BTreeMap::new();
    for fact in batch.facts() {
        match fact.event {
            Event::Course(event) => fold_course(&mut courses, &fact, event),
            Event::Enrollment(EnrollmentEvent::Enrolled { course_id, .. }) => {
                students.entry(CourseDay::of(&fact, *course_id)).or_default().enrollments += 1;
            }
            Event::Enrollment(EnrollmentEvent::Completed { course_id, .. }) => {
                students.entry(CourseDay::of(&fact, *course_id)).or_default().completions += 1;
            }
            Event::Payment(PaymentEvent::Captured { course_id, amount, .. }) => {
                let sum = revenue.entry((CourseDay::of(&fact, *course_id), amount.currency.to_string())).or_default();
                sum.payments += 1;
                sum.amount_minor += amount.amount_minor;
            }
            _ => {}
        }
    }
    save_courses(connection, courses.into_values().collect()).await?;
    add_students(connection, &students).await?;
    add_revenue(connection, &revenue).await
}

fn fold_course(courses: &mut BTreeMap<Key, CourseRow>, fact: &Fact<'_>, event: &CourseEvent) {
    if let CourseEvent::Created { owner_id, details } = event {
        let row = CourseRow {
            tenant_id: fact.tenant_id,
            course_id: fact.id,
            owner_id: owner_id.as_uuid(),
            title: details.title.clone(),
            status: CourseStatus::Draft.as_str().to_owned(),
            lessons: 0,
            created_at: fact.at,
        };
        courses.insert(fact.key(), row);
        return;
    }
    let Some(row) = courses.get_mut(&fact.key()) else { return };
    match event {
        CourseEvent::Created { .. } => {}
        CourseEvent::Updated { details } => row.title.clone_from(&details.title),
        CourseEvent::LessonAdded { .. } => row.lessons += 1,
        CourseEvent::Published {} => CourseStatus::Published.as_str().clone_into(&mut row.status),
        CourseEvent::Archived {} => CourseStatus::Archived.as_str().clone_into(&mut row.status),
    }
}

async fn load_courses(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, CourseRow>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        CourseRow,
        "select tenant_id, course_id, owner_id, title, status, lessons, created_at
         from instructor_dashboard_courses
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
        "insert into instructor_dashboard_courses (tenant_id, course_id, owner_id, title, status, lessons, created_at)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::integer[], $7::timestamptz[])
         on conflict (tenant_id, course_id) do update
         set title = excluded.title,
             status = excluded.status,
             lessons = excluded.lessons",
        &column!(rows, tenant_id),
        &column!(rows, course_id),
        &column!(rows, owner_id),
        &column!(rows, title),
        &column!(rows, status),
        &column!(rows, lessons),
        &column!(rows, created_at),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_students(
    connection: &mut PgConnection,
    students: &BTreeMap<CourseDay, Students>,
) -> Result<(), ApplyError> {
    if students.is_empty() {
        return Ok(());
    }
    let days: Vec<_> = students.keys().collect();
    let counts: Vec<_> = students.values().collect();
    sqlx::query!(
        "insert into instructor_dashboard_students as stored (tenant_id, course_id, day, enrollments, completions)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::date[], $4::bigint[], $5::bigint[])
         on conflict (tenant_id, course_id, day) do update
         set enrollments = stored.enrollments + excluded.enrollments,
             completions = stored.completions + excluded.completions",
        &column!(days, tenant_id),
        &column!(days, course_id),
        &column!(days, day),
        &column!(counts, enrollments),
        &column!(counts, completions),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_revenue(
    connection: &mut PgConnection,
    revenue: &BTreeMap<(CourseDay, String), Revenue>,
) -> Result<(), ApplyError> {
    if revenue.is_empty() {
        return Ok(());
    }
    let days: Vec<_> = revenue.keys().map(|(day, _)| day).collect();
    let currencies: Vec<_> = revenue.keys().map(|(_, currency)| currency.clone()).collect();
    let sums: Vec<_> = revenue.values().collect();
    sqlx::query!(
        "insert into instructor_dashboard_revenue as stored (tenant_id, course_id, day, currency, payments,
             amount_minor)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::date[], $4::text[], $5::bigint[], $6::bigint[])
         on conflict (tenant_id, course_id, day, currency) do update
         set payments = stored.payments + excluded.payments,
             amount_minor = stored.amount_minor + excluded.amount_minor",
        &column!(days, tenant_id),
        &column!(days, course_id),
        &column!(days, day),
        &currencies,
        &column!(sums, payments),
        &column!(sums, amount_minor),
    )
    .execute(connection)
    .await?;
    Ok(())
}
