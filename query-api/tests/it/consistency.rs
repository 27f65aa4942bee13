//! Positions: what an answer reflects, and waiting for more.

use crate::world::{POSITION, Person, World};
use axum::http::HeaderName;
use ops::http::MIN_POSITION;
use query_api::{consistency::Positions, openapi};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use testkit::eventually;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);

fn at_least(position: &str) -> [(HeaderName, &str); 1] {
    [(MIN_POSITION, position)]
}

#[tokio::test]
async fn an_answer_reflects_the_least_of_the_projections_that_it_reads() {
    let world = World::new().await;
    sqlx::query("update read.projections set position = 42 where name = 'category_list'")
        .execute(&world.owner)
        .await
        .unwrap();
    for (path, position) in [("/v1/courses", "42"), ("/v1/categories", "42"), ("/v1/me", "100")] {
        assert_eq!(world.get(Person::Ada, path).await.header("registrar-position"), Some(position), "{path}");
    }
}

#[tokio::test]
async fn a_position_that_was_reached_is_answered_at_once() {
    let world = World::new().await;
    for reached in ["0", "99", "100"] {
        let answer = world.ask(Some(Person::Ada), "/v1/me", &at_least(reached)).await;
        assert_eq!((answer.status.as_u16(), answer.header("registrar-position")), (200, Some("100")), "{reached}");
    }
}

#[tokio::test]
async fn a_query_waits_for_the_position_that_it_needs() {
    let world = Arc::new(World::new().await);
    let needed = (POSITION + 1).to_string();
    let waiting: Vec<_> = ["/v1/me", "/v1/courses", "/v1/dashboards/learner", "/v1/me/sessions"]
        .map(|path| {
            let (world, needed) = (world.clone(), needed.clone());
            tokio::spawn(async move { world.ask(Some(Person::Ada), path, &at_least(&needed)).await })
        })
        .into();
    assert!(waiting.iter().all(|query| !query.is_finished()));
    world.advance_to(POSITION + 1).await;
    for query in waiting {
        let answer = query.await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("registrar-position")), (200, Some("101")));
    }
}

#[tokio::test]
async fn a_wait_ends_with_what_the_projector_notifies() {
    let world = World::new().await;
    let positions = Positions::new(SOON);
    let options = world.pool_as("registrar_query").await.connect_options().as_ref().clone();
    let following = tokio::spawn(positions.clone().follow(options, CancellationToken::new()));
    let reached = AtomicBool::new(false);
    let reach = async {
        positions.reach(&["account_list"], POSITION + 400).await.unwrap();
        reached.store(true, Ordering::Relaxed);
    };
    // The row stays where it is, so no look can have told it. Whoever notifies knows not who listens, nor since when.
    let notify = eventually("the notification is heard", SOON, async || {
        let notified = sqlx::query("select pg_notify('registrar_projections', $1)");
        notified.bind(format!("{} account_list,payment_list", POSITION + 400)).execute(&world.owner).await.unwrap();
        reached.load(Ordering::Relaxed).then_some(())
    });
    tokio::join!(reach, notify);
    following.abort();
}

#[tokio::test]
async fn a_list_of_nothing_says_what_it_reflects() {
    let world = World::new().await;
    for _ in 0..3 {
        let nothing = world.get(Person::Admin, "/v1/me/payments").await;
        assert_eq!(nothing.header("registrar-position"), Some("100"));
        assert_eq!(nothing.ok()["items"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn a_wait_ends_with_projection_behind() {
    let world = World::new().await;
    let answer = world.ask(Some(Person::Ada), "/v1/me", &at_least("101")).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "projection-behind"));
    assert_eq!((answer.header("retry-after"), answer.header("registrar-position")), (Some("1"), Some("100")));
    assert_eq!(answer.body["position"], 100);
}

#[tokio::test]
async fn a_min_position_that_is_none_is_refused_on_every_route() {
    let world = World::new().await;
    for path in openapi::document().paths.paths.into_keys().filter(|path| path.starts_with("/v1/")) {
        let person = if path.ends_with("/instructor") { Person::Ida } else { Person::Admin };
        let path = path.replace("{id}", &Person::Ada.id().to_string());
        let answer = world.ask(Some(person), &path, &at_least("soon")).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid-request"), "{path}");
        assert_eq!(answer.body["errors"][0]["pointer"], "/headers/registrar-min-position", "{path}");
    }
}
