//! Assessments and the answers to them.

use super::{account::NOBODY, post, refused};
use crate::{
    academy::{answers, assessment, sign_in},
    world::{World, id_of},
};
use serde_json::json;

pub async fn reach(world: &World) {
    let (instructor, learner) = (sign_in(world, "instructor").await, sign_in(world, "learner").await);
    let unknown = post("/v1/assessments", &instructor, &assessment(Some(NOBODY)));
    let unknown = refused(world, unknown, 422, "invalid-request").await;
    assert_eq!(unknown["errors"][0]["pointer"], "/course_id");
    let mut faulty = assessment(None);
    faulty["items"][0]["options"][1]["id"] = json!("a");
    let faulty = world.send(post("/v1/assessments", &instructor, &faulty)).await;
    assert_eq!(faulty.fields(), [("/items/0/options/1/id", "duplicate")], "{}", faulty.body);

    let submit = |id: &str, option: &str| post(format!("/v1/assessments/{id}/submissions"), &learner, &answers(option));
    refused(world, submit(NOBODY, "a"), 404, "not-found").await;
    let (course, _) = world.course(&sign_in(world, "admin").await, None).await;
    let inside = world.post("/v1/assessments", &sign_in(world, "admin").await, assessment(Some(&course))).await;
    refused(world, submit(&id_of(&inside.expect(201)), "a"), 403, "enrollment-required").await;

    let mut once = assessment(None);
    once["max_attempts"] = json!(1);
    let once = id_of(&world.post("/v1/assessments", &instructor, once).await.expect(201));
    let bad = world.send(submit(&once, "z")).await;
    assert_eq!(bad.fields(), [("/answers/0/option_id", "unknown")], "{}", bad.body);
    assert_eq!(bad.problem(422), "invalid-request");
    world.send(submit(&once, "a")).await.expect(201);
    refused(world, submit(&once, "a"), 409, "attempts-exhausted").await;
}
