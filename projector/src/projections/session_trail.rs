//! Every log-in from its start to its end.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event, Personal,
    auth_session::{AuthSession, AuthSessionEvent, SessionScope},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "session_trail",
    tables: &["session_trail"],
    appended: &[],
    streams: Interest::Streams(&[AuthSession::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    session_id: Uuid,
    account_id: Uuid,
    scope: String,
    started_at: DateTime<Utc>,
    refreshed_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    address: Option<String>,
    agent: Option<String>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut sessions = load(connection, &batch.streams(AuthSession::STREAM_TYPE)).await?;
    for fact in batch.facts() {
        if let Event::AuthSession(event) = fact.event {
            fold(&mut sessions, &fact, event);
        }
    }
    save(connection, sessions.into_values().collect()).await
}

fn fold(sessions: &mut BTreeMap<Key, Row>, fact: &Fact<'_>, event: &AuthSessionEvent) {
    if let AuthSessionEvent::Started { account_id, scope, expires_at, address, agent } = event {
        let row = Row {
            tenant_id: fact.tenant_id,
            session_id: fact.id,
            account_id: account_id.as_uuid(),
            scope: scope_name(*scope).to_owned(),
            started_at: fact.at,
            refreshed_at: None,
            expires_at: *expires_at,
            ended_at: None,
            reason: None,
            address: address.as_ref().and_then(Personal::known).cloned(),
            agent: agent.as_ref().and_then(Personal::known).cloned(),
            version: fact.version,
        };
        sessions.insert(fact.key(), row);
        return;
    }
    let Some(row) = sessions.get_mut(&fact.key()) else { return };
    row.version = fact.version;
    match event {
        AuthSessionEvent::Started { .. } => {}
        AuthSessionEvent::Refreshed { expires_at } => {
            row.refreshed_at = Some(fact.at);
            row.expires_at = *expires_at;
        }
        AuthSessionEvent::Ended { reason } => {
            row.ended_at = Some(fact.at);
            row.reason = Some(reason.as_str().to_owned());
        }
        AuthSessionEvent::Revoked {} => {
            row.ended_at = Some(fact.at);
            row.reason = Some("revoked".to_owned());
        }
        // That it is recorded later does not make it live longer.
        AuthSessionEvent::Expired {} => {
            row.ended_at = Some(row.expires_at);
            row.reason = Some("expired".to_owned());
        }
    }
}

const fn scope_name(scope: SessionScope) -> &'static str {
    match scope {
        SessionScope::Full => "full",
        SessionScope::SetPassword => "set-password",
    }
}

async fn load(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, Row>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, session_id, account_id, scope, started_at, refreshed_at, expires_at, ended_at, reason,
                address, agent, version
         from session_trail
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, session_id) using (tenant_id, session_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.session_id), row)).collect())
}

async fn save(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into session_trail (tenant_id, session_id, account_id, scope, started_at, refreshed_at, expires_at,
             ended_at, reason, address, agent, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[],
             $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::bigint[])
         on conflict (tenant_id, session_id) do update
         set refreshed_at = excluded.refreshed_at,
             expires_at = excluded.expires_at,
             ended_at = excluded.ended_at,
             reason = excluded.reason,
             version = excluded.version",
        &column!(rows, tenant_id),
        &column!(rows, session_id),
        &column!(rows, account_id),
        &column!(rows, scope),
        &column!(rows, started_at),
        &column!(rows, refreshed_at) as _,
        &column!(rows, expires_at),
        &column!(rows, ended_at) as _,
        &column!(rows, reason) as _,
        &column!(rows, address) as _,
        &column!(rows, agent) as _,
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}
