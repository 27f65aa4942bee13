//! Access tokens that are not good, at both APIs, and a signing key that changes while they run.

use crate::{
    client::Call,
    world::{PASSWORD, World, binary},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ops::tokens::{Claims, Grant, Signer, TokenScope, generate_signing_key_pem};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::process::Command;
use uuid::Uuid;

const LIFETIME: Duration = Duration::from_mins(15);

fn encode(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Tokens that only look like one of ours, by what is wrong with them.
fn bad_tokens(world: &World) -> Vec<(&'static str, String)> {
    let now = chrono::Utc::now();
    let grant = || Grant {
        account_id: Uuid::now_v7(),
        tenant_id: events_tenant(),
        session_id: Uuid::now_v7(),
        role: "superadmin".to_owned(),
        scope: TokenScope::Full,
    };
    let ours = |issuer: &str, audience: &str, lifetime: Duration| world.signer(issuer, audience, lifetime);
    let signer = ours("registrar", "registrar", LIFETIME);
    let (good, claims): (String, Claims) = signer.issue(grant(), now).unwrap();
    let [header, body, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let key = &signer.jwks().keys[0];
    let foreign = Signer::from_pem(&generate_signing_key_pem().unwrap(), "registrar", "registrar", LIFETIME).unwrap();
    let stranger = foreign.issue(grant(), now).unwrap().0;
    let (_, stranger_signed) = stranger.split_once('.').unwrap();
    let public = BASE64_URL_SAFE_NO_PAD.decode(&key.x).unwrap();
    let confused = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
    let unsigned = encode(&json!({"alg": "none", "typ": "JWT", "kid": key.kid}));
    let mut raised = serde_json::to_value(&claims).unwrap();
    raised["exp"] = json!(claims.exp + 60);
    let keyless = encode(&json!({"alg": "EdDSA", "typ": "JWT"}));
    vec![
        ("nonsense", "nonsense".to_owned()),
        ("expired", signer.issue(grant(), now - LIFETIME - Duration::from_mins(1)).unwrap().0),
        ("another issuer", ours("elsewhere", "registrar", LIFETIME).issue(grant(), now).unwrap().0),
        ("another audience", ours("registrar", "elsewhere", LIFETIME).issue(grant(), now).unwrap().0),
        ("too long a life", ours("registrar", "registrar", Duration::from_hours(2)).issue(grant(), now).unwrap().0),
        ("an unknown key", stranger.clone()),
        ("signed with another key than it names", format!("{header}.{stranger_signed}")),
        ("no key named", format!("{keyless}.{body}.{signature}")),
        ("not signed", format!("{unsigned}.{body}.")),
        (
            "the public key as a shared secret",
            jsonwebtoken::encode(&confused, &claims, &EncodingKey::from_secret(&public)).unwrap(),
        ),
        ("changed", format!("{header}.{}.{signature}", encode(&raised))),
        ("cut short", good[..good.len() - 7].to_owned()),
        ("without its signature", format!("{header}.{body}")),
        ("much too long", format!("{good}{}", "A".repeat(8 * 1024))),
    ]
}

fn events_tenant() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001)
}

#[tokio::test]
async fn a_bad_token_is_refused_clearly_by_both_apis_whatever_is_wrong_with_it() {
    let world = World::start().await;
    for (what, token) in bad_tokens(&world) {
        let (command, query) = (Call::post("/v1/categories").json(&json!({"name": "x"})), Call::get("/v1/me"));
        for call in [command, query] {
            let answer = world.send(call.token(&token)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.slug()),
                (401, Some("invalid-token")),
                "{what}: {}",
                answer.body
            );
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert_eq!(challenge, r#"Bearer error="invalid_token""#, "{what}");
        }
    }
}

#[tokio::test]
async fn a_signing_key_changes_under_running_processes_and_nobody_logs_in_again() {
    let world = World::start().await;
    world.learner("ada").await;
    let folder = std::env::temp_dir().join(format!("keys-{}", Uuid::new_v4()));
    let keys = async |arguments: &[&str]| {
        let mut command = Command::new(binary("registrar"));
        let done = command.arg("keys").args(arguments).arg(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(done.status().await.unwrap().success(), "{arguments:?}");
    };
    keys(&[]).await;
    let (pem, jwks) = (folder.join("signing.pem"), folder.join("jwks.json"));
    let settings = [
        ("SIGNING_KEY", ""),
        ("SIGNING_KEY_FILE", pem.to_str().unwrap()),
        ("JWKS", ""),
        ("JWKS_FILE", jwks.to_str().unwrap()),
    ];
    let commands = world.another("command-api", &settings).await;
    let queries = world.another("query-api", &settings).await;
    let log_in = async || {
        let credentials = json!({"email": "ada@example.org", "password": PASSWORD});
        let answer = world.client.send(&commands, Call::post("/v1/auth/login").json(&credentials)).await.expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let key_of = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let assert_good = async |token: &str| {
        let me = world.client.send(&queries, Call::get("/v1/me").token(token)).await;
        assert_eq!(me.status, 200, "{}", me.body);
        let command = Call::post("/v1/categories").token(token).json(&json!({"name": "Mine"}));
        assert_eq!(world.client.send(&commands, command).await.problem(403), "forbidden");
    };

    let before = log_in().await;
    assert_good(&before).await;
    keys(&["rotate", "--wait", "3"]).await;
    let changed = async || Some(log_in().await).filter(|token| key_of(token) != key_of(&before));
    let after = testkit::eventually("another key signs", Duration::from_secs(10), changed).await;
    assert_good(&after).await;
    assert_good(&before).await;
    let published = world.client.send(&commands, Call::get("/.well-known/jwks.json")).await.expect(200);
    let published = published["keys"].as_array().unwrap();
    assert_eq!(published.len(), 2);
    let retired: Vec<_> = published.iter().filter(|key| key["retired"].is_i64()).map(|key| &key["kid"]).collect();
    assert_eq!(retired, [&json!(key_of(&before))]);
    std::fs::remove_dir_all(folder).unwrap();
}
