//! Entering courses, for nothing and for money, and finishing lessons.

use super::{account::NOBODY, bare, post, refused};
use crate::{
    academy::sign_in,
    client::Call,
    gates::unique,
    world::{World, id_of},
};
use serde_json::{Value, json};

pub async fn reach(world: &World) {
    let (admin, learner) = (sign_in(world, "admin").await, sign_in(world, "learner").await);
    let (free, lesson) = world.course(&admin, None).await;
    let (paid, _) = world.course(&admin, Some(4_999)).await;
    let (draft, _) = world.draft(&admin, Some(4_999)).await;
    let order = |course: &str| json!({"course_id": course});

    let enter = |course: &str| post("/v1/enrollments", &learner, &order(course));
    refused(world, enter(NOBODY), 404, "not-found").await;
    refused(world, enter(&draft), 409, "course-not-published").await;
    let price = refused(world, enter(&paid), 402, "payment-required").await;
    assert_eq!(price["price"], json!({"amount_minor": 4_999, "currency": "EUR"}));
    let enrolled = world.send(enter(&free)).await.expect(201);
    refused(world, enter(&free), 409, "already-enrolled").await;

    let finish = |enrollment: &str, lesson: &str| {
        bare(format!("/v1/enrollments/{enrollment}/lessons/{lesson}/complete"), &learner)
    };
    let enrolled = id_of(&enrolled);
    refused(world, finish(NOBODY, &lesson), 404, "not-found").await;
    refused(world, finish(&enrolled, NOBODY), 404, "not-found").await;
    let stale = finish(&enrolled, &lesson).header("if-match", "\"99\"");
    refused(world, stale, 412, "version-conflict").await;

    payments(world, &learner, [&free, &paid, &draft]).await;
}

async fn payments(world: &World, learner: &str, [free, paid, draft]: [&str; 3]) {
    let pay = |body: &Value| post("/v1/payments", learner, body).header("idempotency-key", &unique());
    let order = |course: &str| json!({"course_id": course});
    let without_key: Call = post("/v1/payments", learner, &order(paid));
    refused(world, without_key, 400, "idempotency-key-required").await;
    refused(world, pay(&order(NOBODY)), 404, "not-found").await;
    refused(world, pay(&order(draft)), 409, "course-not-published").await;
    refused(world, pay(&order(free)), 409, "already-enrolled").await;
    let (fresh, _) = world.course(&sign_in(world, "admin").await, None).await;
    refused(world, pay(&order(&fresh)), 409, "course-is-free").await;
    let cheaper = json!({"course_id": paid, "amount": {"amount_minor": 1, "currency": "EUR"}});
    let mismatch = refused(world, pay(&cheaper), 422, "amount-mismatch").await;
    assert_eq!(mismatch["errors"][0]["pointer"], "/amount");
    world.send(pay(&order(paid))).await.expect(201);
    refused(world, pay(&order(paid)), 409, "already-paid").await;
}
