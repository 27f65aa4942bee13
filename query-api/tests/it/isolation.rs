//! What the database itself keeps to, whatever the queries say: tenants apart, and nothing written.

use crate::world::{Person, World};
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Duration;

/// The tables that hold nothing of a tenant, each with the reason. This list may only shrink.
const OF_NOBODY: &[(&str, &str)] = &[
    ("_migrations", "how far the schema is; the API may not read it"),
    ("projections", "positions say nothing about a tenant"),
    ("log_head", "nor does the end of the log"),
    ("ended_sessions", "which sessions have ended has to be known before it is known who asks"),
];
/// The tables that an operator alone reads.
const OPERATORS: &[&str] = &["parked_events", "skipped_events"];

/// Every table of the schema that is not on one of these lists.
async fn tables(owner: &PgPool) -> Vec<String> {
    let all: Vec<String> = sqlx::query_scalar(
        "select relname::text
         from pg_catalog.pg_class
         where relnamespace = 'read'::regnamespace
           and relkind in ('r', 'p', 'm', 'v', 'f')
         order by relname",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let is_listed = |table: &String| OF_NOBODY.iter().any(|(name, _)| name == table) || OPERATORS.contains(&&**table);
    all.into_iter().filter(|table| !is_listed(table)).collect()
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
        // Without any `where`: what is not of the tenant is not there.
        assert_eq!(seen(&queries, &table, "").await, (0, 0), "{table}");
        let elsewhere = "00000000-0000-7000-8000-000000000002";
        assert_eq!(seen(&queries, &table, elsewhere).await.1, 1, "{table}");
        assert_eq!(seen(&queries, &table, "00000000-0000-7000-8000-000000000003").await, (0, 0), "{table}");
    }
    for table in OPERATORS {
        assert_eq!(seen(&queries, table, "00000000-0000-7000-8000-000000000001").await, (0, 0), "{table}");
    }
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
async fn tenants_who_read_by_turns_see_their_own_alone() {
    let world = World::new().await;
    for _ in 0..20 {
        assert_eq!(world.get(Person::Ada, "/v1/me").await.ok()["first_name"], "Ada");
        assert_eq!(world.get(Person::Stranger, "/v1/me").await.ok()["first_name"], "Some");
        assert_eq!(world.get_openly("/v1/courses").await.each("title").len(), 2);
    }
}

#[tokio::test]
async fn whoever_finds_nothing_leaves_no_transaction_open() {
    let world = World::new().await;
    for _ in 0..20 {
        let nobody = "/v1/enrollments/00000000-0000-7000-8000-0000000000ff";
        assert_eq!(world.get(Person::Ada, nobody).await.problem(), "not-found");
    }
    let open = "select count(*)
                from pg_stat_activity
                where datname = current_database()
                  and state like 'idle in transaction%'";
    let all_ended = async || {
        let count: i64 = sqlx::query_scalar(open).fetch_one(&world.owner).await.unwrap();
        (count == 0).then_some(())
    };
    testkit::eventually("no transaction is left open", Duration::from_secs(5), all_ended).await;
    assert_eq!(world.get(Person::Ada, "/v1/me").await.ok()["first_name"], "Ada");
}
