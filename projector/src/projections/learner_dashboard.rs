//! What a learner's first page adds up: progress by course, money by currency, submissions.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    enrollment::{Enrollment, EnrollmentEvent},
    ids::{AccountId, CourseId},
    payment::{Payment, PaymentEvent},
    submission::{Attempts, SubmissionEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "learner_dashboard",
    tables: &["learner_dashboard_courses", "learner_dashboard_spending", "learner_dashboard_submissions"],
    appended: &[],
    streams: Interest::Streams(&[Enrollment::STREAM_TYPE, Payment::STREAM_TYPE, Attempts::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

/// What a batch adds. Every event of an enrolment names learner and course, so no row has to be loaded first.
#[derive(Default)]
struct Changes {
    courses: BTreeMap<Key, CourseRow>,
    spending: BTreeMap<(Uuid, Uuid, String), Spending>,
    submissions: BTreeMap<Key, Submissions>,
}

struct CourseRow {
    tenant_id: Uuid,
    enrollment_id: Uuid,
    learner_id: Uuid,
    course_id: Uuid,
    /// `None` where the batch says nothing of it.
    progress_percent: Option<i16>,
    last_activity_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    /// `None` where the batch says nothing of it.
    is_withdrawn: Option<bool>,
}

#[derive(Default)]
struct Spending {
    payments: i64,
    amount_minor: i64,
}

#[derive(Default)]
struct Submissions {
    submissions: i64,
    passed: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut changes = Changes::default();
    for fact in batch.facts() {
        match fact.event {
            Event::Enrollment(event) => changes.fold_enrollment(&fact, event),
            Event::Payment(PaymentEvent::Captured { learner_id, amount, .. }) => {
                let key = (fact.tenant_id, learner_id.as_uuid(), amount.currency.to_string());
                let spending = changes.spending.entry(key).or_default();
                spending.payments += 1;
                spending.amount_minor += amount.amount_minor;
            }
            Event::Submission(SubmissionEvent::Submitted { learner_id, result, .. }) => {
                let count = changes.submissions.entry((fact.tenant_id, learner_id.as_uuid())).or_default();
                count.submissions += 1;
                count.passed += i64::from(result.and_then(|result| result.passed) == Some(true));
            }
            _ => {}
        }
    }
    save_courses(connection, changes.courses.into_values().collect()).await?;
    add_spending(connection, &changes.spending).await?;
    add_submissions(connection, changes.submissions).await
}

impl Changes {
    fn fold_enrollment(&mut self, fact: &Fact<'_>, event: &EnrollmentEvent) {
        match event {
            EnrollmentEvent::Enrolled { learner_id, course_id, .. } => {
                self.course(fact, *learner_id, *course_id).is_withdrawn = Some(false);
            }
            EnrollmentEvent::LessonCompleted { learner_id, course_id, progress_percent, .. } => {
                self.course(fact, *learner_id, *course_id).progress_percent = Some(i16::from(*progress_percent));
            }
            EnrollmentEvent::Completed { learner_id, course_id } => {
                self.course(fact, *learner_id, *course_id).completed_at = Some(fact.at);
            }
            EnrollmentEvent::Withdrawn { learner_id, course_id } => {
                self.course(fact, *learner_id, *course_id).is_withdrawn = Some(true);
            }
        }
    }

    fn course(&mut self, fact: &Fact<'_>, learner_id: AccountId, course_id: CourseId) -> &mut CourseRow {
        let row = self.courses.entry(fact.key()).or_insert_with(|| CourseRow {
            tenant_id: fact.tenant_id,
            enrollment_id: fact.id,
            learner_id: learner_id.as_uuid(),
            course_id: course_id.as_uuid(),
            progress_percent: None,
            last_activity_at: fact.at,
            completed_at: None,
            is_withdrawn: None,
        });
        row.last_activity_at = fact.at;
        row
    }
}

async fn save_courses(connection: &mut PgConnection, rows: Vec<CourseRow>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    // Joined with what is stored, because a row that is inserted may not lack what only a stored row has.
    sqlx::query!(
        "insert into learner_dashboard_courses (tenant_id, enrollment_id, learner_id, course_id, progress_percent,
             last_activity_at, completed_at, is_withdrawn)
         select tenant_id, enrollment_id, batch.learner_id, batch.course_id,
                coalesce(batch.progress_percent, stored.progress_percent, 0), batch.last_activity_at,
                coalesce(batch.completed_at, stored.completed_at),
                coalesce(batch.is_withdrawn, stored.is_withdrawn, false)
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[], $6::timestamptz[],
                  $7::timestamptz[], $8::boolean[])
             as batch (tenant_id, enrollment_id, learner_id, course_id, progress_percent, last_activity_at, completed_at,
                 is_withdrawn)
         left join learner_dashboard_courses as stored using (tenant_id, enrollment_id)
         on conflict (tenant_id, enrollment_id) do update
         set progress_percent = excluded.progress_percent,
             last_activity_at = excluded.last_activity_at,
             completed_at = excluded.completed_at,
             is_withdrawn = excluded.is_withdrawn",
        &column!(rows, tenant_id),
        &column!(rows, enrollment_id),
        &column!(rows, learner_id),
        &column!(rows, course_id),
        &column!(rows, progress_percent) as _,
        &column!(rows, last_activity_at),
        &column!(rows, completed_at) as _,
        &column!(rows, is_withdrawn) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_spending(
    connection: &mut PgConnection,
    spending: &BTreeMap<(Uuid, Uuid, String), Spending>,
) -> Result<(), ApplyError> {
    if spending.is_empty() {
        return Ok(());
    }
    let keys: Keys = spending.keys().map(|(tenant_id, learner_id, _)| (*tenant_id, *learner_id)).collect();
    let currencies: Vec<_> = spending.keys().map(|(_, _, currency)| currency.clone()).collect();
    let sums: Vec<_> = spending.values().collect();
    sqlx::query!(
        "insert into learner_dashboard_spending as stored (tenant_id, learner_id, currency, payments, amount_minor)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[])
         on conflict (tenant_id, learner_id, currency) do update
         set payments = stored.payments + excluded.payments,
             amount_minor = stored.amount_minor + excluded.amount_minor",
        &keys.tenants,
        &keys.ids,
        &currencies,
        &column!(sums, payments),
        &column!(sums, amount_minor),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_submissions(
    connection: &mut PgConnection,
    submissions: BTreeMap<Key, Submissions>,
) -> Result<(), ApplyError> {
    if submissions.is_empty() {
        return Ok(());
    }
    let keys: Keys = submissions.keys().copied().collect();
    let counts: Vec<_> = submissions.into_values().collect();
    sqlx::query!(
        "insert into learner_dashboard_submissions as stored (tenant_id, learner_id, submissions, passed)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
         on conflict (tenant_id, learner_id) do update
         set submissions = stored.submissions + excluded.submissions,
             passed = stored.passed + excluded.passed",
        &keys.tenants,
        &keys.ids,
        &column!(counts, submissions),
        &column!(counts, passed),
    )
    .execute(connection)
    .await?;
    Ok(())
}
