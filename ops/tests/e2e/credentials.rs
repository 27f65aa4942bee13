//! Log-ins: what they cost, what they leave in the audit trail, and what they leave nowhere.

use crate::{
    client::Call,
    world::{PASSWORD, World},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::eventually;

fn credentials(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

/// Log-ins of each kind whose times are compared.
const TRIES: usize = 200;

#[tokio::test]
async fn a_failed_log_in_takes_as_long_whether_or_not_there_is_an_account() {
    let world = World::start().await;
    world.learner("ada").await;
    // As dear as in production, so that what else differs weighs as little as it does there.
    let api = world.another("command-api", &[("ARGON2_MEMORY_KIB", "19456"), ("REFUSAL_WINDOW_SECONDS", "3600")]).await;
    // A log-in replaces the cheap hash of the test's other processes.
    let right = Call::post("/v1/auth/login").json(&credentials("ada@example.org", PASSWORD));
    world.client.send(&api, right).await.expect(200);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TRIES {
        for (email, times) in ["ada@example.org", "nobody@example.org"].into_iter().zip(&mut times) {
            let call = Call::post("/v1/auth/login").json(&credentials(email, "a wrong password"));
            let started = Instant::now();
            let answer = world.client.send(&api, call).await;
            times.push(started.elapsed());
            assert_eq!(answer.problem(401), "wrong-credentials");
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort_unstable();
        times[TRIES / 2]
    });
    let difference = known.abs_diff(unknown);
    println!("medians of {TRIES}: known {known:?}, unknown {unknown:?}, difference {difference:?}");
    // Without the verification that nobody needs, the one would be nine tenths shorter; a busy machine is less unjust.
    assert!(difference * 2 <= known.max(unknown), "{known:?} and {unknown:?} differ by more than a half");
}

#[tokio::test]
async fn a_locked_account_answers_as_with_a_wrong_password_until_it_is_unlocked() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let (token, ada) = world.learner("ada").await;
    let strict = world.another("command-api", &[("LOCKOUT_FAILURES", "3")]).await;
    let log_in = async |password: &str| {
        let call = Call::post("/v1/auth/login").json(&credentials("ada@example.org", password));
        world.client.send(&strict, call).await
    };
    let wrong = log_in("a wrong password").await;
    let (status, body) = (wrong.status, wrong.body.clone());
    for _ in 0..2 {
        assert_eq!(log_in("another wrong one").await.problem(401), "wrong-credentials");
    }
    let path = format!("/v1/audit/events?subject={ada}&type=registrar.account.locked.v1");
    let locked = async || {
        let events = world.read(&path, &root, 0).await.expect(200);
        (!events["items"].as_array().unwrap().is_empty()).then_some(())
    };
    eventually("the lock is in the audit trail", Duration::from_secs(5), locked).await;
    let refused = log_in(PASSWORD).await;
    assert_eq!((refused.status, refused.body), (status, body), "the answer does not tell");
    let change = json!({"new_password": "amber-lantern-orchard-7", "current_password": PASSWORD});
    let change = Call::post("/v1/auth/set-password").token(&token).json(&change);
    let answer = world.client.send(&strict, change).await;
    assert_eq!(answer.problem(401), "wrong-credentials", "whoever has stolen a session guesses no further either");

    world.post(&format!("/v1/accounts/{ada}/unlock"), &root, json!({})).await.expect(200);
    assert_eq!(log_in(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn how_often_a_name_may_be_tried_does_not_tell_whose_it_is() {
    let world = World::start().await;
    let (token, ada) = world.learner("ada").await;
    let named = Call::patch(format!("/v1/accounts/{ada}")).token(&token);
    world.send(named.json(&json!({"username": "countess"}))).await.expect(200);
    let strict = world.another("command-api", &[("LOGIN_RATE_PER_MINUTE", "2")]).await;
    let statuses = async |names: [(&str, &str); 4]| {
        let mut statuses = Vec::new();
        for (kind, name) in names {
            let wrong = Call::post("/v1/auth/login").json(&json!({kind: name, "password": "a wrong password"}));
            statuses.push(world.client.send(&strict, wrong).await.status.as_u16());
        }
        statuses
    };
    let email = |name| ("email", name);
    let known = ["ada@example.org"; 3].map(email);
    let unknown = ["nobody@example.org"; 3].map(email);
    let [one, two, three] = known;
    assert_eq!(statuses([one, two, three, ("username", "countess")]).await, [401, 401, 429, 401]);
    let [one, two, three] = unknown;
    assert_eq!(statuses([one, two, three, ("username", "nobody-at-all")]).await, [401, 401, 429, 401]);
}

#[tokio::test]
async fn whoever_is_refused_is_in_the_audit_trail_once_with_the_count() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let (token, ada) = world.learner("ada").await;
    for _ in 0..25 {
        let wrong = credentials("ada@example.org", "a wrong password");
        assert_eq!(world.post("/v1/auth/login", "", wrong).await.problem(401), "wrong-credentials");
        assert_eq!(world.post("/v1/categories", &token, json!({"name": "Mine"})).await.problem(403), "forbidden");
    }
    let path = format!("/v1/audit/events?subject={ada}&type=registrar.refusal.recorded.v1");
    let told = async || {
        let events = world.read(&path, &root, 0).await.expect(200);
        let events = events["items"].as_array().unwrap().clone();
        let total: i64 = events.iter().map(|event| event["data"]["count"].as_i64().unwrap()).sum();
        // The rest of them is told when the window ends.
        (events.len() >= 2).then_some((events, total))
    };
    let (events, total) = eventually("both are told", Duration::from_secs(20), told).await;
    assert!(events.len() <= 4 && (2..=50).contains(&total), "{events:?}");
    let reasons: Vec<_> = events.iter().map(|event| (&event["data"]["command"], &event["data"]["problem"])).collect();
    assert!(reasons.contains(&(&json!("auth_session.log_in"), &json!("wrong-credentials"))), "{reasons:?}");
    assert!(reasons.contains(&(&json!("category.create"), &json!("forbidden"))), "{reasons:?}");
    let own = events.iter().find(|event| event["data"]["problem"] == "forbidden").unwrap();
    assert_eq!(own["actorid"], json!(ada));
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_once_and_nobody_learns_who_has_an_account() {
    let world = World::start().await;
    let (before, _) = world.learner("ada").await;
    let path = "/v1/auth/forgot-password";
    let known = world.post(path, "", json!({"email": "ada@example.org"})).await;
    let unknown = world.post(path, "", json!({"email": "nobody@example.org"})).await;
    assert_eq!((known.status.as_u16(), &known.body), (202, &unknown.body));
    assert_eq!(unknown.status, 202);

    let first =
        eventually("the letter", Duration::from_secs(10), async || world.letters("ada@example.org").pop()).await;
    assert!(first.contains("Subject: Set a new password"), "{first}");
    let token = world.reset_token("ada@example.org").await;
    let stale = first.split_once("reset-password#").unwrap().1.split_whitespace().next().unwrap();
    let path = "/v1/auth/reset-password";
    let chosen = |token: &str| json!({"token": token, "new_password": "amber-lantern-orchard-7"});
    assert_eq!(world.post(path, "", chosen(stale)).await.problem(422), "invalid-reset-token", "the later one counts");
    let letters = world.letters("ada@example.org");
    assert_eq!(world.post(path, "", chosen(&token)).await.status, 200, "{letters:?} {token}");
    assert_eq!(world.post(path, "", chosen(&token)).await.problem(422), "invalid-reset-token", "it works once");

    let old = world.post("/v1/auth/login", "", credentials("ada@example.org", PASSWORD)).await;
    assert_eq!(old.problem(401), "wrong-credentials");
    world.log_in("ada@example.org", "amber-lantern-orchard-7").await;
    let refused = async || (world.read("/v1/me", &before, 0).await.status == 401).then_some(());
    eventually("the session before has ended", Duration::from_secs(2), refused).await;
    let told = async || world.letters("ada@example.org").into_iter().find(|letter| letter.contains("was changed"));
    eventually("its person is told", Duration::from_secs(10), told).await;
    assert!(world.letters("nobody@example.org").is_empty());
}

#[tokio::test]
async fn what_was_sent_to_an_address_is_worth_nothing_once_it_is_not_the_accounts() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let (_, ada) = world.learner("ada").await;
    let chosen = |token: &str| json!({"token": token, "new_password": "amber-lantern-orchard-7"});
    let forgotten = json!({"email": "ada@example.org"});
    world.post("/v1/auth/forgot-password", "", forgotten).await.expect(202);
    let token = world.reset_token("ada@example.org").await;
    let moved = json!({"email": "ada@example.net"});
    world.post(&format!("/v1/accounts/{ada}/email"), &root, moved).await.expect(200);
    let answer = world.post("/v1/auth/reset-password", "", chosen(&token)).await;
    assert_eq!(answer.problem(422), "invalid-reset-token");

    world.post("/v1/auth/forgot-password", "", json!({"email": "ada@example.net"})).await.expect(202);
    let token = world.reset_token("ada@example.net").await;
    for step in ["deactivate", "activate"] {
        world.post(&format!("/v1/accounts/{ada}/{step}"), &root, json!({})).await.expect(200);
    }
    let answer = world.post("/v1/auth/reset-password", "", chosen(&token)).await;
    assert_eq!(answer.problem(422), "invalid-reset-token");
}
