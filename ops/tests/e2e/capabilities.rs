//! The five capabilities, each read back by the position that its command answered.

use crate::world::{PASSWORD, World};
use serde_json::{Value, json};

fn position(answer: &Value) -> i64 {
    answer["position"].as_i64().expect("a position")
}

#[tokio::test]
async fn a_person_registers_and_sees_themselves() {
    let world = World::start().await;
    let person = json!({
        "email": "Ada@Example.org", "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace",
    });
    let registered = world.post("/v1/auth/register", "", person.clone()).await.expect(201);
    let token = world.log_in("ada@example.org", PASSWORD).await;
    let me = world.read("/v1/me", &token, position(&registered)).await.expect(200);
    assert_eq!(
        (&me["email"], &me["role"], &me["id"]),
        (&json!("ada@example.org"), &json!("learner"), &registered["id"])
    );

    assert_eq!(world.post("/v1/auth/register", "", person).await.problem(409), "email-taken");
}

#[tokio::test]
async fn a_learner_enrols_and_finishes_a_free_course() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let (course, lesson) = world.course(&admin, None).await;
    let (learner, _) = world.learner("ada").await;

    let enrolled = world.post("/v1/enrollments", &learner, json!({"course_id": course})).await.expect(201);
    let mine = world.read("/v1/me/enrollments", &learner, position(&enrolled)).await.expect(200);
    assert_eq!(mine["items"][0]["course_id"], json!(course));
    let again = world.post("/v1/enrollments", &learner, json!({"course_id": course})).await;
    assert_eq!(again.problem(409), "already-enrolled");

    let path = format!("/v1/enrollments/{}/lessons/{lesson}/complete", enrolled["id"].as_str().unwrap());
    let finished = world.post(&path, &learner, json!({})).await.expect(200);
    assert_eq!((&finished["progress_percent"], &finished["completed"]), (&json!(100), &json!(true)));
    let mine = world.read("/v1/me/enrollments", &learner, position(&finished)).await.expect(200);
    assert_eq!(mine["items"][0]["progress_percent"], json!(100));
}

#[tokio::test]
async fn a_paid_course_is_entered_by_paying_once() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let (course, _) = world.course(&admin, Some(4_999)).await;
    let (learner, _) = world.learner("ada").await;
    let order = json!({"course_id": course});

    assert_eq!(world.post("/v1/enrollments", &learner, order.clone()).await.problem(402), "payment-required");
    assert_eq!(world.post("/v1/payments", &learner, order.clone()).await.problem(400), "idempotency-key-required");

    let first = world.post_once("/v1/payments", &learner, "order-1", order.clone()).await.expect(201);
    assert!(first["transaction_id"].as_str().unwrap().starts_with("TXN-"));
    let replay = world.post_once("/v1/payments", &learner, "order-1", order.clone()).await;
    assert_eq!(replay.headers["idempotency-replayed"], "true");
    assert_eq!(replay.expect(201), first, "a replay is the first answer");
    let reused = world.post_once("/v1/payments", &learner, "order-1", json!({"course_id": learner_course()})).await;
    assert_eq!(reused.problem(422), "idempotency-key-reused");
    assert_eq!(world.post_once("/v1/payments", &learner, "order-2", order).await.problem(409), "already-paid");

    let payments = world.read("/v1/me/payments", &learner, position(&first)).await.expect(200);
    assert_eq!(payments["items"].as_array().unwrap().len(), 1);
    let mine = world.read("/v1/me/enrollments", &learner, position(&first)).await.expect(200);
    assert_eq!(mine["items"][0]["course_id"], json!(course));
}

/// A course that is not there.
fn learner_course() -> &'static str {
    "00000000-0000-7000-8000-00000000c0de"
}

#[tokio::test]
async fn an_assessment_is_submitted_scored_and_limited() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let (learner, _) = world.learner("ada").await;
    let options = json!([{"id": "a", "text": "Ask", "score": 2}, {"id": "b", "text": "Wait", "score": 0}]);
    let assessment = json!({
        "title": "First day", "kind": "sjt", "pass_percent": 50, "max_attempts": 1,
        "items": [{"id": "q1", "prompt": "What now?", "options": options}],
    });
    let assessment = world.post("/v1/assessments", &admin, assessment).await.expect(201);
    let path = format!("/v1/assessments/{}/submissions", assessment["id"].as_str().unwrap());

    let wrong =
        world.post(&path, &learner, json!({"answers": [{"item_id": "q1", "option_id": "z"}]})).await.expect(422);
    assert_eq!(wrong["errors"][0]["pointer"], "/answers/0/option_id");
    let answers = json!({"answers": [{"item_id": "q1", "option_id": "a"}]});
    let scored = world.post(&path, &learner, answers.clone()).await.expect(201);
    assert_eq!((&scored["score"], &scored["max_score"], &scored["passed"]), (&json!(2), &json!(2), &json!(true)));
    assert_eq!(world.post(&path, &learner, answers).await.problem(409), "attempts-exhausted");
    let mine = world.read("/v1/me/submissions", &learner, position(&scored)).await.expect(200);
    assert_eq!(mine["items"][0]["score"], json!(2));
}

#[tokio::test]
async fn a_temporary_password_admits_only_to_choosing_another() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let person = json!({"email": "bob@example.org", "role": "teacher", "first_name": "Bob", "last_name": "Noyce"});
    let created = world.post("/v1/accounts", &admin, person).await.expect(201);
    let temporary = created["temporary_password"].as_str().unwrap();
    let credentials = json!({"email": "bob@example.org", "password": temporary});
    let login = world.post("/v1/auth/login", "", credentials.clone()).await.expect(200);
    assert_eq!((&login["must_set_password"], &login["refresh_token"]), (&json!(true), &Value::Null));
    let token = login["access_token"].as_str().unwrap();

    let course = json!({"title": "Not yet"});
    assert_eq!(world.post("/v1/courses", token, course.clone()).await.problem(403), "password-change-required");
    assert_eq!(world.read("/v1/me", token, 0).await.problem(403), "password-change-required");
    let weak = world.post("/v1/auth/set-password", token, json!({"new_password": "password1234"})).await;
    assert_eq!(weak.problem(422), "weak-password");
    world.post("/v1/auth/set-password", token, json!({"new_password": PASSWORD})).await.expect(200);
    assert_eq!(world.post("/v1/auth/login", "", credentials).await.problem(401), "wrong-credentials");
    let token = world.log_in("bob@example.org", PASSWORD).await;
    world.post("/v1/courses", &token, course).await.expect(201);
}
