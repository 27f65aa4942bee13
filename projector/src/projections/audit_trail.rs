//! Every event as it stands in the log, to be filtered, and whom it concerns.
//!
//! It looks at events as they are stored, sealed, so that one which cannot be read is in the trail all the same.

use super::{ApplyError, Interest, Projection, column};
use crate::{
    copy::copy,
    entry::{Batch, Entry, Key, Keys},
};
use events::{Aggregate, Metadata, Recorded, account::Account, auth_session::AuthSession, ids::AccountId};
use serde::Deserialize;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
const MEMBERS: [&str; 4] = ["account_id", "learner_id", "owner_id", "author_id"];

/// What they name.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "events call them so")]
struct Named {
    account_id: Option<Uuid>,
    learner_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    author_id: Option<Uuid>,
}

impl Named {
    fn by(recorded: &Recorded) -> Self {
        // Many events name nobody, and finding that out is cheaper than reading them.
        if !MEMBERS.iter().any(|name| recorded.data.get().contains(name)) {
            return Self::default();
        }
        serde_json::from_str(recorded.data.get()).unwrap_or_else(|_| {
            // A newer version may mean something else by one of them.
            let data = recorded.data.value();
            let member = |name: &str| Uuid::parse_str(data.get(name)?.as_str()?).ok();
            let [account_id, learner_id, owner_id, author_id] = MEMBERS.map(member);
            Self { account_id, learner_id, owner_id, author_id }
        })
    }
}

struct Concern {
    tenant_id: Uuid,
    subject_id: Uuid,
    position: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let owners = session_owners(connection, batch).await?;
    let mut subjects = Vec::new();
    for entry in batch.entries() {
        let (recorded, from) = (entry.recorded(), subjects.len());
        let (tenant_id, position) = (recorded.tenant_id.as_uuid(), recorded.position);
        let owner = owners.get(&(tenant_id, recorded.stream.id)).copied();
        for subject_id in concerned(entry).chain(owner) {
            if subjects[from..].iter().all(|known: &Concern| known.subject_id != subject_id) {
                subjects.push(Concern { tenant_id, subject_id, position });
            }
        }
    }
    if batch.is_bulk() {
        copy_in(connection, batch).await?;
        return copy_subjects(connection, subjects).await;
    }
    insert(connection, batch).await?;
    insert_subjects(connection, &subjects).await
}

fn actor(entry: &Entry) -> Option<Uuid> {
    match entry {
        Entry::Readable(decoded) => decoded.metadata.actor_id.map(AccountId::as_uuid),
        Entry::Unreadable { recorded, .. } => {
            let metadata: Metadata = serde_json::from_str(recorded.metadata.get()).unwrap_or_default();
            metadata.actor_id.map(AccountId::as_uuid)
        }
    }
}

/// Whom an event concerns, some of them twice: whose personal data it holds, and whose account it names or is of.
fn concerned(entry: &Entry) -> impl Iterator<Item = Uuid> {
    let recorded = entry.recorded();
    let sealed: Vec<Uuid> = entry.subjects().iter().copied().map(AccountId::as_uuid).collect();
    let Named { account_id, learner_id, owner_id, author_id } = Named::by(recorded);
    let named = [account_id, learner_id, owner_id, author_id].into_iter().flatten();
    let own = (recorded.stream.stream_type == Account::STREAM_TYPE).then_some(recorded.stream.id);
    sealed.into_iter().chain(named).chain(own)
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
        if let Some(owner) = Named::by(recorded).account_id {
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

async fn copy_in(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let into = "audit_trail (tenant_id, position, event_id, stream_type, stream_id, version, type, actor_id, recorded_at, \
                data, metadata, leaf_hash)";
    Ok(copy(connection, into, batch.entries(), |entry, values| {
        let event = entry.recorded();
        values
            .add(&event.tenant_id.as_uuid())
            .add(&event.position)
            .add(&event.event_id)
            .add(&*event.stream.stream_type);
        values.add(&event.stream.id).add(&event.version).add(&*event.event_type).add(&actor(entry));
        values.add(&event.recorded_at).add(event.data.get()).add(event.metadata.get()).add(event.leaf_hash.as_slice());
    })
    .await?)
}

async fn copy_subjects(connection: &mut PgConnection, subjects: Vec<Concern>) -> Result<(), ApplyError> {
    let into = "audit_trail_subjects (tenant_id, subject_id, position)";
    Ok(copy(connection, into, subjects, |concern, values| {
        values.add(&concern.tenant_id).add(&concern.subject_id).add(&concern.position);
    })
    .await?)
}

async fn insert(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let events: Vec<&Recorded> = batch.entries().map(Entry::recorded).collect();
    let stream_types: Vec<&str> = events.iter().map(|event| &*event.stream.stream_type).collect();
    let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    let leaf_hashes: Vec<&[u8]> = events.iter().map(|event| event.leaf_hash.as_slice()).collect();
    let data: Vec<&str> = events.iter().map(|event| event.data.get()).collect();
    let metadata: Vec<&str> = events.iter().map(|event| event.metadata.get()).collect();
    let tenants: Vec<Uuid> = events.iter().map(|event| event.tenant_id.as_uuid()).collect();
    let actors: Vec<Option<Uuid>> = batch.entries().map(actor).collect();
    sqlx::query!(
        "insert into audit_trail (tenant_id, position, event_id, stream_type, stream_id, version, type, actor_id,
             recorded_at, data, metadata, leaf_hash)
         select *
         from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::text[], $8::uuid[],
             $9::timestamptz[], $10::text[], $11::text[], $12::bytea[])",
        &tenants,
        &column!(events, position),
        &column!(events, event_id),
        &stream_types as &[&str],
        &column!(events, stream.id),
        &column!(events, version),
        &types as &[&str],
        &actors as &[Option<Uuid>],
        &column!(events, recorded_at),
        &data as &[&str],
        &metadata as &[&str],
        &leaf_hashes as &[&[u8]],
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
