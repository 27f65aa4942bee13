//! What the query API may see: the rows of its request's tenant, and nothing to change.

use crate::{story, world::World};
use events::tenant::DEFAULT_TENANT;
use projector::projections;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// What every process has to know before it knows whose a request is: ids of sessions, and nothing of a tenant.
const OF_NO_TENANT: &[&str] = &["ended_sessions"];

/// Rows that the pool sees of the table while it serves the tenant.
async fn seen(pool: &PgPool, table: &str, tenant: Option<Uuid>) -> i64 {
    let mut transaction = pool.begin().await.unwrap();
    if let Some(tenant) = tenant {
        sqlx::query("select set_config('registrar.tenant_id', $1, true)")
            .bind(tenant.to_string())
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from read.{table}")))
        .fetch_one(&mut *transaction)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_reader_sees_the_rows_of_its_own_tenant_only() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    let reader = world.read_database.pool_as("registrar_query").await;
    let tables = projections::ALL.iter().flat_map(|projection| projection.tables);
    for table in tables.filter(|table| !OF_NO_TENANT.contains(table)) {
        assert_eq!(seen(&reader, table, None).await, 0, "{table} without a tenant");
        assert_eq!(seen(&reader, table, Some(Uuid::from_u128(9))).await, 0, "{table} for another tenant");
        let all = seen(&world.owner, table, None).await;
        assert!(all > 0, "{table} holds something of the story");
        assert_eq!(seen(&reader, table, Some(DEFAULT_TENANT.as_uuid())).await, all, "{table} for its own tenant");
    }
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let world = World::new().await;
    let reader = world.read_database.pool_as("registrar_query").await;
    for table in
        projections::ALL.iter().flat_map(|projection| projection.tables).chain(&["projections", "parked_streams"])
    {
        for statement in ["delete from", "truncate", "insert into"] {
            let rest = if statement == "insert into" { "default values" } else { "" };
            let sql = format!("{statement} read.{table} {rest}");
            let error = sqlx::query(AssertSqlSafe(sql)).execute(&reader).await.unwrap_err();
            let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
            assert_eq!(code.as_deref(), Some("42501"), "{statement} {table}: {error}");
        }
    }
}

#[tokio::test]
async fn every_table_holds_its_owner_to_row_level_security() {
    let world = World::new().await;
    let unguarded: Vec<String> = sqlx::query_scalar(
        "select relname::text
         from pg_class
         where relnamespace = 'read'::regnamespace
           and relkind = 'r'
           and relname <> '_migrations'
           and not (relrowsecurity and relforcerowsecurity)",
    )
    .fetch_all(&world.owner)
    .await
    .unwrap();
    assert_eq!(unguarded, Vec::<String>::new());
}

#[tokio::test]
async fn a_view_lists_all_of_its_tables() {
    let world = World::new().await;
    let mut stored: Vec<String> = sqlx::query_scalar(
        "select tablename::text
         from pg_tables
         where schemaname = 'read'
           and tablename not in ('_migrations', 'projections', 'log_head', 'parked_streams', 'parked_events', 'skipped_events')",
    )
    .fetch_all(&world.owner)
    .await
    .unwrap();
    let mut listed: Vec<_> = projections::ALL.iter().flat_map(|projection| projection.tables).copied().collect();
    stored.sort_unstable();
    listed.sort_unstable();
    assert_eq!(stored, listed);
}
