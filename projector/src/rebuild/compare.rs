//! Whether the live tables and the fresh ones hold the same, at the same position: how many rows each has, and a checksum
//! that does not depend on their order. Derived columns are left out.

use super::{Comparison, RebuildError, Rebuilder, TableComparison, TableState, shadow::Shadow};
use crate::checkpoint;
use sqlx::{AssertSqlSafe, PgConnection, Row};

/// Compares, where both can be brought to one position. `None` where the live view is behind the fresh one.
pub(super) async fn with_live(rebuilder: &Rebuilder, shadow: &mut Shadow) -> Result<Option<Comparison>, RebuildError> {
    rebuilder.catch_up(shadow).await?;
    // The live view stands still for a few events only: what is compared is a snapshot.
    let mut holding = rebuilder.read.begin().await?;
    let live = checkpoint::lock(&mut holding, shadow.projection().name).await?;
    rebuilder.bring_to(shadow, live.position).await?;
    if shadow.position() != live.position {
        holding.rollback().await?;
        return Ok(None);
    }
    let mut of_live = rebuilder.read.begin_with("begin isolation level repeatable read read only").await?;
    let snapshot: String = sqlx::query_scalar("select pg_export_snapshot()").fetch_one(&mut *of_live).await?;
    holding.rollback().await?;

    let mut of_fresh = rebuilder.read.begin_with("begin isolation level repeatable read read only").await?;
    sqlx::raw_sql(AssertSqlSafe(format!("set transaction snapshot '{snapshot}'"))).execute(&mut *of_fresh).await?;
    let schema = shadow.schema();
    let mut tables = Vec::new();
    for table in shadow.projection().tables {
        let (live, rebuilt) =
            tokio::try_join!(state(&mut of_live, "read", table), state(&mut of_fresh, &schema, table))?;
        tables.push(TableComparison::new(table, live, rebuilt));
    }
    let name = shadow.projection().name;
    let parked_live = parked(&mut of_live, "read", name).await?;
    let parked_rebuilt = parked(&mut of_fresh, &schema, name).await?;
    // An old snapshot would keep the swap waiting.
    of_fresh.rollback().await?;
    of_live.rollback().await?;
    Ok(Some(Comparison::new(tables, parked_live, parked_rebuilt)))
}

async fn state(connection: &mut PgConnection, schema: &str, table: &str) -> Result<TableState, sqlx::Error> {
    let columns: String = sqlx::query_scalar(
        "select string_agg(format('t.%I', attname), ', ' order by attname)
         from pg_attribute
         where attrelid = format('%I.%I', $1::text, $2::text)::regclass
           and attnum > 0
           and not attisdropped
           and attgenerated = ''",
    )
    .bind(schema)
    .bind(table)
    .fetch_one(&mut *connection)
    .await?;
    let row = sqlx::query(AssertSqlSafe(format!(
        "select count(*), coalesce(sum(hash_record_extended(row({columns}), 0)), 0)::text
         from {schema}.{table} as t"
    )))
    .fetch_one(connection)
    .await?;
    Ok(TableState { rows: row.try_get(0)?, checksum: row.try_get(1)? })
}

async fn parked(connection: &mut PgConnection, schema: &str, projection: &str) -> Result<i64, sqlx::Error> {
    let count = format!("select count(*) from {schema}.parked_streams where projection = $1");
    sqlx::query_scalar(AssertSqlSafe(count)).bind(projection).fetch_one(connection).await
}
