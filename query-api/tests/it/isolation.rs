//! What the database itself keeps to, whatever the queries say: tenants apart, and nothing written.

use crate::world::{Person, World};
use sqlx::{AssertSqlSafe, PgPool};

/// Every table that holds something of a tenant, of which an operator alone reads what is parked.
async fn tables(owner: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select table_name::text
         from information_schema.columns
         where table_schema = 'read'
           and column_name = 'tenant_id'
           and table_name <> 'parked_events'
         order by table_name",
    )
    .fetch_all(owner)
    .await
    .unwrap()
}

/// How many rows of a table, and of how many tenants, are seen under a tenant setting.
async fn seen(pool: &PgPool, table: &str, tenant: &str) -> (i64, i64) {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("select set_config('registrar.tenant_id', $1, true)")
        .bind(tenant)
        .execute(&mut *transaction)
        .await
        .unwrap();
    let count = format!("select count(*), count(distinct tenant_id) from read.{table}");
    sqlx::query_as(AssertSqlSafe(count)).fetch_one(&mut *transaction).await.unwrap()
}

#[tokio::test]
async fn without_a_tenant_nothing_is_seen_and_with_one_only_its_own() {
    let world = World::new().await;
    let queries = world.pool_as("registrar_query").await;
    let tables = tables(&world.owner).await;
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        let (_, tenants) = seen(&world.owner, &table, "").await;
        assert_eq!(tenants, 2, "{table} holds rows of both tenants, or this test shows nothing");
        assert_eq!(seen(&queries, &table, "").await, (0, 0), "{table}");
        let elsewhere = "00000000-0000-7000-8000-000000000002";
        assert_eq!(seen(&queries, &table, elsewhere).await.1, 1, "{table}");
        assert_eq!(seen(&queries, &table, "00000000-0000-7000-8000-000000000003").await, (0, 0), "{table}");
    }
    assert_eq!(seen(&queries, "parked_events", "00000000-0000-7000-8000-000000000001").await, (0, 0));
}

#[tokio::test]
async fn the_role_of_the_api_cannot_write() {
    let world = World::new().await;
    let queries = world.pool_as("registrar_query").await;
    for statement in [
        "delete from read.account_list",
        "update read.projections set position = 0",
        "insert into read.log_head default values",
        "truncate read.audit_trail",
        "create table read.mine (id int)",
        "drop table read.account_list",
    ] {
        let error = sqlx::query(statement).execute(&queries).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{statement}");
    }
}

#[tokio::test]
async fn a_tenant_setting_does_not_outlive_its_request() {
    let world = World::new().await;
    for _ in 0..20 {
        assert_eq!(world.get(Person::Ada, "/v1/me").await.ok()["first_name"], "Ada");
        assert_eq!(world.get(Person::Stranger, "/v1/me").await.ok()["first_name"], "Some");
        assert_eq!(world.get_openly("/v1/courses").await.each("title").len(), 2);
    }
}
