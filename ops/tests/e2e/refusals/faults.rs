//! What happens when something underneath fails: the log cannot be reached or is broken, a request takes too long, its
//! first sending is still under way, others are always faster, a view is behind.

use super::{DONE_LATER, NOT_REACHED, commands, edge::signed_sample};
use crate::{academy::Academy, client::Call, contract::Operation, gates::unique, world::World};
use futures::future::{self, Either};
use sqlx::{AssertSqlSafe, PgPool};
use std::pin::pin;

/// A port on which nobody listens.
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/nothing";

pub async fn reach(world: &World, academy: &Academy, operations: &[Operation]) {
    let (log, read) = (world.log.pool().await, world.read.pool().await);
    let calls = |wanted: Vec<Operation>| async move {
        let mut calls = Vec::new();
        for operation in wanted {
            let call = signed_sample(world, academy, &operation).await;
            calls.push((operation, call));
        }
        calls
    };
    let to_query = calls(operations.iter().filter(|it| !it.commands()).cloned().collect()).await;

    let mut made = calls(commands(operations).cloned().collect()).await;
    // One of them answers before anything is decided, whatever becomes of it.
    let later: Vec<_> = made.extract_if(.., |(operation, _)| operation.key() == DONE_LATER).collect();
    let is_excepted =
        |operation: &Operation| NOT_REACHED.iter().any(|(key, slug, _)| *key == operation.key() && *slug == "conflict");
    let decided: Vec<_> = made.iter().filter(|(operation, _)| !is_excepted(operation)).cloned().collect();
    always_moved(&log, async || refused_all(world, &world.command_api, &decided, 409, "conflict").await).await;
    broken(&log, "log.events", async || refused_all(world, &world.command_api, &made, 500, "internal").await).await;
    broken(&read, "read.projections", async || refused_all(world, &world.query_api, &to_query, 500, "internal").await)
        .await;

    let settings = [("DATABASE_URL", NOWHERE), ("READ_DATABASE_URL", NOWHERE), ("MIN_POSITION_WAIT_MS", "0")];
    let (command_api, query_api) =
        tokio::join!(world.unready("command-api", &settings), world.unready("query-api", &settings));
    refused_all(world, &command_api, &made, 503, "unavailable").await;
    refused_all(world, &query_api, &to_query, 503, "unavailable").await;

    let impatient = [("REQUEST_TIMEOUT_SECONDS", "1"), ("MIN_POSITION_WAIT_MS", "0")];
    let (command_api, query_api) =
        tokio::join!(world.another("command-api", &impatient), world.another("query-api", &impatient));
    made.extend(later);
    let never_ending = made.iter().map(|(_, call)| world.client.send_head(&command_api, call, 100));
    for ((operation, _), answer) in made.iter().zip(future::join_all(never_ending).await) {
        assert_eq!(answer.problem(408), "request-timeout", "{}", operation.key());
    }
    let mut locked = read.begin().await.unwrap();
    sqlx::query("lock table read.projections in access exclusive mode").execute(&mut *locked).await.unwrap();
    refused_all(world, &query_api, &to_query, 408, "request-timeout").await;
    locked.rollback().await.unwrap();

    let ahead: Vec<_> = to_query
        .into_iter()
        .map(|(operation, call)| (operation, call.header("registrar-min-position", "999999999")))
        .collect();
    refused_all(world, &query_api, &ahead, 503, "projection-behind").await;

    for operation in commands(operations).filter(|operation| operation.key() != DONE_LATER) {
        let call = signed_sample(world, academy, operation).await;
        still_under_way(world, &log, operation, call).await;
    }
}

/// Sends all of them at once, and expects each to be refused alike.
async fn refused_all(world: &World, base: &str, calls: &[(Operation, Call)], status: u16, slug: &str) {
    let answers = calls
        .iter()
        .map(|(operation, call)| async move { (operation.key(), world.client.send(base, call.clone()).await) });
    for (key, answer) in future::join_all(answers).await {
        let found = (answer.status.as_u16(), answer.slug());
        assert_eq!(found, (status, Some(slug)), "{key}: {}", answer.body);
    }
}

/// While a table is not where it should be.
async fn broken(owner: &PgPool, table: &str, meanwhile: impl AsyncFnOnce()) {
    let name = table.split('.').next_back().unwrap();
    let alter = |text: String| async move { sqlx::raw_sql(AssertSqlSafe(text)).execute(owner).await.unwrap() };
    alter(format!("alter table {table} rename to gone")).await;
    meanwhile().await;
    let schema = table.split('.').next().unwrap();
    alter(format!("alter table {schema}.gone rename to {name}")).await;
}

/// While whatever a decision rests on has moved by the time that it is appended.
async fn always_moved(log: &PgPool, meanwhile: impl AsyncFnOnce()) {
    let append: String =
        sqlx::query_scalar("select pg_get_functiondef('log.append'::regproc)").fetch_one(log).await.unwrap();
    let moved = append.replace("where expected_version[n] <> coalesce(", "where -1 <> coalesce(");
    assert_ne!(moved, append, "log.append compares versions");
    sqlx::raw_sql(AssertSqlSafe(moved)).execute(log).await.unwrap();
    meanwhile().await;
    sqlx::raw_sql(AssertSqlSafe(append)).execute(log).await.unwrap();
}

/// The same request twice at once, while the log takes none.
async fn still_under_way(world: &World, log: &PgPool, operation: &Operation, call: Call) {
    let call = call.header("idempotency-key", &unique());
    let mut locked = log.begin().await.unwrap();
    sqlx::query("lock table log.events in access exclusive mode").execute(&mut *locked).await.unwrap();
    let (one, other) = (pin!(world.send(call.clone())), pin!(world.send(call)));
    let (first, second) = match future::select(one, other).await {
        Either::Left(both) | Either::Right(both) => both,
    };
    assert_eq!(first.problem(409), "idempotency-in-flight", "{}", operation.key());
    locked.rollback().await.unwrap();
    let second = second.await;
    assert_ne!(second.slug(), Some("idempotency-in-flight"), "{}: {}", operation.key(), second.body);
}
