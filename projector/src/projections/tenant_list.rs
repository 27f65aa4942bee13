//! The organisations of the installation.

use super::{ApplyError, Interest, Projection};
use crate::entry::{Batch, Fact};
use events::{
    Aggregate, Event,
    tenant::{Tenant, TenantDetails, TenantEvent},
};
use sqlx::PgConnection;

pub(super) const PROJECTION: Projection = Projection {
    name: "tenant_list",
    tables: &["tenant_list"],
    appended: &[],
    streams: Interest::Streams(&[Tenant::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

// One statement an event: organisations come and change by the day, not by the second.
async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    for fact in batch.facts() {
        match fact.event {
            Event::Tenant(TenantEvent::Created { slug, details }) => {
                insert(connection, &fact, slug, details).await?;
            }
            Event::Tenant(TenantEvent::Updated { after, .. }) => update(connection, &fact, after).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    fact: &Fact<'_>,
    slug: &str,
    details: &TenantDetails,
) -> Result<(), ApplyError> {
    sqlx::query!(
        "insert into tenant_list (tenant_id, slug, name, registration, settings, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $6, $7)",
        fact.tenant_id,
        slug,
        details.name,
        details.registration.as_str(),
        serde_json::to_value(&details.settings)?,
        fact.at,
        fact.version,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, fact: &Fact<'_>, details: &TenantDetails) -> Result<(), ApplyError> {
    sqlx::query!(
        "update tenant_list
         set name = $2,
             registration = $3,
             settings = $4,
             updated_at = $5,
             version = $6
         where tenant_id = $1",
        fact.tenant_id,
        details.name,
        details.registration.as_str(),
        serde_json::to_value(&details.settings)?,
        fact.at,
        fact.version,
    )
    .execute(connection)
    .await?;
    Ok(())
}
