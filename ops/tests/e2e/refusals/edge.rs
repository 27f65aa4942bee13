//! What any operation may be refused with: a body that is not JSON, of another type or too large, fields that are
//! wrong, headers that are wrong or too large, a key that was used before, and a position that is not there yet.

use super::{DONE_LATER, commands};
use crate::{
    academy::{Academy, sign_in},
    client::{Answer, Call},
    contract::Operation,
    gates::{Gate, UPLOAD, gate_of, sample, someone_for, unique},
    world::World,
};
use serde_json::json;

/// One more than the largest body.
const TOO_LARGE: usize = 1024 * 1024 + 1;

pub async fn reach(world: &World, academy: &Academy, operations: &[Operation]) {
    for operation in operations {
        let sample = signed_sample(world, academy, operation).await;
        let large = sample.clone().header("x-padding", &"x".repeat(16 * 1024));
        check(operation, &world.send(large).await, 431, "headers-too-large", &[]);
        elsewhere(world, academy, operation).await;
        if operation.commands() {
            bodies(world, operation, &sample).await;
            headers(world, operation, &sample).await;
        } else {
            positions(world, operation, &sample).await;
        }
    }
    keys(world, academy, operations).await;
}

/// Nobody but a superadmin names an organisation to act in, and that is one that there is.
async fn elsewhere(world: &World, academy: &Academy, operation: &Operation) {
    let gate = gate_of(operation);
    if operation.commands() && matches!(gate, Gate::Open(_)) {
        return;
    }
    let call = sample(world, academy, operation).await.header("registrar-tenant", "default");
    let learner = world.send(call.clone().token(&sign_in(world, "learner").await)).await;
    check(operation, &learner, 403, "forbidden", &[]);
    if !matches!(gate, Gate::AnyScope(_)) {
        let superadmin = sign_in(world, "superadmin").await;
        let unknown = world.send(call.header("registrar-tenant", "nowhere").token(&superadmin)).await;
        check(operation, &unknown, 422, "invalid-request", &[("/headers/registrar-tenant", "unknown")]);
    }
}

/// A request of somebody whom the operation is for.
pub async fn signed_sample(world: &World, academy: &Academy, operation: &Operation) -> Call {
    let call = sample(world, academy, operation).await;
    match someone_for(operation) {
        Some(role) => call.token(&sign_in(world, role).await),
        None => call,
    }
}

#[track_caller]
fn check(operation: &Operation, answer: &Answer, status: u16, slug: &str, fields: &[(&str, &str)]) {
    let found = (answer.status.as_u16(), answer.slug());
    assert_eq!(found, (status, Some(slug)), "{}: {}", operation.key(), answer.body);
    assert_eq!(answer.fields(), fields, "{}: {}", operation.key(), answer.body);
}

async fn bodies(world: &World, operation: &Operation, sample: &Call) {
    if operation.path == UPLOAD {
        return lists(world, operation, sample).await;
    }
    let json = sample.clone().header("content-type", "application/json");
    check(operation, &world.send(json.clone().text("{\"a\":")).await, 400, "malformed-json", &[]);
    let xml = sample.clone().header("content-type", "text/xml").text("<a/>");
    check(operation, &world.send(xml).await, 415, "unsupported-media-type", &[]);
    let large = world.client.send_head(&world.command_api, &json, TOO_LARGE).await;
    check(operation, &large, 413, "payload-too-large", &[]);
    let unknown = world.send(json.text(r#"{"no_such_field": 1}"#)).await;
    assert!(unknown.fields().contains(&("/no_such_field", "unknown")), "{}: {}", operation.key(), unknown.body);
    let unknown = Answer { body: without_errors(unknown.body), ..unknown };
    check(operation, &unknown, 422, "invalid-request", &[]);
}

/// As [`bodies`], where the body is a list.
async fn lists(world: &World, operation: &Operation, sample: &Call) {
    let json = sample.clone().header("content-type", "application/json");
    check(operation, &world.send(json).await, 415, "unsupported-media-type", &[]);
    let large = world.client.send_head(&world.command_api, sample, 17 * TOO_LARGE).await;
    check(operation, &large, 413, "payload-too-large", &[]);
    let form = sample.clone().header("content-type", "multipart/form-data; boundary=b").text("--b--\r\n");
    check(operation, &world.send(form).await, 422, "invalid-request", &[("/file", "missing")]);
}

fn without_errors(mut body: serde_json::Value) -> serde_json::Value {
    body["errors"] = json!([]);
    body
}

async fn headers(world: &World, operation: &Operation, sample: &Call) {
    let version = sample.clone().header("if-match", "three");
    check(operation, &world.send(version).await, 422, "invalid-request", &[("/headers/if-match", "invalid")]);
    let key = sample.clone().header("idempotency-key", &"x".repeat(256));
    check(operation, &world.send(key).await, 400, "idempotency-key-required", &[]);
}

async fn positions(world: &World, operation: &Operation, sample: &Call) {
    let wrong = sample.clone().header("registrar-min-position", "soon");
    let pointer = [("/headers/registrar-min-position", "invalid")];
    check(operation, &world.send(wrong).await, 422, "invalid-request", &pointer);
}

/// A key that named another request of the same person's before.
async fn keys(world: &World, academy: &Academy, operations: &[Operation]) {
    let key = unique();
    let registration =
        |email: &str| json!({"email": email, "password": crate::world::PASSWORD, "first_name": "A", "last_name": "B"});
    let first = Call::post("/v1/auth/register").header("idempotency-key", &key);
    let email = format!("{}@example.org", unique());
    world.send(first.json(&registration(&email))).await.expect(201);
    for role in crate::academy::ROLES {
        let token = sign_in(world, role).await;
        let me = world.read("/v1/me", &token, academy.position).await.expect(200);
        let path = format!("/v1/accounts/{}", me["id"].as_str().unwrap());
        let change = Call::patch(path).token(&token).header("idempotency-key", &key);
        world.send(change.json(&json!({"bio": "The first with this key."}))).await.expect(200);
    }
    for operation in commands(operations).filter(|operation| operation.key() != DONE_LATER) {
        let call = signed_sample(world, academy, operation).await.header("idempotency-key", &key);
        check(operation, &world.send(call).await, 422, "idempotency-key-reused", &[]);
    }
}
