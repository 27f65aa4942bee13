//! Accounts that are made and changed for others.

use super::{bare, post, refused};
use crate::{
    academy::{create, person, sign_in},
    client::Call,
    world::World,
};
use serde_json::json;

/// An id that nothing has.
pub const NOBODY: &str = "00000000-0000-7000-8000-00000000c0de";

pub async fn reach(world: &World) {
    let admin = sign_in(world, "admin").await;
    let mut taken = person("taken", "learner");
    taken["username"] = json!("taken-name");
    world.post("/v1/accounts", &admin, taken.clone()).await.expect(201);
    refused(world, post("/v1/accounts", &admin, &taken), 409, "email-taken").await;
    taken["email"] = json!("taken-too@example.org");
    refused(world, post("/v1/accounts", &admin, &taken), 409, "username-taken").await;
    refused(world, post("/v1/accounts", &admin, &person("above", "admin")), 403, "forbidden").await;
    let wrong = json!({"email": "no address", "role": "headmaster", "last_name": " "});
    let wrong = world.send(post("/v1/accounts", &admin, &wrong)).await;
    let fields = [("/email", "email"), ("/first_name", "missing"), ("/last_name", "blank"), ("/role", "invalid")];
    assert_eq!(wrong.fields(), fields, "{}", wrong.body);
    assert_eq!(wrong.problem(422), "invalid-request");

    let (id, _) = create(world, &admin, "pupil", "learner").await;
    let path = format!("/v1/accounts/{id}");
    let bio = json!({"bio": "A pupil."});
    let change = |path: String| Call::patch(path).token(&admin).json(&bio);
    refused(world, change(path.clone()).header("if-match", "\"99\""), 412, "version-conflict").await;
    refused(world, change(format!("/v1/accounts/{NOBODY}")), 404, "not-found").await;
    refused(world, change("/v1/accounts/not-an-id".to_owned()), 404, "not-found").await;

    for (verb, done) in [("deactivate", "account-already-inactive"), ("activate", "account-already-active")] {
        let path = format!("{path}/{verb}");
        refused(world, bare(&path, &admin).header("if-match", "\"99\""), 412, "version-conflict").await;
        world.send(bare(&path, &admin)).await.expect(200);
        refused(world, bare(&path, &admin), 409, done).await;
        refused(world, bare(format!("/v1/accounts/{NOBODY}/{verb}"), &admin), 404, "not-found").await;
    }
}
