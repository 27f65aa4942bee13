//! Lists of people on their way to becoming accounts: how far each has come, and which rows were refused.

use super::{ApplyError, Interest, Projection, column};
use crate::entry::{Batch, Fact, Key, Keys};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event,
    account_import::{AccountImport, AccountImportEvent, RowError},
};
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "account_import_list",
    tables: &["account_import_list"],
    appended: &[],
    streams: Interest::Streams(&[AccountImport::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    import_id: Uuid,
    started_by: Uuid,
    dry_run: bool,
    bytes: i64,
    state: String,
    failure: Option<String>,
    accepted: i64,
    refused: i64,
    errors: Value,
    started_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut imports = load(connection, &batch.streams(AccountImport::STREAM_TYPE)).await?;
    for fact in batch.facts() {
        if let Event::AccountImport(event) = fact.event {
            fold(&mut imports, &fact, event)?;
        }
    }
    save(connection, imports.into_values().collect()).await
}

fn fold(imports: &mut BTreeMap<Key, Row>, fact: &Fact<'_>, event: &AccountImportEvent) -> Result<(), ApplyError> {
    if let AccountImportEvent::Started { started_by, bytes, dry_run } = event {
        let row = Row {
            tenant_id: fact.tenant_id,
            import_id: fact.id,
            started_by: started_by.as_uuid(),
            dry_run: *dry_run,
            bytes: i64::try_from(*bytes)?,
            state: "running".to_owned(),
            failure: None,
            accepted: 0,
            refused: 0,
            errors: Value::Array(Vec::new()),
            started_at: fact.at,
            updated_at: fact.at,
            ended_at: None,
            version: fact.version,
        };
        imports.insert(fact.key(), row);
        return Ok(());
    }
    let Some(row) = imports.get_mut(&fact.key()) else { return Ok(()) };
    (row.updated_at, row.version) = (fact.at, fact.version);
    match event {
        AccountImportEvent::Started { .. } => {}
        AccountImportEvent::Progressed { accepted, refused, errors } => {
            count(row, *accepted, *refused)?;
            tell(row, errors)?;
        }
        AccountImportEvent::Finished { accepted, refused } => {
            count(row, *accepted, *refused)?;
            end(row, fact, "finished");
        }
        AccountImportEvent::Failed { reason } => {
            row.failure = Some(reason.as_str().to_owned());
            end(row, fact, "failed");
        }
    }
    Ok(())
}

fn count(row: &mut Row, accepted: u64, refused: u64) -> Result<(), ApplyError> {
    (row.accepted, row.refused) = (i64::try_from(accepted)?, i64::try_from(refused)?);
    Ok(())
}

fn tell(row: &mut Row, errors: &[RowError]) -> Result<(), ApplyError> {
    if let Value::Array(told) = &mut row.errors {
        for error in errors {
            told.push(serde_json::to_value(error)?);
        }
    }
    Ok(())
}

fn end(row: &mut Row, fact: &Fact<'_>, state: &str) {
    state.clone_into(&mut row.state);
    row.ended_at = Some(fact.at);
}

async fn load(connection: &mut PgConnection, keys: &Keys) -> Result<BTreeMap<Key, Row>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, import_id, started_by, dry_run, bytes, state, failure, accepted, refused, errors,
                started_at, updated_at, ended_at, version
         from account_import_list
         join unnest($1::uuid[], $2::uuid[]) as touched (tenant_id, import_id) using (tenant_id, import_id)",
        &keys.tenants,
        &keys.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.import_id), row)).collect())
}

async fn save(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into account_import_list (tenant_id, import_id, started_by, dry_run, bytes, state, failure, accepted,
             refused, errors, started_at, updated_at, ended_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::boolean[], $5::bigint[], $6::text[], $7::text[],
             $8::bigint[], $9::bigint[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
             $14::bigint[])
         on conflict (tenant_id, import_id) do update
         set state = excluded.state,
             failure = excluded.failure,
             accepted = excluded.accepted,
             refused = excluded.refused,
             errors = excluded.errors,
             updated_at = excluded.updated_at,
             ended_at = excluded.ended_at,
             version = excluded.version",
        &column!(rows, tenant_id),
        &column!(rows, import_id),
        &column!(rows, started_by),
        &column!(rows, dry_run),
        &column!(rows, bytes),
        &column!(rows, state),
        &column!(rows, failure) as _,
        &column!(rows, accepted),
        &column!(rows, refused),
        &column!(rows, errors),
        &column!(rows, started_at),
        &column!(rows, updated_at),
        &column!(rows, ended_at) as _,
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}
