//! Every payment: `/v1/me/payments`.

use super::Money;
use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use ops::{
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["payment_list", "course_catalogue"];

/// A payment for a course.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payment {
    /// The payment.
    pub id: Uuid,
    /// What was paid for.
    pub course_id: Uuid,
    /// The course's title.
    pub course_title: Option<String>,
    /// The enrolment that it belongs to.
    pub enrollment_id: Uuid,
    /// What was paid.
    pub amount: Money,
    /// Where it stands.
    #[schema(example = "completed")]
    pub status: String,
    /// Who carried it out; `import` where another system did, from which it was imported.
    #[schema(example = "dummy")]
    pub provider: String,
    /// The reference that people quote; of an imported payment, what the other system called it.
    #[schema(example = "TXN-4F9A1C07B2E3")]
    pub transaction_id: String,
    /// When.
    pub paid_at: DateTime<Utc>,
    /// What If-Match compares.
    pub version: i64,
}

struct Row {
    id: Uuid,
    course_id: Uuid,
    course_title: Option<String>,
    enrollment_id: Uuid,
    amount_minor: i64,
    currency: String,
    status: String,
    provider: String,
    transaction_id: String,
    paid_at: DateTime<Utc>,
    version: i64,
}

impl From<Row> for Payment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            course_id: row.course_id,
            course_title: row.course_title,
            enrollment_id: row.enrollment_id,
            amount: Money { amount_minor: row.amount_minor, currency: row.currency },
            status: row.status,
            provider: row.provider,
            transaction_id: row.transaction_id,
            paid_at: row.paid_at,
            version: row.version,
        }
    }
}

/// One's own payments, newest first.
#[utoipa::path(get, path = "/v1/me/payments", tag = "me", security(("bearer" = [])), params(PageParams), responses(
    (status = 200, description = "A page of payments", body = Page<Payment>),
))]
pub async fn mine(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    let (before, id) = page.after::<(DateTime<Utc>, Uuid)>()?.unzip();
    let mut snapshot = reader.open_by_key(caller.tenant_id, READS).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"select p.payment_id as id, p.course_id, c.title as "course_title?", p.enrollment_id, p.amount_minor,
                  p.currency, p.status, p.provider, p.transaction_id, p.paid_at, p.version
           from read.payment_list p
           left join read.course_catalogue c using (tenant_id, course_id)
           where p.tenant_id = $1
             and p.learner_id = $2
             and ($3::timestamptz is null or (p.paid_at, p.payment_id) < ($3, $4::uuid))
           order by p.paid_at desc, p.payment_id desc
           limit $5"#,
        snapshot.tenant_id(),
        caller.account_id,
        before,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    let payments = rows.into_iter().map(Payment::from).collect();
    snapshot.answer(page.page(payments, |payment| (payment.paid_at, payment.id))).await
}
