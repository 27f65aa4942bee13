//! Organisations, and their first accounts.

use super::{account::NOBODY, post, refused};
use crate::{
    academy::{person, sign_in},
    client::Call,
    world::{DEFAULT_ID, World, id_of},
};
use serde_json::json;

pub async fn reach(world: &World) {
    let (superadmin, admin) = (sign_in(world, "superadmin").await, sign_in(world, "admin").await);
    let north = json!({"slug": "north", "name": "North"});
    let founded = id_of(&world.post("/v1/tenants", &superadmin, north.clone()).await.expect(201));
    refused(world, post("/v1/tenants", &superadmin, &north), 409, "tenant-slug-taken").await;
    refused(
        world,
        post("/v1/tenants", &superadmin, &json!({"slug": "default", "name": "Again"})),
        409,
        "tenant-slug-taken",
    )
    .await;
    let wrong =
        json!({"slug": "1st", "name": " ", "registration": "maybe", "settings": {"much": "x".repeat(16 * 1024)}});
    let wrong = world.send(post("/v1/tenants", &superadmin, &wrong)).await;
    let fields = [("/name", "blank"), ("/registration", "invalid"), ("/settings", "size"), ("/slug", "slug")];
    assert_eq!(wrong.fields(), fields, "{}", wrong.body);
    assert_eq!(wrong.problem(422), "invalid-request");

    let change =
        |id: &str, token: &str| Call::patch(format!("/v1/tenants/{id}")).token(token).json(&json!({"name": "N"}));
    refused(world, change(NOBODY, &superadmin), 404, "not-found").await;
    refused(world, change(&founded, &admin), 404, "not-found").await;
    refused(world, change(&founded, &superadmin).header("if-match", "\"99\""), 412, "version-conflict").await;

    let accounts = |id: &str| format!("/v1/tenants/{id}/accounts");
    refused(world, post(accounts(NOBODY), &superadmin, &person("first", "admin")), 404, "not-found").await;
    refused(world, post(accounts(&founded), &admin, &person("first", "learner")), 404, "not-found").await;
    let mut taken = person("taken-here", "learner");
    taken["username"] = json!("taken-here");
    world.send(post(accounts(DEFAULT_ID), &admin, &taken)).await.expect(201);
    // A name is taken within its organisation alone.
    world.send(post(accounts(&founded), &superadmin, &taken)).await.expect(201);
    refused(world, post(accounts(&founded), &superadmin, &taken), 409, "email-taken").await;
    taken["email"] = json!("taken-there@example.org");
    refused(world, post(accounts(&founded), &superadmin, &taken), 409, "username-taken").await;
}
