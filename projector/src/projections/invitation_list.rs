//! Who was invited, and what became of it.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    invitation::{Invitation, InvitationEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "invitation_list",
    tables: &["invitation_list"],
    appended: &[],
    streams: Interest::Streams(&[Invitation::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    invitation_id: Uuid,
    account_id: Uuid,
    email: Option<String>,
    role: String,
    invited_by: Uuid,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    accepted_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut invitations = load(connection, &batch.streams(Invitation::STREAM_TYPE)).await?;
    for fact in batch.facts() {
        if let Event::Invitation(event) = fact.event {
            fold(&mut invitations, &fact, event);
        }
    }
    save(connection, invitations.into_values().collect()).await
}

fn fold(invitations: &mut BTreeMap<Key, Row>, fact: &Fact<'_>, event: &InvitationEvent) {
    if let InvitationEvent::Issued { account_id, email, role, invited_by, expires_at } = event {
        let row = Row {
            tenant_id: fact.tenant_id,
            invitation_id: fact.id,
            account_id: account_id.as_uuid(),
            email: email.known().cloned(),
            role: role.as_str().to_owned(),
            invited_by: invited_by.as_uuid(),
            created_at: fact.at,
            expires_at: *expires_at,
            accepted_at: None,
            revoked_at: None,
            version: fact.version,
        };
        invitations.insert(fact.key(), row);
        return;
    }
    let Some(row) = invitations.get_mut(&fact.key()) else { return };
    row.version = fact.version;
    match event {
        InvitationEvent::Issued { .. } => {}
        InvitationEvent::Accepted { .. } => row.accepted_at = Some(fact.at),
        InvitationEvent::Revoked {} => row.revoked_at = Some(fact.at),
    }
}

async fn load(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, Row>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, invitation_id, account_id, email, role, invited_by, created_at, expires_at, accepted_at,
                revoked_at, version
         from invitation_list
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, invitation_id) using (tenant_id, invitation_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.invitation_id), row)).collect())
}

async fn save(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into invitation_list (tenant_id, invitation_id, account_id, email, role, invited_by, created_at,
             expires_at, accepted_at, revoked_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[],
             $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
         on conflict (tenant_id, invitation_id) do update
         set accepted_at = excluded.accepted_at,
             revoked_at = excluded.revoked_at,
             version = excluded.version",
        &column!(rows, tenant_id),
        &column!(rows, invitation_id),
        &column!(rows, account_id),
        &column!(rows, email) as _,
        &column!(rows, role),
        &column!(rows, invited_by),
        &column!(rows, created_at),
        &column!(rows, expires_at),
        &column!(rows, accepted_at) as _,
        &column!(rows, revoked_at) as _,
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}
