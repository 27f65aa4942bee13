//! What a whole organisation adds up to, in one document: `/v1/dashboards/admin`.

use super::{
    Money,
    analytics::{self, ActivityPoint},
};
use crate::{
    caller::SignedIn,
    period::{Period, today},
    snapshot::{Answer, Reader, Snapshot},
};
use events::Role;
use ops::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["admin_dashboard", "analytics"];

/// What an organisation adds up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminDashboard {
    /// Its accounts.
    pub accounts: AccountCounts,
    /// Its courses.
    pub courses: CourseCounts,
    /// How often learners entered a course.
    pub enrollments: i64,
    /// How often learners completed one.
    pub completions: i64,
    /// How often learners left one.
    pub withdrawals: i64,
    /// How many payments were made.
    pub payments: i64,
    /// What was paid, by currency.
    pub revenue: Vec<Money>,
    /// How many attempts at assessments were handed in.
    pub submissions: i64,
    /// How many of them passed.
    pub passed_submissions: i64,
    /// The last thirty days in UTC, each in its turn.
    pub series: Vec<ActivityPoint>,
}

/// Accounts, and how many of them were not deactivated.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct AccountCounts {
    /// All of them.
    pub total: i64,
    /// Those not deactivated.
    pub active: i64,
    /// By role.
    pub by_role: RoleCounts<AccountCount>,
}

/// Accounts of one role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccountCount {
    /// All of them.
    pub total: i64,
    /// Those not deactivated.
    pub active: i64,
}

/// Something for each role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoleCounts<T> {
    /// Learners.
    pub learner: T,
    /// Instructors.
    pub instructor: T,
    /// Auditors.
    pub auditor: T,
    /// Admins.
    pub admin: T,
    /// Superadmins.
    pub superadmin: T,
}

/// Courses by status.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CourseCounts {
    /// All of them.
    pub total: i64,
    /// Being made.
    pub draft: i64,
    /// Found and taken by anyone.
    pub published: i64,
    /// Withdrawn.
    pub archived: i64,
}

impl<T> RoleCounts<T> {
    /// What stands for a role; `None` for one that this version does not know.
    pub fn of(&mut self, role: &str) -> Option<&mut T> {
        Some(match role.parse().ok()? {
            Role::Learner => &mut self.learner,
            Role::Instructor => &mut self.instructor,
            Role::Auditor => &mut self.auditor,
            Role::Admin => &mut self.admin,
            Role::Superadmin => &mut self.superadmin,
            // No account has this role.
            Role::Operator => return None,
        })
    }
}

struct Row {
    metric: String,
    label: String,
    value: i64,
}

async fn rows(snapshot: &mut Snapshot) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select metric, label, value
         from read.admin_dashboard
         where tenant_id = $1
         order by metric, label",
        snapshot.tenant_id(),
    )
    .fetch_all(snapshot.connection())
    .await
}

/// How many accounts there are now.
pub(super) async fn account_counts(snapshot: &mut Snapshot) -> Result<AccountCounts, sqlx::Error> {
    Ok(sum(rows(snapshot).await?).accounts)
}

fn sum(rows: Vec<Row>) -> AdminDashboard {
    let mut sums = AdminDashboard {
        accounts: AccountCounts::default(),
        courses: CourseCounts::default(),
        enrollments: 0,
        completions: 0,
        withdrawals: 0,
        payments: 0,
        revenue: Vec::new(),
        submissions: 0,
        passed_submissions: 0,
        series: Vec::new(),
    };
    for Row { metric, label, value } in rows {
        match (metric.as_str(), label.as_str()) {
            ("accounts", role) => {
                sums.accounts.total += value;
                if let Some(count) = sums.accounts.by_role.of(role) {
                    count.total = value;
                }
            }
            ("active_accounts", role) => {
                sums.accounts.active += value;
                if let Some(count) = sums.accounts.by_role.of(role) {
                    count.active = value;
                }
            }
            ("courses", status) => {
                sums.courses.total += value;
                match status {
                    "draft" => sums.courses.draft = value,
                    "published" => sums.courses.published = value,
                    "archived" => sums.courses.archived = value,
                    _ => {}
                }
            }
            ("enrollments", _) => sums.enrollments += value,
            ("completions", _) => sums.completions += value,
            ("withdrawals", _) => sums.withdrawals += value,
            ("payments", _) => sums.payments += value,
            ("revenue", _) => sums.revenue.push(Money { amount_minor: value, currency: label }),
            ("submissions", _) => sums.submissions += value,
            ("passed", _) => sums.passed_submissions += value,
            _ => {}
        }
    }
    sums
}

/// What the organisation adds up to, for admins.
#[utoipa::path(get, path = "/v1/dashboards/admin", tag = "dashboard", security(("bearer" = [])), responses(
    (status = 200, description = "The dashboard", body = AdminDashboard),
    (status = 403, description = "`forbidden`"),
))]
pub async fn show(caller: SignedIn, reader: Reader) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    of_tenant(reader, caller.tenant_id).await
}

/// What one organisation adds up to.
pub(super) async fn of_tenant(reader: Reader, tenant_id: Uuid) -> Result<Answer, Problem> {
    let mut snapshot = reader.open(tenant_id, READS).await?;
    let sums = sum(rows(&mut snapshot).await?);
    let series = analytics::activity(&mut snapshot, Period::recent(today())).await?;
    snapshot.answer(axum::Json(AdminDashboard { series, ..sums })).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_find_their_places_and_totals_are_their_sums() {
        let row = |metric: &str, label: &str, value| Row { metric: metric.to_owned(), label: label.to_owned(), value };
        let sums = sum(vec![
            row("accounts", "admin", 1),
            row("accounts", "learner", 40),
            row("active_accounts", "learner", 39),
            row("courses", "draft", 2),
            row("courses", "published", 3),
            row("revenue", "EUR", 4999),
            row("revenue", "USD", 100),
            row("something_new", "", 7),
        ]);
        assert_eq!((sums.accounts.total, sums.accounts.active), (41, 39));
        assert_eq!(sums.accounts.by_role.learner, AccountCount { total: 40, active: 39 });
        assert_eq!((sums.courses.total, sums.courses.draft, sums.courses.archived), (5, 2, 0));
        assert_eq!(sums.revenue.len(), 2);
    }
}
