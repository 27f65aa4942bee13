//! Every payment.

use super::{ApplyError, Interest, Projection, column};
use crate::{copy::copy, entry::Batch};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    payment::{Payment, PaymentEvent, PaymentStatus, Provider},
};
use sqlx::PgConnection;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "payment_list",
    tables: &["payment_list"],
    appended: &["payment_list"],
    streams: Interest::Streams(&[Payment::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    payment_id: Uuid,
    learner_id: Uuid,
    course_id: Uuid,
    enrollment_id: Uuid,
    amount_minor: i64,
    currency: String,
    status: String,
    provider: String,
    transaction_id: String,
    paid_at: DateTime<Utc>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut payments = Vec::new();
    for fact in batch.facts() {
        let Event::Payment(event) = fact.event else { continue };
        match event {
            PaymentEvent::Captured { learner_id, course_id, enrollment_id, amount, transaction_id, provider } => {
                payments.push(Row {
                    tenant_id: fact.tenant_id,
                    payment_id: fact.id,
                    learner_id: learner_id.as_uuid(),
                    course_id: course_id.as_uuid(),
                    enrollment_id: enrollment_id.as_uuid(),
                    amount_minor: amount.amount_minor,
                    currency: amount.currency.to_string(),
                    status: PaymentStatus::Completed.as_str().to_owned(),
                    provider: provider_name(*provider).to_owned(),
                    transaction_id: transaction_id.clone(),
                    paid_at: fact.at,
                    version: fact.version,
                });
            }
        }
    }
    if batch.is_bulk() {
        return copy_in(connection, payments).await;
    }
    insert(connection, &payments).await
}

const fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Dummy => "dummy",
        Provider::Import => "import",
    }
}

async fn copy_in(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    let into = "payment_list (tenant_id, payment_id, learner_id, course_id, enrollment_id, amount_minor, currency, status, \
                provider, transaction_id, paid_at, version)";
    Ok(copy(connection, into, rows, |row, values| {
        values
            .add(&row.tenant_id)
            .add(&row.payment_id)
            .add(&row.learner_id)
            .add(&row.course_id)
            .add(&row.enrollment_id);
        values.add(&row.amount_minor).add(&*row.currency).add(&*row.status).add(&*row.provider);
        values.add(&*row.transaction_id).add(&row.paid_at).add(&row.version);
    })
    .await?)
}

async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into payment_list (tenant_id, payment_id, learner_id, course_id, enrollment_id, amount_minor, currency,
             status, provider, transaction_id, paid_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::text[], $8::text[],
             $9::text[], $10::text[], $11::timestamptz[], $12::bigint[])",
        &column!(rows, tenant_id),
        &column!(rows, payment_id),
        &column!(rows, learner_id),
        &column!(rows, course_id),
        &column!(rows, enrollment_id),
        &column!(rows, amount_minor),
        &column!(rows, currency),
        &column!(rows, status),
        &column!(rows, provider),
        &column!(rows, transaction_id),
        &column!(rows, paid_at),
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}
