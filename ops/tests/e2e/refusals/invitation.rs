//! Invitations and lists of people.

use super::{account::NOBODY, bare, post, refused};
use crate::{
    academy::{LIST, invitation, person, sign_in},
    client::Call,
    gates::unique,
    world::{PASSWORD, World, id_of},
};
use serde_json::{Value, json};

pub async fn reach(world: &World) {
    let admin = sign_in(world, "admin").await;
    world.post("/v1/accounts", &admin, person("here-already", "learner")).await.expect(201);
    let here = json!({"email": "here-already@example.org", "role": "learner"});
    refused(world, post("/v1/invitations", &admin, &here), 409, "email-taken").await;
    let above = json!({"email": "above@example.org", "role": "superadmin"});
    refused(world, post("/v1/invitations", &admin, &above), 403, "forbidden").await;
    let superadmin = sign_in(world, "superadmin").await;
    world.post("/v1/tenants", &superadmin, json!({"slug": "secluded", "name": "Secluded"})).await.expect(201);
    let closed = post("/v1/invitations", &superadmin, &invitation()).header("registrar-tenant", "secluded");
    refused(world, closed, 403, "registration-closed").await;

    accept_and_revoke(world, &admin).await;
    lists(world, &admin).await;
}

fn registration(email: &str, token: &Value) -> Value {
    json!({"email": email, "password": PASSWORD, "first_name": "Ines", "last_name": "Invited", "invitation": token})
}

async fn accept_and_revoke(world: &World, admin: &str) {
    let email = format!("{}@example.org", unique());
    let invite = json!({"email": email, "role": "learner"});
    let invited = world.post("/v1/invitations", admin, invite).await.expect(201);
    let path = format!("/v1/invitations/{}/revoke", id_of(&invited));
    let token = &invited["invitation_token"];
    let unknown = registration(&email, &json!("guessed"));
    refused(world, post("/v1/auth/register", "", &unknown), 403, "invalid-invitation").await;
    let other = post("/v1/auth/register", "", &registration("other@example.com", token));
    let other = refused(world, other, 422, "invalid-request").await;
    assert_eq!(
        (&other["errors"][0]["pointer"], &other["errors"][0]["code"]),
        (&json!("/email"), &json!("not-invited"))
    );
    refused(world, bare(&path, admin).header("if-match", "\"99\""), 412, "version-conflict").await;
    world.post("/v1/auth/register", "", registration(&email, token)).await.expect(201);
    refused(world, bare(&path, admin), 409, "invitation-already-accepted").await;

    let late = world.post("/v1/invitations", admin, invitation()).await.expect(201);
    let path = format!("/v1/invitations/{}/revoke", id_of(&late));
    world.send(bare(&path, admin)).await.expect(200);
    refused(world, bare(&path, admin), 409, "invitation-already-revoked").await;
    refused(world, bare(format!("/v1/invitations/{NOBODY}/revoke"), admin), 404, "not-found").await;
}

async fn lists(world: &World, admin: &str) {
    let list =
        |text: &str| Call::post("/v1/account-imports").token(admin).header("content-type", "text/csv").text(text);
    for (header, told) in [("", "email"), ("email,role,first_name", "last_name"), ("email,shoe", "shoe")] {
        let wrong = refused(world, list(header), 422, "invalid-request").await;
        let (pointer, detail) = (&wrong["errors"][0]["pointer"], wrong["errors"][0]["detail"].as_str().unwrap());
        assert!(pointer == "/header" && detail.contains(told), "{wrong}");
    }
    refused(world, list(&format!("{LIST}{}", "\n".repeat(100_001))), 413, "payload-too-large").await;
}
