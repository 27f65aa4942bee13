//! Every payment: `/v1/me/payments`.

use super::Money;
use crate::{
    caller::SignedIn,
    gather::{Gathered, Kind, Loaded, Loading},
    snapshot::{Answer, Reader},
};
use axum::extract::State;
use chrono::{DateTime, Utc};
use ops::{
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["payment_list", "course_catalogue"];

/// A payment for a course.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    place: i64,
    reflected: i64,
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
pub async fn mine(
    caller: SignedIn,
    reader: Reader,
    State(payments): State<Gathered<OwnPayments>>,
    PageQuery { page, .. }: PageQuery,
) -> Result<Answer, Problem> {
    let wanted = Wanted { learner_id: caller.account_id, after: page.after()?, limit: page.fetch() };
    let found = payments.find(&reader, caller.tenant_id, wanted).await?;
    let rows = found.value.unwrap_or_default();
    Ok(Answer::at(found.position, page.page(rows, |payment| (payment.paid_at, payment.id))))
}

/// Somebody's payments, read together with those of others.
#[derive(Debug)]
pub struct OwnPayments;

/// Which of somebody's payments: from a place in the order on, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    learner_id: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
}

impl Kind for OwnPayments {
    type Key = Wanted;
    type Value = Vec<Payment>;

    const READS: &'static [&'static str] = READS;

    fn load<'a>(connection: &'a mut PgConnection, tenant_id: Uuid, wanted: &'a [Wanted]) -> Loading<'a, Self> {
        Box::pin(async move {
            let (before, before_ids): (Vec<_>, Vec<_>) = wanted.iter().map(|wanted| wanted.after.unzip()).unzip();
            let rows = sqlx::query_as!(
                Row,
                r#"select p.payment_id as id, p.course_id, c.title as "course_title?", p.enrollment_id, p.amount_minor,
                          p.currency, p.status, p.provider, p.transaction_id, p.paid_at, p.version,
                          wanted.place as "place!",
                          (select min(position) from read.projections where name = any($6)) as "reflected!"
                   from unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::bigint[])
                       with ordinality as wanted (learner_id, before, before_id, rows, place)
                   cross join lateral (
                       select *
                       from read.payment_list
                       where tenant_id = $1
                         and learner_id = wanted.learner_id
                         and (before is null or (paid_at, payment_id) < (before, before_id))
                       order by paid_at desc, payment_id desc
                       limit wanted.rows
                   ) p
                   left join read.course_catalogue c on c.tenant_id = $1 and c.course_id = p.course_id
                   order by wanted.place, p.paid_at desc, p.payment_id desc"#,
                tenant_id,
                &wanted.iter().map(|wanted| wanted.learner_id).collect::<Vec<_>>(),
                &before as _,
                &before_ids as _,
                &wanted.iter().map(|wanted| wanted.limit).collect::<Vec<_>>(),
                Self::READS as _,
            )
            .fetch_all(connection)
            .await?;
            let mut pages: BTreeMap<i64, (Vec<Payment>, i64)> = BTreeMap::new();
            for row in rows {
                let (payments, position) = pages.entry(row.place).or_default();
                *position = row.reflected;
                payments.push(row.into());
            }
            let loaded = pages.into_iter().filter_map(|(place, (value, position))| {
                let key = wanted.get(usize::try_from(place - 1).ok()?)?.clone();
                Some(Loaded { key, value, position })
            });
            Ok(loaded.collect())
        })
    }
}
