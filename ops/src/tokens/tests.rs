//! The rules that tokens are accepted by.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use ed25519_dalek::VerifyingKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, errors::ErrorKind};
use serde_json::{Value, json};

use super::*;

const LIFETIME: Duration = Duration::from_mins(15);

fn signer(issuer: &str, audience: &str) -> Signer {
    Signer::from_pem(&generate_signing_key_pem().unwrap(), issuer, audience, LIFETIME).unwrap()
}

fn grant() -> Grant {
    Grant {
        account_id: Uuid::now_v7(),
        tenant_id: Uuid::now_v7(),
        session_id: Uuid::now_v7(),
        role: "learner".to_owned(),
        scope: TokenScope::Full,
    }
}

fn refusal(verifier: &Verifier, token: &str) -> ErrorKind {
    match verifier.verify(token).unwrap_err() {
        TokenError::Invalid(error) => error.into_kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_says_what_was_granted() {
    let signer = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    let (token, claims) = signer.issue(grant(), Utc::now()).unwrap();
    for _ in 0..2 {
        assert_eq!(*verifier.verify(&token).unwrap(), claims);
    }
    assert_eq!(claims.exp - claims.iat, 900);
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!((header.alg, header.kid.as_ref()), (Algorithm::EdDSA, Some(&signer.jwks().keys[0].kid)));
}

#[test]
fn an_expired_token_is_refused_even_when_it_was_remembered() {
    let signer = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    let ended = Utc::now() - LIFETIME - Duration::from_secs(6);
    let (token, claims) = signer.issue(grant(), ended).unwrap();
    assert_eq!(refusal(&verifier, &token), ErrorKind::ExpiredSignature);
    verifier.remember(&token, claims);
    assert_eq!(refusal(&verifier, &token), ErrorKind::ExpiredSignature);
}

#[test]
fn a_foreign_audience_or_issuer_is_refused() {
    let signer = signer("registrar", "elsewhere");
    let (token, _) = signer.issue(grant(), Utc::now()).unwrap();
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    assert_eq!(refusal(&verifier, &token), ErrorKind::InvalidAudience);
    let verifier = Verifier::from_jwks(&signer.jwks(), "someone", "elsewhere").unwrap();
    assert_eq!(refusal(&verifier, &token), ErrorKind::InvalidIssuer);
}

#[test]
fn a_forged_token_is_refused() {
    let ours = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&ours.jwks(), "registrar", "registrar").unwrap();
    let (foreign, _) = signer("registrar", "registrar").issue(grant(), Utc::now()).unwrap();
    assert!(matches!(verifier.verify(&foreign), Err(TokenError::UnknownKey)));

    let (token, claims) = ours.issue(grant(), Utc::now()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let raised = encode(&serde_json::to_value(Claims { role: "superadmin".to_owned(), ..claims }).unwrap());
    assert_eq!(refusal(&verifier, &[parts[0], &raised, parts[2]].join(".")), ErrorKind::InvalidSignature);
}

#[test]
fn only_eddsa_is_accepted() {
    let signer = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    let (token, claims) = signer.issue(grant(), Utc::now()).unwrap();
    let body = token.split('.').nth(1).unwrap();
    let key = &signer.jwks().keys[0];

    let unsigned = encode(&json!({"alg": "none", "typ": "JWT", "kid": key.kid}));
    assert!(matches!(refusal(&verifier, &format!("{unsigned}.{body}.")), ErrorKind::Json(_)));

    let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
    let secret = BASE64_URL_SAFE_NO_PAD.decode(&key.x).unwrap();
    let confused = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret)).unwrap();
    assert_eq!(refusal(&verifier, &confused), ErrorKind::InvalidAlgorithm);
}

#[test]
fn the_key_id_is_the_thumbprint_of_rfc_8037() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let bytes: [u8; 32] = BASE64_URL_SAFE_NO_PAD.decode(x).unwrap().try_into().unwrap();
    let key = Jwk::from_key(&VerifyingKey::from_bytes(&bytes).unwrap());
    assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_key_set_must_hold_ed25519_keys() {
    assert!(matches!(Verifier::from_jwks(&Jwks::default(), "a", "b"), Err(KeyError::Public)));
    let mut jwks = signer("a", "b").jwks();
    jwks.keys[0].x = "AAAA".to_owned();
    assert!(matches!(Verifier::from_jwks(&jwks, "a", "b"), Err(KeyError::Public)));
    assert!(matches!(Jwks::parse("{}"), Err(KeyError::Document(_))));
}

fn encode(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

#[test]
fn a_token_of_an_ended_session_is_refused_also_when_it_was_remembered() {
    let signer = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    let (token, claims) = signer.issue(grant(), Utc::now()).unwrap();
    verifier.verify(&token).unwrap();
    verifier.ended_sessions().end(claims.sid, Utc::now());
    assert!(matches!(verifier.verify(&token), Err(TokenError::SessionEnded)));
    let (other, _) = signer.issue(grant(), Utc::now()).unwrap();
    verifier.verify(&other).unwrap();
}

#[test]
fn before_it_is_known_which_sessions_have_ended_no_token_is_taken() {
    let signer = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    verifier.ended_sessions().await_feed();
    let (token, _) = signer.issue(grant(), Utc::now()).unwrap();
    assert!(matches!(verifier.verify(&token), Err(TokenError::SessionsUnknown)));
    verifier.ended_sessions().heard(Utc::now(), true);
    verifier.verify(&token).unwrap();
}

#[test]
fn a_token_that_would_outlive_every_other_is_refused() {
    let pem = generate_signing_key_pem().unwrap();
    let lifetime = MAX_LIFETIME + Duration::from_secs(1);
    let signer = Signer::from_pem(&pem, "registrar", "registrar", lifetime).unwrap();
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    let (token, _) = signer.issue(grant(), Utc::now()).unwrap();
    assert!(matches!(verifier.verify(&token), Err(TokenError::TooLongLived)));
}

#[test]
fn a_retired_key_verifies_what_it_signed_before_and_nothing_after() {
    let signer = signer("registrar", "registrar");
    let verifier = Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap();
    let before = Utc::now() - Duration::from_mins(2);
    let (old, _) = signer.issue(grant(), before).unwrap();
    let (forged, _) = signer.issue(grant(), Utc::now()).unwrap();
    verifier.verify(&old).unwrap();

    let retired = signer.jwks();
    signer.replace_key(&generate_signing_key_pem().unwrap()).unwrap();
    let mut jwks = signer.jwks().and(retired.clone());
    let current = signer.jwks().keys[0].kid.clone();
    jwks.retire_others(&current, before.timestamp() + 60);
    verifier.replace_keys(&jwks).unwrap();
    verifier.verify(&old).unwrap();
    assert!(matches!(verifier.verify(&forged), Err(TokenError::UnknownKey)));
    let (new, _) = signer.issue(grant(), Utc::now()).unwrap();
    verifier.verify(&new).unwrap();

    jwks.retire_others(&current, Utc::now().timestamp() + 3_700);
    assert_eq!(jwks, signer.jwks(), "when all that it signed has ended, it is dropped");
}

#[test]
fn a_key_set_takes_a_key_in_once() {
    let (one, other) = (signer("a", "b").jwks(), signer("a", "b").jwks());
    let both = one.clone().and(other).and(one);
    assert_eq!(both.keys.len(), 2);
}

#[tokio::test]
async fn keys_are_read_again_when_their_file_changes() {
    use tokio::sync::mpsc;
    let file = std::env::temp_dir().join(format!("keys-{}.json", Uuid::new_v4()));
    std::fs::write(&file, "one").unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let (told, mut tells) = mpsc::unbounded_channel();
    let watching = tokio::spawn(watch_files(vec![file.clone()], stop.clone(), move || {
        told.send(()).unwrap();
        Ok::<_, std::io::Error>(())
    }));
    // Written again and again: the watcher may not have looked at the first contents yet.
    let mut number = 0;
    let seen = loop {
        number += 1;
        std::fs::write(&file, number.to_string()).unwrap();
        if let Ok(seen) = tokio::time::timeout(Duration::from_secs(2), tells.recv()).await {
            break seen;
        }
    };
    assert_eq!(seen, Some(()));
    stop.cancel();
    watching.await.unwrap().unwrap();
    std::fs::remove_file(file).unwrap();
}
