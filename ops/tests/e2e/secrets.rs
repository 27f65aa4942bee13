//! No secret stands anywhere but where it has to: after a day in the life of an account, every event, message, log line,
//! metric and table is searched for every secret that passed.

use crate::{
    client::Call,
    world::{BOOTSTRAP_TOKEN, PASSWORD, World},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

const NEW_PASSWORD: &str = "amber-lantern-orchard-7";
const WRONG_PASSWORD: &str = "tumbling-copper-meadow-3";

fn member(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned()
}

/// Everything that is secret about an account, used at processes that log all they can.
async fn live(world: &World, api: &str) -> Vec<String> {
    let post = async |path: &str, token: &str, body: Value| {
        world.client.send(api, Call::post(path).token(token).json(&body)).await
    };
    let root = world.superadmin().await;
    let person = json!({"email": "ada@example.org", "password": PASSWORD, "first_name": "Ada", "last_name": "King"});
    post("/v1/auth/register", "", person).await.expect(201);
    let credentials = |password: &str| json!({"email": "ada@example.org", "password": password});
    post("/v1/auth/login", "", credentials(WRONG_PASSWORD)).await.problem(401);
    let first = post("/v1/auth/login", "", credentials(PASSWORD)).await.expect(200);
    let (access, refresh) = (member(&first, "access_token"), member(&first, "refresh_token"));
    let next = post("/v1/auth/refresh", "", json!({"refresh_token": refresh})).await.expect(200);
    post("/v1/auth/refresh", "", json!({"refresh_token": "a-refresh-token-of-no-worth"})).await.problem(401);
    let chosen = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    post("/v1/auth/set-password", &member(&next, "access_token"), chosen).await.expect(200);
    let token = world.reset_token("ada@example.org").await;
    let reset = json!({"token": token, "new_password": PASSWORD});
    post("/v1/auth/reset-password", "", reset).await.expect(200);
    let bob = json!({"email": "bob@example.org", "role": "learner", "first_name": "Bob", "last_name": "Noyce"});
    let keyed = Call::post("/v1/accounts").token(&root).header("idempotency-key", "one").json(&bob);
    let temporary = member(&world.client.send(api, keyed).await.expect(201), "temporary_password");
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    vec![
        PASSWORD.to_owned(),
        NEW_PASSWORD.to_owned(),
        WRONG_PASSWORD.to_owned(),
        BOOTSTRAP_TOKEN.to_owned(),
        signature(&access),
        signature(&root),
        refresh,
        member(&next, "refresh_token"),
        token,
        temporary,
        "a-refresh-token-of-no-worth".to_owned(),
        world.private_key(),
        World::master_key(),
    ]
}

/// Every row of every table of a schema as text, by the table's name.
async fn tables(pool: &PgPool, schema: &str) -> Vec<(String, String)> {
    let names: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = $1")
        .bind(schema)
        .fetch_all(pool)
        .await
        .unwrap();
    let mut tables = Vec::new();
    for name in names {
        let text = format!("select coalesce(string_agg(t::text, chr(10)), '') from {schema}.{name} t");
        tables.push((name, sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(pool).await.unwrap()));
    }
    tables
}

#[tokio::test]
async fn no_secret_is_in_any_event_message_log_line_metric_or_table() {
    let world = World::start().await;
    let talkative = [("LOG_LEVEL", "debug")];
    let commands = world.another("command-api", &talkative).await;
    let queries = world.another("query-api", &talkative).await;
    let secrets = live(&world, &commands).await;
    let me = Call::get("/v1/me").token(&world.log_in("ada@example.org", PASSWORD).await);
    world.client.send(&queries, me).await;
    let position: i64 =
        sqlx::query_scalar("select position from log.head").fetch_one(&world.log.pool().await).await.unwrap();
    let root = world.log_in("root@example.org", PASSWORD).await;
    world.read("/v1/audit/events", &root, position).await.expect(200);

    let mut places = tables(&world.log.pool().await, "log").await;
    places.extend(tables(&world.read.pool().await, "read").await);
    places.push(("messages".to_owned(), world.messages().await));
    places.push(("logs".to_owned(), world.logs()));
    for operations in world.operations() {
        let metrics = world.client.send(&operations, Call::get("/metrics")).await;
        places.push((format!("metrics of {operations}"), metrics.body.to_string()));
    }
    for must_hold in ["events", "messages", "logs", "audit_trail"] {
        let (_, text) = places.iter().find(|(place, _)| place == must_hold).unwrap();
        assert!(text.len() > 1_000, "{must_hold} holds something, or this test shows nothing");
    }
    for (place, text) in &places {
        for (number, secret) in secrets.iter().enumerate() {
            assert!(!text.contains(secret.as_str()), "secret {number} is in {place}");
        }
        assert!(place == "credentials" || !text.contains("$argon2"), "a password hash is in {place}");
    }
}
