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

    let renamed = change(path.clone()).json(&json!({"username": "taken-name"}));
    refused(world, renamed, 409, "username-taken").await;
    standings(world, &admin, &id).await;
}

/// What admins do to an account, each once and then once more.
async fn standings(world: &World, admin: &str, id: &str) {
    let removed = create(world, admin, "removed", "learner").await.0;
    let remove = |id: &str| Call::new("DELETE", format!("/v1/accounts/{id}")).token(admin);
    let to = |verb: &str, id: &str| bare(format!("/v1/accounts/{id}/{verb}"), admin);
    let role = |id: &str| to("role", id).json(&json!({"role": "instructor"}));
    let email = |id: &str, email: &str| to("email", id).json(&json!({"email": email}));

    let cases = [
        (remove(&removed), remove(NOBODY), Some("account-already-inactive")),
        (to("deactivate", id), to("deactivate", NOBODY), Some("account-already-inactive")),
        (to("activate", id), to("activate", NOBODY), Some("account-already-active")),
        (role(id), role(NOBODY), Some("account-already-in-role")),
        (email(id, "moved@example.org"), email(NOBODY, "moved@example.org"), None),
        (to("revoke-portal-access", id), to("revoke-portal-access", NOBODY), Some("portal-access-already-revoked")),
        (to("grant-portal-access", id), to("grant-portal-access", NOBODY), Some("portal-access-already-granted")),
        (to("reset-password", id), to("reset-password", NOBODY), None),
    ];
    for (call, to_nobody, done) in cases {
        refused(world, call.clone().header("if-match", "\"99\""), 412, "version-conflict").await;
        refused(world, to_nobody, 404, "not-found").await;
        world.send(call.clone()).await.expect(200);
        if let Some(done) = done {
            refused(world, call, 409, done).await;
        }
    }
    refused(world, email(id, "taken@example.org"), 409, "email-taken").await;
    refused(world, to("unlock", id), 409, "account-not-locked").await;
    refused(world, to("unlock", NOBODY), 404, "not-found").await;

    let end = |path: String| refused(world, Call::new("DELETE", path).token(admin), 404, "not-found");
    end(format!("/v1/accounts/{NOBODY}/sessions")).await;
    end(format!("/v1/accounts/{id}/sessions/{NOBODY}")).await;
    end(format!("/v1/me/sessions/{NOBODY}")).await;
}
