//! What a tenant adds up to today, one row a number. Accounts and courses move between numbers, so what each counts for
//! is kept beside.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use events::{
    Aggregate, Event,
    account::{Account, AccountEvent},
    course::{Course, CourseEvent, CourseStatus},
    enrollment::{Enrollment, EnrollmentEvent},
    payment::{Payment, PaymentEvent},
    submission::{Attempts, SubmissionEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "admin_dashboard",
    tables: &["admin_dashboard", "admin_dashboard_accounts", "admin_dashboard_courses"],
    appended: &[],
    streams: Interest::Streams(&[
        Account::STREAM_TYPE,
        Course::STREAM_TYPE,
        Enrollment::STREAM_TYPE,
        Payment::STREAM_TYPE,
        Attempts::STREAM_TYPE,
    ]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct AccountRow {
    tenant_id: Uuid,
    account_id: Uuid,
    role: String,
    is_active: bool,
}

struct CourseRow {
    tenant_id: Uuid,
    course_id: Uuid,
    status: String,
}

/// What the batch adds to each number, or takes from it.
#[derive(Default)]
struct Numbers(BTreeMap<(Uuid, &'static str, String), i64>);

impl Numbers {
    fn add(&mut self, tenant_id: Uuid, metric: &'static str, label: &str, by: i64) {
        *self.0.entry((tenant_id, metric, label.to_owned())).or_default() += by;
    }
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut accounts = load_accounts(connection, &batch.streams(Account::STREAM_TYPE)).await?;
    let mut courses = load_courses(connection, &batch.streams(Course::STREAM_TYPE)).await?;
    let mut numbers = Numbers::default();
    for fact in batch.facts() {
        match fact.event {
            Event::Account(event) => fold_account(&mut accounts, &mut numbers, &fact, event),
            Event::Course(event) => fold_course(&mut courses, &mut numbers, &fact, event),
            Event::Enrollment(EnrollmentEvent::Enrolled { .. }) => numbers.add(fact.tenant_id, "enrollments", "", 1),
            Event::Enrollment(EnrollmentEvent::Completed { .. }) => numbers.add(fact.tenant_id, "completions", "", 1),
            Event::Enrollment(EnrollmentEvent::Withdrawn { .. }) => numbers.add(fact.tenant_id, "withdrawals", "", 1),
            Event::Payment(PaymentEvent::Captured { amount, .. }) => {
                numbers.add(fact.tenant_id, "payments", amount.currency.as_str(), 1);
                numbers.add(fact.tenant_id, "revenue", amount.currency.as_str(), amount.amount_minor);
            }
            Event::Submission(SubmissionEvent::Submitted { result, .. }) => {
                let passed = result.and_then(|result| result.passed) == Some(true);
                numbers.add(fact.tenant_id, "submissions", "", 1);
                numbers.add(fact.tenant_id, "passed", "", i64::from(passed));
            }
            Event::Enrollment(EnrollmentEvent::LessonCompleted { .. })
            | Event::AuthSession(_)
            | Event::AccountImport(_)
            | Event::Invitation(_)
            | Event::Category(_)
            | Event::Assessment(_)
            | Event::Refusal(_)
            | Event::Tenant(_) => {}
        }
    }
    save_accounts(connection, accounts.into_values().collect()).await?;
    save_courses(connection, courses.into_values().collect()).await?;
    add(connection, numbers).await
}

fn fold_account(
    accounts: &mut BTreeMap<Key, AccountRow>,
    numbers: &mut Numbers,
    fact: &Fact<'_>,
    event: &AccountEvent,
) {
    match event {
        AccountEvent::Registered { role, .. } => {
            let role = role.as_str().to_owned();
            numbers.add(fact.tenant_id, "accounts", &role, 1);
            numbers.add(fact.tenant_id, "active_accounts", &role, 1);
            let row = AccountRow { tenant_id: fact.tenant_id, account_id: fact.id, role, is_active: true };
            accounts.insert(fact.key(), row);
        }
        AccountEvent::Deactivated {} | AccountEvent::Activated {} => {
            let is_active = matches!(event, AccountEvent::Activated {});
            let Some(row) = accounts.get_mut(&fact.key()) else { return };
            let change = i64::from(is_active) - i64::from(row.is_active);
            numbers.add(fact.tenant_id, "active_accounts", &row.role, change);
            row.is_active = is_active;
        }
        AccountEvent::RoleChanged { after, .. } => {
            let Some(row) = accounts.get_mut(&fact.key()) else { return };
            let before = std::mem::replace(&mut row.role, after.as_str().to_owned());
            let counted = [("accounts", 1), ("active_accounts", i64::from(row.is_active))];
            for (metric, one) in counted {
                numbers.add(fact.tenant_id, metric, &before, -one);
                numbers.add(fact.tenant_id, metric, &row.role, one);
            }
        }
        AccountEvent::ProfileUpdated { .. }
        | AccountEvent::PasswordSet { .. }
        | AccountEvent::PasswordResetRequested { .. }
        | AccountEvent::PortalAccessChanged { .. }
        | AccountEvent::EmailChanged { .. }
        | AccountEvent::UsernameChanged { .. }
        | AccountEvent::Locked { .. }
        | AccountEvent::Unlocked {} => {}
    }
}

fn fold_course(courses: &mut BTreeMap<Key, CourseRow>, numbers: &mut Numbers, fact: &Fact<'_>, event: &CourseEvent) {
    let status = match event {
        CourseEvent::Created { .. } => CourseStatus::Draft,
        CourseEvent::Published {} => CourseStatus::Published,
        CourseEvent::Archived {} => CourseStatus::Archived,
        CourseEvent::Updated { .. } | CourseEvent::LessonAdded { .. } => return,
    };
    let row = CourseRow { tenant_id: fact.tenant_id, course_id: fact.id, status: status.as_str().to_owned() };
    numbers.add(fact.tenant_id, "courses", &row.status, 1);
    if let Some(before) = courses.insert(fact.key(), row) {
        numbers.add(fact.tenant_id, "courses", &before.status, -1);
    }
}

async fn load_accounts(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, AccountRow>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        AccountRow,
        "select tenant_id, account_id, role, is_active
         from admin_dashboard_accounts
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, account_id) using (tenant_id, account_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.account_id), row)).collect())
}

async fn save_accounts(connection: &mut PgConnection, rows: Vec<AccountRow>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into admin_dashboard_accounts (tenant_id, account_id, role, is_active)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[])
         on conflict (tenant_id, account_id) do update
         set role = excluded.role,
             is_active = excluded.is_active",
        &column!(rows, tenant_id),
        &column!(rows, account_id),
        &column!(rows, role),
        &column!(rows, is_active),
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
        "select tenant_id, course_id, status
         from admin_dashboard_courses
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
        "insert into admin_dashboard_courses (tenant_id, course_id, status)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::text[])
         on conflict (tenant_id, course_id) do update
         set status = excluded.status",
        &column!(rows, tenant_id),
        &column!(rows, course_id),
        &column!(rows, status),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn add(connection: &mut PgConnection, numbers: Numbers) -> Result<(), ApplyError> {
    if numbers.0.is_empty() {
        return Ok(());
    }
    let tenants: Vec<_> = numbers.0.keys().map(|(tenant_id, _, _)| *tenant_id).collect();
    let metrics: Vec<_> = numbers.0.keys().map(|(_, metric, _)| (*metric).to_owned()).collect();
    let labels: Vec<_> = numbers.0.keys().map(|(_, _, label)| label.clone()).collect();
    let values: Vec<_> = numbers.0.into_values().collect();
    sqlx::query!(
        "insert into admin_dashboard as stored (tenant_id, metric, label, value)
         select *
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
         on conflict (tenant_id, metric, label) do update
         set value = stored.value + excluded.value",
        &tenants,
        &metrics,
        &labels,
        &values,
    )
    .execute(connection)
    .await?;
    Ok(())
}
