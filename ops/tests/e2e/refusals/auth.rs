//! Coming in, staying in, and choosing a password.

use super::{post, refused};
use crate::{
    academy::{create, refresh_token, sign_in},
    world::{PASSWORD, World, first_superadmin},
};
use serde_json::{Value, json};

/// The first superadmin comes to be, after everything that is in the way.
pub async fn bootstrap(world: &World) {
    let path = "/v1/auth/bootstrap";
    let with = |member: &str, value: &str| {
        let mut body = first_superadmin();
        body[member] = json!(value);
        post(path, "", &body)
    };
    refused(world, with("token", "another token of no worth"), 401, "wrong-credentials").await;
    refused(world, with("password", "password1234"), 422, "weak-password").await;
    world.learner("early").await;
    refused(world, with("email", "early@example.org"), 409, "email-taken").await;
    world.superadmin().await;
    refused(world, with("email", "second@example.org"), 409, "bootstrap-done").await;
}

pub async fn reach(world: &World) {
    register(world).await;
    log_in(world).await;
    refresh(world).await;
    set_password(world).await;
    recover(world).await;
    limits(world).await;
}

fn registration(member: &str, value: &str) -> Value {
    let mut body = json!({
        "email": "fresh@example.org", "password": PASSWORD, "first_name": "Robin", "last_name": "Fresh",
        "username": "fresh",
    });
    body[member] = json!(value);
    body
}

async fn register(world: &World) {
    let path = "/v1/auth/register";
    let weak = refused(world, post(path, "", &registration("password", "short")), 422, "weak-password").await;
    assert_eq!((&weak["errors"][0]["pointer"], &weak["errors"][0]["code"]), (&json!("/password"), &json!("too-short")));
    world.post(path, "", registration("last_name", "First")).await.expect(201);
    refused(world, post(path, "", &registration("username", "other")), 409, "email-taken").await;
    refused(world, post(path, "", &registration("email", "other@example.org")), 409, "username-taken").await;
    let unknown = refused(world, post(path, "", &registration("tenant", "nowhere")), 422, "invalid-request").await;
    assert_eq!(unknown["errors"][0]["pointer"], "/tenant");

    let superadmin = sign_in(world, "superadmin").await;
    world.post("/v1/tenants", &superadmin, json!({"slug": "quiet", "name": "Quiet"})).await.expect(201);
    refused(world, post(path, "", &registration("tenant", "quiet")), 403, "registration-closed").await;
}

async fn log_in(world: &World) {
    let path = "/v1/auth/login";
    let credentials = |email: &str, password: &str| json!({"email": email, "password": password});
    for wrong in [credentials("learner@example.org", "another"), credentials("nobody@example.org", PASSWORD)] {
        refused(world, post(path, "", &wrong), 401, "wrong-credentials").await;
    }
    let mut outsider = crate::academy::person("outsider", "learner");
    outsider["portal_access"] = json!(false);
    let admin = sign_in(world, "admin").await;
    let outsider = world.post("/v1/accounts", &admin, outsider).await.expect(201);
    let temporary = outsider["temporary_password"].as_str().unwrap();
    let shut_out = credentials("outsider@example.org", temporary);
    refused(world, post(path, "", &shut_out), 403, "portal-access-revoked").await;
}

async fn refresh(world: &World) {
    let path = "/v1/auth/refresh";
    refused(world, post(path, "", &json!({"refresh_token": "unknown"})), 401, "invalid-refresh-token").await;
    let token = json!({"refresh_token": refresh_token(world, "learner").await});
    world.post(path, "", token.clone()).await.expect(200);
    refused(world, post(path, "", &token), 401, "invalid-refresh-token").await;
}

async fn set_password(world: &World) {
    let path = "/v1/auth/set-password";
    let learner = sign_in(world, "learner").await;
    let chosen = |new: &str, current: &str| json!({"new_password": new, "current_password": current});
    refused(world, post(path, &learner, &chosen(PASSWORD, "another")), 401, "wrong-credentials").await;
    let weak = refused(world, post(path, &learner, &chosen("password1234", PASSWORD)), 422, "weak-password").await;
    assert_eq!(weak["errors"][0]["pointer"], "/new_password");
    let missing = post(path, &learner, &json!({"new_password": PASSWORD}));
    let missing = refused(world, missing, 422, "invalid-request").await;
    assert_eq!(missing["errors"][0]["pointer"], "/current_password");
}

async fn recover(world: &World) {
    let path = "/v1/auth/reset-password";
    let body = |token: &str, password: &str| json!({"token": token, "new_password": password});
    refused(world, post(path, "", &body("unknown", PASSWORD)), 422, "invalid-reset-token").await;
    let token = world.reset_token("learner@example.org").await;
    let weak = refused(world, post(path, "", &body(&token, "password1234")), 422, "weak-password").await;
    assert_eq!(weak["errors"][0]["pointer"], "/new_password");
    let unknown = json!({"email": "learner@example.org", "tenant": "nowhere"});
    refused(world, post("/v1/auth/forgot-password", "", &unknown), 422, "invalid-request").await;
}

/// Where one try a minute is allowed, a second one waits.
async fn limits(world: &World) {
    let admin = sign_in(world, "admin").await;
    create(world, &admin, "hasty", "learner").await;
    let settings = [
        ("LOGIN_RATE_PER_MINUTE", "1"),
        ("RESET_RATE_PER_ADDRESS_PER_HOUR", "1"),
        ("REGISTRATION_RATE_PER_ADDRESS_PER_MINUTE", "1"),
    ];
    let strict = world.another("command-api", &settings).await;
    let wrong = json!({"email": "hasty@example.org", "password": "a guess"});
    let send = async |path: &str, token: &str, body: &Value| {
        let answer = world.client.send(&strict, post(path, token, body)).await;
        let wait = answer.headers.get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        (answer.status.as_u16(), answer.slug().unwrap().to_owned(), wait.is_some())
    };
    let path = "/v1/auth/login";
    assert_eq!(send(path, "", &wrong).await, (401, "wrong-credentials".to_owned(), false));
    assert_eq!(send(path, "", &wrong).await, (429, "too-many-requests".to_owned(), true));
    let (path, learner) = ("/v1/auth/set-password", sign_in(world, "learner").await);
    let wrong = json!({"new_password": PASSWORD, "current_password": "a guess"});
    assert_eq!(send(path, &learner, &wrong).await, (401, "wrong-credentials".to_owned(), false));
    assert_eq!(send(path, &learner, &wrong).await, (429, "too-many-requests".to_owned(), true));
    let path = "/v1/auth/reset-password";
    let unknown = json!({"token": "unknown", "new_password": PASSWORD});
    assert_eq!(send(path, "", &unknown).await, (422, "invalid-reset-token".to_owned(), false));
    assert_eq!(send(path, "", &unknown).await, (429, "too-many-requests".to_owned(), true));
    let path = "/v1/auth/forgot-password";
    assert_eq!(
        send(path, "", &json!({"email": "nobody@example.org"})).await,
        (429, "too-many-requests".to_owned(), true)
    );
    let path = "/v1/auth/register";
    let weak = registration("password", "short");
    assert_eq!(send(path, "", &weak).await, (422, "weak-password".to_owned(), false));
    assert_eq!(send(path, "", &weak).await, (429, "too-many-requests".to_owned(), true));
}
