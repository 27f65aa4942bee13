//! Sessions as their people and those above see them: what ends one ends it everywhere, on every instance of both APIs,
//! within a second.

use crate::{
    client::Call,
    world::{PASSWORD, World, id_of},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::eventually;

/// The longest that a token may be good after its session has ended.
const BOUND: Duration = Duration::from_secs(1);

/// A session: its id and its access token.
struct Session {
    id: String,
    token: String,
}

async fn log_in(world: &World, email: &str, password: &str) -> Session {
    let body = world.post("/v1/auth/login", "", json!({"email": email, "password": password})).await.expect(200);
    Session { id: id_of(&body), token: body["access_token"].as_str().unwrap().to_owned() }
}

/// Every process that takes tokens.
struct Everywhere<'w> {
    world: &'w World,
    commands: [String; 2],
    queries: [String; 2],
}

impl<'w> Everywhere<'w> {
    async fn start(world: &'w World) -> Self {
        let (commands, queries) = tokio::join!(world.another("command-api", &[]), world.another("query-api", &[]));
        let (command_api, query_api) = (world.command_api.clone(), world.query_api.clone());
        Self { world, commands: [command_api, commands], queries: [query_api, queries] }
    }

    /// How each process answers the token: the command APIs with a request that changes nothing.
    async fn statuses(&self, token: &str) -> Vec<u16> {
        let command = Call::post("/v1/categories").token(token).json(&json!({"no_such_field": 1}));
        let query = Call::get("/v1/me").token(token);
        let mut statuses = Vec::new();
        for (bases, call) in [(&self.commands, command), (&self.queries, query)] {
            for base in bases {
                statuses.push(self.world.client.send(base, call.clone()).await.status.as_u16());
            }
        }
        statuses
    }

    async fn assert_good(&self, token: &str) {
        let good = async || (self.statuses(token).await == [422, 422, 200, 200]).then_some(());
        eventually("the token is good everywhere", Duration::from_secs(10), good).await;
    }

    /// Waits until the token is refused everywhere; for how long that took.
    async fn until_refused(&self, token: &str, since: Instant) -> Duration {
        let refused = async || (self.statuses(token).await == [401; 4]).then(|| since.elapsed());
        eventually("the token is refused everywhere", 10 * BOUND, refused).await
    }
}

#[tokio::test]
async fn what_ends_a_session_ends_it_on_every_instance_of_both_apis_within_a_second() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let (_, ada) = world.learner("ada").await;
    let everywhere = Everywhere::start(&world).await;
    let account = format!("/v1/accounts/{ada}");
    let email = "ada@example.org";
    let mut measured = Vec::new();
    let mut measure = async |what: &'static str, session: Session, call: Call| {
        everywhere.assert_good(&session.token).await;
        let answer = world.send(call).await;
        assert!(answer.status.is_success(), "{what}: {}", answer.body);
        let took = everywhere.until_refused(&session.token, Instant::now()).await;
        assert!(took <= BOUND, "{what} took {took:?}");
        measured.push((what, took));
    };
    let empty = json!({});
    let as_root = |path: String| Call::post(path).token(&root);

    let session = log_in(&world, email, PASSWORD).await;
    let out = Call::post("/v1/auth/logout").token(&session.token);
    measure("log-out", session, out).await;

    let (here, session) = (log_in(&world, email, PASSWORD).await, log_in(&world, email, PASSWORD).await);
    let end = Call::new("DELETE", format!("/v1/me/sessions/{}", session.id)).token(&here.token);
    measure("ended by its owner", session, end).await;
    let session = log_in(&world, email, PASSWORD).await;
    measure("all others ended", session, Call::new("DELETE", "/v1/me/sessions").token(&here.token)).await;

    let session = log_in(&world, email, PASSWORD).await;
    let revoke = Call::new("DELETE", format!("{account}/sessions/{}", session.id)).token(&root);
    measure("revoked by an admin", session, revoke).await;
    let session = log_in(&world, email, PASSWORD).await;
    measure("all revoked", session, Call::new("DELETE", format!("{account}/sessions")).token(&root)).await;

    let session = log_in(&world, email, PASSWORD).await;
    let role = as_root(format!("{account}/role")).json(&json!({"role": "instructor"}));
    measure("role changed", session, role).await;
    let session = log_in(&world, email, PASSWORD).await;
    measure("portal access revoked", session, as_root(format!("{account}/revoke-portal-access")).json(&empty)).await;
    world.send(as_root(format!("{account}/grant-portal-access")).json(&empty)).await.expect(200);

    let (here, session) = (log_in(&world, email, PASSWORD).await, log_in(&world, email, PASSWORD).await);
    let chosen = json!({"current_password": PASSWORD, "new_password": "amber-lantern-orchard-7"});
    let change = Call::post("/v1/auth/set-password").token(&here.token).json(&chosen);
    measure("password changed", session, change).await;
    everywhere.assert_good(&here.token).await;

    let session = log_in(&world, email, "amber-lantern-orchard-7").await;
    let token = world.reset_token(email).await;
    let reset = Call::post("/v1/auth/reset-password").json(&json!({"token": token, "new_password": PASSWORD}));
    measure("password reset", session, reset).await;
    let session = log_in(&world, email, PASSWORD).await;
    measure("deactivated", session, as_root(format!("{account}/deactivate")).json(&empty)).await;

    for (what, took) in measured {
        println!("{what}: refused everywhere after {} ms", took.as_millis());
    }
}

#[tokio::test]
async fn sessions_are_listed_with_where_they_came_from_and_why_they_ended() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let (token, ada) = world.learner("ada").await;
    let other = log_in(&world, "ada@example.org", PASSWORD).await;
    let ended =
        world.send(Call::new("DELETE", format!("/v1/me/sessions/{}", other.id)).token(&token)).await.expect(200);
    let position = ended["position"].as_i64().unwrap();
    let mine = world.read("/v1/me/sessions", &token, position).await.expect(200);
    let theirs = world.read(&format!("/v1/accounts/{ada}/sessions"), &root, position).await.expect(200);
    let told = |list: &Value| -> Vec<(bool, Value, Value)> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|it| (it["active"] == json!(true), it["reason"].clone(), it["address"].clone())).collect()
    };
    let here = json!("127.0.0.1");
    assert_eq!(told(&mine), [(false, json!("ended_by_owner"), here.clone()), (true, Value::Null, here)]);
    assert_eq!(told(&mine), told(&theirs));
    let admins = world.read("/v1/audit/sessions?active=true", &root, position).await.expect(200);
    assert_eq!(admins["items"].as_array().unwrap().len(), 2, "Ada's and the superadmin's");
}
