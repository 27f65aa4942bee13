//! Facts of other systems that are not taken, and what imported things refuse.

use super::{post, refused};
use crate::{
    academy::{answers, sign_in},
    world::{World, id_of},
};
use serde_json::{Value, json};

pub async fn reach(world: &World) {
    let (admin, learner) = (sign_in(world, "admin").await, sign_in(world, "learner").await);
    let fact = |key: &str, kind: &str, told: Value| {
        post("/v1/imports/refusals", &admin, &json!({"key": key, "occurred_at": "2013-10-01T00:00:00Z", kind: told}))
    };
    let person = |email: &str, username: &str| json!({"email": email, "username": username, "role": "learner", "first_name": "A", "last_name": "B"});
    world.send(fact("1", "account", person("one@import.example", "one-imported"))).await.expect(200);
    refused(world, fact("2", "account", person("one@import.example", "two-imported")), 409, "email-taken").await;
    refused(world, fact("3", "account", person("three@import.example", "one-imported")), 409, "username-taken").await;
    world.send(fact("law", "category", json!({"name": "Imported law"}))).await.expect(200);
    refused(world, fact("laws", "category", json!({"name": "Imported  LAW"})), 409, "category-name-taken").await;

    let exam = world.send(fact("exam", "assessment", json!({"title": "Exam"}))).await.expect(200);
    let path = format!("/v1/assessments/{}/submissions", id_of(&exam));
    refused(world, post(path, &learner, &answers("a")), 409, "assessment-held-elsewhere").await;
}
