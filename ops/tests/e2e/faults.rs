//! What a fault leaves: nothing. NATS goes and its stream is lost while commands go on; the projector is killed again and
//! again. Afterwards every view is the one that the log alone gives.

use crate::world::World;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{TestNats, TestStream};

/// As many enrolments as courses, by one learner; the answer is the last position.
async fn enrol(world: &World, learner: &str, courses: &[String]) -> i64 {
    let mut position = 0;
    for course in courses {
        let enrolled = world.post("/v1/enrollments", learner, json!({"course_id": course})).await.expect(201);
        position = enrolled["position"].as_i64().unwrap();
    }
    position
}

async fn courses(world: &World, admin: &str, count: usize) -> Vec<String> {
    let mut courses = Vec::new();
    for _ in 0..count {
        courses.push(world.course(admin, None).await.0);
    }
    courses
}

/// Reads what the learner is in, until it reflects the position.
async fn enrolments_at(world: &World, learner: &str, position: i64) -> usize {
    testkit::eventually("the view comes along", Duration::from_secs(30), async || {
        let answer = world.read("/v1/me/enrollments?limit=100", learner, position).await;
        (answer.status == 200).then(|| answer.body["items"].as_array().unwrap().len())
    })
    .await
}

/// Every view equals one that is built from the log alone, and nothing stands aside.
fn views_equal_the_log(world: &World) {
    let (equal, report) = world.projector(&["verify", "--all", "--json"]);
    assert!(equal, "{report}");
    let (_, status) = world.projector(&["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["parked_streams"], json!([]));
    for projection in status["projections"].as_array().unwrap() {
        assert_eq!((&projection["lag_events"], &projection["state"]), (&json!(0), &json!("running")), "{projection}");
    }
}

async fn stream_holds(stream: &TestStream, position: i64) {
    testkit::eventually("JetStream holds every position", Duration::from_secs(30), async || {
        let found = stream.jetstream().await.get_stream(&stream.name).await.ok()?;
        (i64::try_from(found.get_info().await.ok()?.state.last_sequence) == Ok(position)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_nats_is_gone_commands_go_on_and_afterwards_nothing_is_missing() {
    let Some(mut nats) = TestNats::start().await else { return };
    let world = World::start_on(nats.stream()).await;
    let admin = world.superadmin().await;
    let courses = courses(&world, &admin, 6).await;
    let (learner, _) = world.learner("ada").await;
    let before = enrol(&world, &learner, &courses[..2]).await;
    stream_holds(&world.stream, before).await;

    nats.stop();
    let during = enrol(&world, &learner, &courses[2..4]).await;
    assert_eq!(enrolments_at(&world, &learner, during).await, 4, "the views go on too");

    nats.restart().await;
    stream_holds(&world.stream, during).await;
    let jetstream = world.stream.jetstream().await;
    jetstream.delete_stream(&world.stream.name).await.unwrap();
    let after = enrol(&world, &learner, &courses[4..]).await;
    assert_eq!(enrolments_at(&world, &learner, after).await, 6);
    stream_holds(&world.stream, after).await;
    views_equal_the_log(&world);
}

#[tokio::test]
async fn a_projector_that_is_killed_again_and_again_applies_every_event_once() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let courses = courses(&world, &admin, 24).await;
    let (learner, _) = world.learner("ada").await;
    let mut position = 0;
    for some in courses.chunks(3) {
        // The kill comes while the views are being brought to what was just acknowledged, or just after.
        position = enrol(&world, &learner, some).await;
        world.crash_projector();
    }
    assert_eq!(enrolments_at(&world, &learner, position).await, courses.len());
    let catalogue = world.read("/v1/courses?limit=100", "", position).await.expect(200);
    for course in catalogue["items"].as_array().unwrap() {
        assert_eq!(course["total_students"], 1, "{course}");
    }
    views_equal_the_log(&world);
}

#[tokio::test]
async fn a_view_is_rebuilt_beside_the_running_system() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let courses = courses(&world, &admin, 3).await;
    let (learner, _) = world.learner("ada").await;
    let position = enrol(&world, &learner, &courses).await;
    assert_eq!(enrolments_at(&world, &learner, position).await, 3);
    let (done, report) = world.projector(&["rebuild", "--all", "--json"]);
    assert!(done, "{report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["equal"], true, "{report:#}");
    assert_eq!(enrolments_at(&world, &learner, position).await, 3);

    let (done, said) = world.projector(&["pause", "enrollment_progress"]);
    assert_eq!((done, &*said), (true, "enrollment_progress is paused\n"));
    let shown = world.read("/v1/projections?limit=100", &admin, 0).await.expect(200);
    let states: Vec<_> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] == "paused")
        .map(|row| &row["name"])
        .collect();
    assert_eq!(states, ["enrollment_progress"]);
    world.projector(&["resume", "--all"]);
    views_equal_the_log(&world);
}
