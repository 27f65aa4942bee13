//! A learner's first page in one document: `/v1/dashboards/learner`.

use super::{
    Money,
    enrollment_progress::{self, Enrollment},
    submission_list::{self, Submission},
};
use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader, Snapshot},
};
use events::Role;
use ops::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

const READS: &[&str] =
    &["learner_dashboard", "enrollment_progress", "course_catalogue", "submission_list", "assessment_list"];

/// As many enrolments and submissions as the page shows.
const RECENT: i64 = 5;

/// A learner's first page.
#[derive(Debug, Serialize, ToSchema)]
pub struct LearnerDashboard {
    /// The courses that the learner is in.
    pub enrollments: EnrollmentCounts,
    /// What was handed in.
    pub submissions: SubmissionCounts,
    /// What was paid, by currency.
    pub payments: Vec<Spending>,
    /// The enrolments of late, newest first.
    pub recent_enrollments: Vec<Enrollment>,
    /// The submissions of late, newest first.
    pub recent_submissions: Vec<Submission>,
}

/// The courses that a learner is in.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrollmentCounts {
    /// All of them.
    pub total: i64,
    /// Those not completed yet.
    pub in_progress: i64,
    /// Those completed.
    pub completed: i64,
    /// The mean of their progress, 0 to 100.
    pub average_progress_percent: i64,
}

/// What a learner handed in.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SubmissionCounts {
    /// All of it.
    pub total: i64,
    /// What passed.
    pub passed: i64,
}

/// What a learner paid in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Spending {
    /// How many payments.
    pub count: i64,
    /// Their sum.
    pub total: Money,
}

async fn enrollments(snapshot: &mut Snapshot, caller: SignedIn) -> Result<EnrollmentCounts, sqlx::Error> {
    sqlx::query_as!(
        EnrollmentCounts,
        r#"select count(*) as "total!",
                  count(*) filter (where completed_at is null) as "in_progress!",
                  count(completed_at) as "completed!",
                  coalesce(floor(avg(progress_percent)), 0)::bigint as "average_progress_percent!"
           from read.learner_dashboard_courses
           where tenant_id = $1
             and learner_id = $2
             and not is_withdrawn"#,
        snapshot.tenant_id(),
        caller.account_id,
    )
    .fetch_one(snapshot.connection())
    .await
}

async fn submissions(snapshot: &mut Snapshot, caller: SignedIn) -> Result<SubmissionCounts, sqlx::Error> {
    let counts = sqlx::query_as!(
        SubmissionCounts,
        "select submissions as total, passed
         from read.learner_dashboard_submissions
         where tenant_id = $1
           and learner_id = $2",
        snapshot.tenant_id(),
        caller.account_id,
    )
    .fetch_optional(snapshot.connection())
    .await?;
    Ok(counts.unwrap_or_default())
}

async fn payments(snapshot: &mut Snapshot, caller: SignedIn) -> Result<Vec<Spending>, sqlx::Error> {
    let rows = sqlx::query!(
        "select currency, payments, amount_minor
         from read.learner_dashboard_spending
         where tenant_id = $1
           and learner_id = $2
         order by currency",
        snapshot.tenant_id(),
        caller.account_id,
    )
    .fetch_all(snapshot.connection())
    .await?;
    let spending = rows.into_iter().map(|row| Spending {
        count: row.payments,
        total: Money { amount_minor: row.amount_minor, currency: row.currency },
    });
    Ok(spending.collect())
}

/// The caller's first page, for learners.
#[utoipa::path(get, path = "/v1/dashboards/learner", tag = "dashboard", security(("bearer" = [])), responses(
    (status = 200, description = "The dashboard", body = LearnerDashboard),
    (status = 403, description = "`forbidden`"),
))]
pub async fn show(caller: SignedIn, reader: Reader) -> Result<Answer, Problem> {
    caller.require(&[Role::Learner])?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let dashboard = LearnerDashboard {
        enrollments: enrollments(&mut snapshot, caller).await?,
        submissions: submissions(&mut snapshot, caller).await?,
        payments: payments(&mut snapshot, caller).await?,
        recent_enrollments: enrollment_progress::of_learner(&mut snapshot, caller.account_id, None, RECENT).await?,
        recent_submissions: submission_list::of_learner(&mut snapshot, caller.account_id, None, RECENT).await?,
    };
    snapshot.answer(axum::Json(dashboard)).await
}
