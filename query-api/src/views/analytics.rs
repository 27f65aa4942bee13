//! Series over time: `/v1/analytics/accounts-by-role`, `/revenue`, `/enrollments`, `/submissions`. Points
//! without events are there too, as zeros.

use super::{
    Money,
    admin_dashboard::{self, AccountCounts, RoleCounts},
};
use crate::{
    caller::SignedIn,
    period::{Bucket, Period, PeriodParams, today},
    snapshot::{Answer, Reader, Snapshot},
};
use chrono::NaiveDate;
use events::Role;
use ops::{extract::Query, problem::Problem};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

const READS: &[&str] = &["analytics"];
const READS_ACCOUNTS: &[&str] = &["analytics", "admin_dashboard"];

/// A series over time, and what it adds up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series<P, T> {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// What one point covers.
    pub bucket: Bucket,
    /// The points in order, without a gap.
    pub series: Vec<P>,
    /// What they add up to.
    pub totals: T,
}

/// The accounts that came to be in one piece of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegistrationPoint {
    /// The first day of the piece.
    pub start: NaiveDate,
    /// All of them.
    pub registered: i64,
    /// By role.
    pub by_role: RoleCounts<i64>,
}

/// What was paid in one piece of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevenuePoint {
    /// The first day of the piece.
    pub start: NaiveDate,
    /// How many payments were made.
    pub payments: i64,
    /// What was paid, in each currency of the period.
    pub revenue: Vec<Money>,
}

/// What was paid in the whole period.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevenueTotals {
    /// How many payments were made.
    pub payments: i64,
    /// What was paid, by currency.
    pub revenue: Vec<Money>,
}

/// What learners began and finished in one piece of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrollmentPoint {
    /// The first day of the piece.
    pub start: NaiveDate,
    /// How often learners entered a course.
    pub enrollments: i64,
    /// How often learners completed one.
    pub completions: i64,
    /// How often learners left one.
    pub withdrawals: i64,
}

/// What learners began and finished in the whole period.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrollmentTotals {
    /// How often learners entered a course.
    pub enrollments: i64,
    /// How often learners completed one.
    pub completions: i64,
    /// How often learners left one.
    pub withdrawals: i64,
}

/// What learners handed in in one piece of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionPoint {
    /// The first day of the piece.
    pub start: NaiveDate,
    /// How many attempts at assessments were handed in.
    pub submissions: i64,
    /// How many of them passed.
    pub passed: i64,
}

/// What learners handed in in the whole period.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionTotals {
    /// How many attempts at assessments were handed in.
    pub submissions: i64,
    /// How many of them passed.
    pub passed: i64,
}

/// What happened on one day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityPoint {
    /// The day.
    pub start: NaiveDate,
    /// The accounts that came to be.
    pub registrations: i64,
    /// How often learners entered a course.
    pub enrollments: i64,
    /// How often learners completed one.
    pub completions: i64,
    /// How often learners left one.
    pub withdrawals: i64,
    /// How many attempts at assessments were handed in.
    pub submissions: i64,
    /// How many payments were made.
    pub payments: i64,
    /// What was paid, in each currency of these days.
    pub revenue: Vec<Money>,
}

struct Row {
    metric: String,
    start: NaiveDate,
    label: String,
    currency: String,
    count: i64,
    amount_minor: i64,
}

/// Rows by where they count.
struct Sums {
    rows: Vec<Row>,
    period: Period,
}

async fn sums(snapshot: &mut Snapshot, metrics: &[&str], period: Period) -> Result<Sums, sqlx::Error> {
    let bucket = match period.bucket {
        Bucket::Day => "day",
        Bucket::Week => "week",
        Bucket::Month => "month",
    };
    let rows = sqlx::query_as!(
        Row,
        r#"select metric, date_trunc($5, day::timestamp)::date as "start!", label, currency,
                  sum(count)::bigint as "count!", sum(amount_minor)::bigint as "amount_minor!"
           from read.analytics
           where tenant_id = $1
             and metric = any($2)
             and day between $3 and $4
           group by metric, 2, label, currency"#,
        snapshot.tenant_id(),
        metrics as _,
        period.from,
        period.to,
        bucket,
    )
    .fetch_all(snapshot.connection())
    .await?;
    Ok(Sums { rows, period })
}

impl Sums {
    /// How often something happened, by the start of the piece.
    fn counts(&self, metric: &str) -> BTreeMap<NaiveDate, i64> {
        let mut counts = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.metric == metric) {
            *counts.entry(row.start).or_default() += row.count;
        }
        counts
    }

    /// A point for every piece of the period.
    fn points<P>(&self, point: impl FnMut(NaiveDate) -> P) -> Vec<P> {
        self.period.starts().map(point).collect()
    }

    /// What was paid, in every currency of the period, by the start of the piece.
    fn revenue(&self) -> impl Fn(NaiveDate) -> Vec<Money> {
        let paid: BTreeMap<_, _> = self
            .rows
            .iter()
            .filter(|row| row.metric == "revenue")
            .map(|row| ((row.start, row.currency.clone()), row.amount_minor))
            .collect();
        let currencies: BTreeSet<String> = paid.keys().map(|(_, currency)| currency.clone()).collect();
        move |start| {
            let amount = |currency: &String| paid.get(&(start, currency.clone())).copied().unwrap_or_default();
            let money = |currency: &String| Money { amount_minor: amount(currency), currency: currency.clone() };
            currencies.iter().map(money).collect()
        }
    }

    fn series<P, T>(&self, series: Vec<P>, totals: T) -> Series<P, T> {
        let Period { from, to, bucket } = self.period;
        Series { from, to, bucket, series, totals }
    }
}

fn at(counts: &BTreeMap<NaiveDate, i64>, start: NaiveDate) -> i64 {
    counts.get(&start).copied().unwrap_or_default()
}

/// All that happened, a point a piece.
pub(super) async fn activity(snapshot: &mut Snapshot, period: Period) -> Result<Vec<ActivityPoint>, sqlx::Error> {
    let metrics = ["accounts", "enrollments", "completions", "withdrawals", "submissions", "revenue"];
    let sums = sums(snapshot, &metrics, period).await?;
    let [registrations, enrollments, completions, withdrawals, submissions, payments] =
        metrics.map(|metric| sums.counts(metric));
    let revenue = sums.revenue();
    Ok(sums.points(|start| ActivityPoint {
        start,
        registrations: at(&registrations, start),
        enrollments: at(&enrollments, start),
        completions: at(&completions, start),
        withdrawals: at(&withdrawals, start),
        submissions: at(&submissions, start),
        payments: at(&payments, start),
        revenue: revenue(start),
    }))
}

/// The accounts that there are now, by role, and those that came to be over time.
#[utoipa::path(get, path = "/v1/analytics/accounts-by-role", tag = "analytics", security(("bearer" = [])),
    params(PeriodParams), responses(
        (status = 200, description = "The totals are the accounts that there are now, whatever the period",
         body = Series<RegistrationPoint, AccountCounts>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn accounts_by_role(
    caller: SignedIn,
    reader: Reader,
    Query(params): Query<PeriodParams>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let period = params.resolve(today())?;
    let mut snapshot = reader.open(caller.tenant_id, READS_ACCOUNTS).await?;
    let sums = sums(&mut snapshot, &["accounts"], period).await?;
    let mut by_start: BTreeMap<NaiveDate, RoleCounts<i64>> = BTreeMap::new();
    for row in &sums.rows {
        if let Some(count) = by_start.entry(row.start).or_default().of(&row.label) {
            *count += row.count;
        }
    }
    let registered = sums.counts("accounts");
    let points = sums.points(|start| RegistrationPoint {
        start,
        registered: at(&registered, start),
        by_role: by_start.get(&start).copied().unwrap_or_default(),
    });
    let totals = admin_dashboard::account_counts(&mut snapshot).await?;
    snapshot.answer(axum::Json(sums.series(points, totals))).await
}

/// What was paid over time.
#[utoipa::path(get, path = "/v1/analytics/revenue", tag = "analytics", security(("bearer" = [])),
    params(PeriodParams), responses(
        (status = 200, description = "The series", body = Series<RevenuePoint, RevenueTotals>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn revenue(caller: SignedIn, reader: Reader, Query(params): Query<PeriodParams>) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let period = params.resolve(today())?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let sums = sums(&mut snapshot, &["revenue"], period).await?;
    let (payments, revenue) = (sums.counts("revenue"), sums.revenue());
    let points = sums.points(|start| RevenuePoint { start, payments: at(&payments, start), revenue: revenue(start) });
    let mut by_currency: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &sums.rows {
        *by_currency.entry(&row.currency).or_default() += row.amount_minor;
    }
    let money = |(currency, amount_minor): (&str, i64)| Money { amount_minor, currency: currency.to_owned() };
    let totals =
        RevenueTotals { payments: payments.values().sum(), revenue: by_currency.into_iter().map(money).collect() };
    snapshot.answer(axum::Json(sums.series(points, totals))).await
}

/// What learners began and finished over time.
#[utoipa::path(get, path = "/v1/analytics/enrollments", tag = "analytics", security(("bearer" = [])),
    params(PeriodParams), responses(
        (status = 200, description = "The series", body = Series<EnrollmentPoint, EnrollmentTotals>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn enrollments(
    caller: SignedIn,
    reader: Reader,
    Query(params): Query<PeriodParams>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let period = params.resolve(today())?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let metrics = ["enrollments", "completions", "withdrawals"];
    let sums = sums(&mut snapshot, &metrics, period).await?;
    let [enrollments, completions, withdrawals] = metrics.map(|metric| sums.counts(metric));
    let points = sums.points(|start| EnrollmentPoint {
        start,
        enrollments: at(&enrollments, start),
        completions: at(&completions, start),
        withdrawals: at(&withdrawals, start),
    });
    let totals = EnrollmentTotals {
        enrollments: enrollments.values().sum(),
        completions: completions.values().sum(),
        withdrawals: withdrawals.values().sum(),
    };
    snapshot.answer(axum::Json(sums.series(points, totals))).await
}

/// What learners handed in over time.
#[utoipa::path(get, path = "/v1/analytics/submissions", tag = "analytics", security(("bearer" = [])),
    params(PeriodParams), responses(
        (status = 200, description = "The series", body = Series<SubmissionPoint, SubmissionTotals>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn submissions(
    caller: SignedIn,
    reader: Reader,
    Query(params): Query<PeriodParams>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let period = params.resolve(today())?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let metrics = ["submissions", "passed"];
    let sums = sums(&mut snapshot, &metrics, period).await?;
    let [submissions, passed] = metrics.map(|metric| sums.counts(metric));
    let point = |start| SubmissionPoint { start, submissions: at(&submissions, start), passed: at(&passed, start) };
    let points = sums.points(point);
    let totals = SubmissionTotals { submissions: submissions.values().sum(), passed: passed.values().sum() };
    snapshot.answer(axum::Json(sums.series(points, totals))).await
}
