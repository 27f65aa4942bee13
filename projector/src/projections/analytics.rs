//! Series by day, in UTC: what was registered, entered, finished, paid and handed in.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact};
use chrono::NaiveDate;
use events::{
    Aggregate, Event,
    account::{Account, AccountEvent},
    enrollment::{Enrollment, EnrollmentEvent},
    payment::{Payment, PaymentEvent},
    submission::{Attempts, SubmissionEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "analytics",
    tables: &["analytics"],
    appended: &[],
    streams: Interest::Streams(&[
        Account::STREAM_TYPE,
        Enrollment::STREAM_TYPE,
        Payment::STREAM_TYPE,
        Attempts::STREAM_TYPE,
    ]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

/// One point of one series.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    tenant_id: Uuid,
    metric: String,
    day: NaiveDate,
    label: String,
    currency: String,
}

impl Point {
    fn of(fact: &Fact<'_>, metric: &str, label: &str, currency: &str) -> Self {
        Self {
            tenant_id: fact.tenant_id,
            metric: metric.to_owned(),
            day: fact.at.date_naive(),
            label: label.to_owned(),
            currency: currency.to_owned(),
        }
    }
}

#[derive(Default)]
struct Sum {
    count: i64,
    amount_minor: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut points: BTreeMap<Point, Sum> = BTreeMap::new();
    for fact in batch.facts() {
        let (point, amount_minor) = match fact.event {
            Event::Account(AccountEvent::Registered { role, .. }) => {
                (Point::of(&fact, "accounts", role.as_str(), ""), 0)
            }
            Event::Enrollment(EnrollmentEvent::Enrolled { .. }) => (Point::of(&fact, "enrollments", "", ""), 0),
            Event::Enrollment(EnrollmentEvent::Completed { .. }) => (Point::of(&fact, "completions", "", ""), 0),
            Event::Enrollment(EnrollmentEvent::Withdrawn { .. }) => (Point::of(&fact, "withdrawals", "", ""), 0),
            Event::Payment(PaymentEvent::Captured { amount, .. }) => {
                (Point::of(&fact, "revenue", "", amount.currency.as_str()), amount.amount_minor)
            }
            Event::Submission(SubmissionEvent::Submitted { result, .. }) => {
                if result.and_then(|result| result.passed) == Some(true) {
                    points.entry(Point::of(&fact, "passed", "", "")).or_default().count += 1;
                }
                (Point::of(&fact, "submissions", "", ""), 0)
            }
            _ => continue,
        };
        let sum = points.entry(point).or_default();
        sum.count += 1;
        sum.amount_minor += amount_minor;
    }
    add(connection, &points).await
}

async fn add(connection: &mut PgConnection, points: &BTreeMap<Point, Sum>) -> Result<(), ApplyError> {
    if points.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = points.keys().collect();
    let sums: Vec<_> = points.values().collect();
    sqlx::query!(
        "insert into analytics as stored (tenant_id, metric, day, label, currency, count, amount_minor)
         select *
         from unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
         on conflict (tenant_id, metric, day, label, currency) do update
         set count = stored.count + excluded.count,
             amount_minor = stored.amount_minor + excluded.amount_minor",
        &column!(keys, tenant_id),
        &column!(keys, metric),
        &column!(keys, day),
        &column!(keys, label),
        &column!(keys, currency),
        &column!(sums, count),
        &column!(sums, amount_minor),
    )
    .execute(connection)
    .await?;
    Ok(())
}
