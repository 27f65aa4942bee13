//! Every event as it stands in the log, to be filtered, and whom it concerns.
//!
//! It looks at events as they are stored, sealed, so that one which cannot be read is in the trail all the same.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Entry, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Metadata, Recorded, Role,
    account::Account,
    auth_session::AuthSession,
    ids::{AccountId, AuthSessionId},
    personal,
};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "audit_trail",
    tables: &["audit_trail", "audit_trail_subjects", "audit_trail_sessions"],
    appended: &["audit_trail", "audit_trail_subjects"],
    streams: Interest::Everything,
    needs_content: false,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

/// The members of events' data that name an account which the event concerns.
const CONCERNED: [&str; 4] = ["account_id", "learner_id", "owner_id", "author_id"];

struct Row<'a> {
    recorded: &'a Recorded,
    tenant_id: Uuid,
    actor_id: Option<Uuid>,
    actor_role: Option<String>,
    session_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    occurred_at: DateTime<Utc>,
    event: String,
}

struct Concern {
    tenant_id: Uuid,
    subject_id: Uuid,
    position: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let rows = batch.entries().map(Row::new).collect::<Result<Vec<_>, _>>()?;
    let owners = session_owners(connection, batch).await?;
    let mut subjects = Vec::new();
    for row in &rows {
        let mut concerned = concerned(row.recorded);
        concerned.extend(owners.get(&(row.tenant_id, row.recorded.stream.id)));
        subjects.extend(concerned.into_iter().map(|subject_id| Concern {
            tenant_id: row.tenant_id,
            subject_id,
            position: row.recorded.position,
        }));
    }
    insert(connection, &rows).await?;
    insert_subjects(connection, &subjects).await
}

impl<'a> Row<'a> {
    fn new(entry: &'a Entry) -> Result<Self, ApplyError> {
        let recorded = entry.recorded();
        let metadata = match entry {
            Entry::Readable(decoded) => Cow::Borrowed(&decoded.metadata),
            Entry::Unreadable { recorded, .. } => {
                Cow::Owned(Metadata::deserialize(&recorded.metadata).unwrap_or_default())
            }
        };
        Ok(Self {
            recorded,
            tenant_id: recorded.tenant_id.as_uuid(),
            actor_id: metadata.actor_id.map(AccountId::as_uuid),
            actor_role: metadata.actor_role.map(Role::as_str).map(str::to_owned),
            session_id: metadata.session_id.map(AuthSessionId::as_uuid),
            correlation_id: Some(metadata.correlation_id).filter(|id| !id.is_nil()),
            occurred_at: metadata.occurred_at.unwrap_or(recorded.recorded_at),
            event: recorded.canonical_json()?,
        })
    }
}

/// Whom an event concerns: whose personal data it holds, and whose account it names or is of.
fn concerned(recorded: &Recorded) -> BTreeSet<Uuid> {
    let sealed = personal::subjects(&recorded.data).into_iter().map(AccountId::as_uuid);
    let named = CONCERNED.iter().filter_map(|member| named(&recorded.data, member));
    let own = (recorded.stream.stream_type == Account::STREAM_TYPE).then_some(recorded.stream.id);
    sealed.chain(named).chain(own).collect()
}

fn named(data: &Value, member: &str) -> Option<Uuid> {
    Uuid::parse_str(data.get(member)?.as_str()?).ok()
}

/// Whose the sessions in the batch are: only a session's first event says so, and it is kept for the later ones.
async fn session_owners(connection: &mut PgConnection, batch: Batch<'_>) -> Result<HashMap<Key, Uuid>, ApplyError> {
    let mut begun = BTreeMap::new();
    let mut elsewhere = BTreeSet::new();
    for recorded in batch.entries().map(Entry::recorded) {
        if recorded.stream.stream_type != AuthSession::STREAM_TYPE {
            continue;
        }
        let key = (recorded.tenant_id.as_uuid(), recorded.stream.id);
        if let Some(owner) = named(&recorded.data, "account_id") {
            begun.insert(key, owner);
        } else if !begun.contains_key(&key) {
            elsewhere.insert(key);
        }
    }
    let mut owners = load_sessions(connection, &elsewhere.into_iter().collect()).await?;
    insert_sessions(connection, &begun).await?;
    owners.extend(begun);
    Ok(owners)
}

async fn load_sessions(connection: &mut PgConnection, keys: &Keys) -> Result<HashMap<Key, Uuid>, ApplyError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "select tenant_id, session_id, account_id
         from audit_trail_sessions
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, session_id) using (tenant_id, session_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.session_id), row.account_id)).collect())
}

async fn insert_sessions(connection: &mut PgConnection, begun: &BTreeMap<Key, Uuid>) -> Result<(), ApplyError> {
    if begun.is_empty() {
        return Ok(());
    }
    let keys: Keys = begun.keys().copied().collect();
    let owners: Vec<_> = begun.values().copied().collect();
    sqlx::query!(
        "insert into audit_trail_sessions (tenant_id, session_id, account_id)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[])
         on conflict (tenant_id, session_id) do nothing",
        &keys.tenants,
        &keys.ids,
        &owners,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<(), ApplyError> {
    let stream_types: Vec<_> = rows.iter().map(|row| row.recorded.stream.stream_type.clone().into_owned()).collect();
    let leaf_hashes: Vec<_> = rows.iter().map(|row| row.recorded.leaf_hash.to_vec()).collect();
    sqlx::query!(
        "insert into audit_trail (position, tenant_id, event_id, stream_type, stream_id, version, type, actor_id,
             actor_role, session_id, correlation_id, recorded_at, occurred_at, event, leaf_hash)
         select position, tenant_id, event_id, stream_type, stream_id, version, type, actor_id, actor_role, session_id,
                correlation_id, recorded_at, occurred_at, event::jsonb, leaf_hash
         from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::text[],
                  $8::uuid[], $9::text[], $10::uuid[], $11::uuid[], $12::timestamptz[], $13::timestamptz[], $14::text[],
                  $15::bytea[])
             as batch (position, tenant_id, event_id, stream_type, stream_id, version, type, actor_id, actor_role,
                 session_id, correlation_id, recorded_at, occurred_at, event, leaf_hash)",
        &column!(rows, recorded.position),
        &column!(rows, tenant_id),
        &column!(rows, recorded.event_id),
        &stream_types,
        &column!(rows, recorded.stream.id),
        &column!(rows, recorded.version),
        &column!(rows, recorded.event_type),
        &column!(rows, actor_id) as _,
        &column!(rows, actor_role) as _,
        &column!(rows, session_id) as _,
        &column!(rows, correlation_id) as _,
        &column!(rows, recorded.recorded_at),
        &column!(rows, occurred_at),
        &column!(rows, event),
        &leaf_hashes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_subjects(connection: &mut PgConnection, subjects: &[Concern]) -> Result<(), ApplyError> {
    if subjects.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into audit_trail_subjects (tenant_id, subject_id, position)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::bigint[])",
        &column!(subjects, tenant_id),
        &column!(subjects, subject_id),
        &column!(subjects, position),
    )
    .execute(connection)
    .await?;
    Ok(())
}
