//! Who there is: one row an account, and when it last logged in.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event, Personal,
    account::{Account, AccountEvent},
    auth_session::{AuthSession, AuthSessionEvent},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "account_list",
    tables: &["account_list", "account_list_logins"],
    appended: &[],
    streams: Interest::Streams(&[Account::STREAM_TYPE, AuthSession::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    account_id: Uuid,
    email: Option<String>,
    username: Option<String>,
    role: String,
    first_name: Option<String>,
    last_name: Option<String>,
    bio: Option<String>,
    avatar_url: Option<String>,
    is_active: bool,
    portal_access: bool,
    must_set_password: bool,
    temporary_until: Option<DateTime<Utc>>,
    locked_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut accounts = load(connection, &batch.streams(Account::STREAM_TYPE)).await?;
    let mut logins = BTreeMap::new();
    for fact in batch.facts() {
        match fact.event {
            Event::Account(event) => fold(&mut accounts, &fact, event),
            Event::AuthSession(AuthSessionEvent::Started { account_id, .. }) => {
                logins.insert((fact.tenant_id, account_id.as_uuid()), fact.at);
            }
            _ => {}
        }
    }
    save(connection, accounts.into_values().collect()).await?;
    save_logins(connection, logins).await
}

fn fold(accounts: &mut BTreeMap<Key, Row>, fact: &Fact<'_>, event: &AccountEvent) {
    if let AccountEvent::Registered { email, username, role, first_name, last_name, portal_access, .. } = event {
        let row = Row {
            tenant_id: fact.tenant_id,
            account_id: fact.id,
            email: email.known().cloned(),
            username: known(username.as_ref()),
            role: role.as_str().to_owned(),
            first_name: first_name.known().cloned(),
            last_name: last_name.known().cloned(),
            bio: None,
            avatar_url: None,
            is_active: true,
            portal_access: *portal_access,
            must_set_password: false,
            temporary_until: None,
            locked_until: None,
            created_at: fact.at,
            updated_at: fact.at,
            version: fact.version,
        };
        accounts.insert(fact.key(), row);
        return;
    }
    let Some(row) = accounts.get_mut(&fact.key()) else { return };
    row.version = fact.version;
    // What others try changes nothing of the account.
    if !matches!(event, AccountEvent::PasswordResetRequested { .. }) {
        row.updated_at = fact.at;
    }
    match event {
        AccountEvent::Registered { .. } | AccountEvent::PasswordResetRequested { .. } => {}
        AccountEvent::ProfileUpdated { first_name, last_name, bio, avatar_url } => {
            row.first_name = first_name.known().cloned();
            row.last_name = last_name.known().cloned();
            row.bio = known(bio.as_ref());
            row.avatar_url = known(avatar_url.as_ref());
        }
        AccountEvent::PasswordSet { temporary_until, .. } => {
            row.must_set_password = temporary_until.is_some();
            row.temporary_until = *temporary_until;
            row.locked_until = None;
        }
        AccountEvent::Deactivated {} => row.is_active = false,
        AccountEvent::Activated {} => row.is_active = true,
        AccountEvent::RoleChanged { after, .. } => after.as_str().clone_into(&mut row.role),
        AccountEvent::PortalAccessChanged { after, .. } => row.portal_access = *after,
        AccountEvent::EmailChanged { email } => row.email = email.known().cloned(),
        AccountEvent::UsernameChanged { username } => row.username = known(username.as_ref()),
        AccountEvent::Locked { until, .. } => row.locked_until = Some(*until),
        AccountEvent::Unlocked {} => row.locked_until = None,
    }
}

fn known(text: Option<&Personal<String>>) -> Option<String> {
    text.and_then(Personal::known).cloned()
}

async fn load(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, Row>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, account_id, email, username, role, first_name, last_name, bio, avatar_url, is_active,
                portal_access, must_set_password, temporary_until, locked_until, created_at, updated_at, version
         from account_list
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, account_id) using (tenant_id, account_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.account_id), row)).collect())
}

async fn save(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into account_list (tenant_id, account_id, email, username, role, first_name, last_name, bio,
             avatar_url, is_active, portal_access, must_set_password, temporary_until, locked_until, created_at,
             updated_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::text[], $10::boolean[], $11::boolean[], $12::boolean[], $13::timestamptz[], $14::timestamptz[],
             $15::timestamptz[], $16::timestamptz[], $17::bigint[])
         on conflict (tenant_id, account_id) do update
         set email = excluded.email,
             username = excluded.username,
             role = excluded.role,
             first_name = excluded.first_name,
             last_name = excluded.last_name,
             bio = excluded.bio,
             avatar_url = excluded.avatar_url,
             is_active = excluded.is_active,
             portal_access = excluded.portal_access,
             must_set_password = excluded.must_set_password,
             temporary_until = excluded.temporary_until,
             locked_until = excluded.locked_until,
             created_at = excluded.created_at,
             updated_at = excluded.updated_at,
             version = excluded.version",
        &column!(rows, tenant_id),
        &column!(rows, account_id),
        &column!(rows, email) as _,
        &column!(rows, username) as _,
        &column!(rows, role),
        &column!(rows, first_name) as _,
        &column!(rows, last_name) as _,
        &column!(rows, bio) as _,
        &column!(rows, avatar_url) as _,
        &column!(rows, is_active),
        &column!(rows, portal_access),
        &column!(rows, must_set_password),
        &column!(rows, temporary_until) as _,
        &column!(rows, locked_until) as _,
        &column!(rows, created_at),
        &column!(rows, updated_at),
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn save_logins(connection: &mut PgConnection, logins: BTreeMap<Key, DateTime<Utc>>) -> Result<(), ApplyError> {
    if logins.is_empty() {
        return Ok(());
    }
    let keys: Keys = logins.keys().copied().collect();
    let at: Vec<_> = logins.into_values().collect();
    sqlx::query!(
        "insert into account_list_logins (tenant_id, account_id, last_login_at)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
         on conflict (tenant_id, account_id) do update
         set last_login_at = greatest(account_list_logins.last_login_at, excluded.last_login_at)",
        &keys.tenants,
        &keys.ids,
        &at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
