//! What each view makes of the story, and that it makes the same of it however the events come.

use crate::{
    story::{self, ADA},
    world::World,
};
use projector::projections;
use serde_json::Value;
use std::collections::BTreeMap;

type Rows = BTreeMap<&'static str, Vec<Value>>;

async fn all_rows(world: &World) -> Rows {
    let mut rows = Rows::new();
    for table in projections::ALL.iter().flat_map(|projection| projection.tables) {
        rows.insert(table, world.rows(table).await);
    }
    rows
}

#[tokio::test]
async fn every_view_tells_the_story() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    assert_eq!(world.value::<i64>("select count(*) from read.parked_streams").await, 0);
    insta::assert_json_snapshot!(all_rows(&world).await);
}

#[tokio::test]
async fn a_view_does_not_depend_on_how_its_events_were_batched() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    let expected = all_rows(&world).await;
    for batch_size in [1, 2, 3, 7] {
        world.forget_all().await;
        world.drain_all(batch_size).await;
        assert_eq!(all_rows(&world).await, expected, "in batches of {batch_size}");
    }
}

#[tokio::test]
async fn every_view_has_a_checkpoint_and_every_checkpoint_a_view() {
    let world = World::new().await;
    let stored: Vec<String> =
        sqlx::query_scalar("select name from read.projections order by name").fetch_all(&world.owner).await.unwrap();
    let mut known: Vec<_> = projections::ALL.iter().map(|projection| projection.name).collect();
    known.sort_unstable();
    assert_eq!(stored, known);
}

#[tokio::test]
async fn the_audit_trail_holds_the_event_as_it_was_stored() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain("audit_trail").await;
    let stored: Vec<(Value, Value, Vec<u8>)> =
        sqlx::query_as("select data::jsonb, metadata::jsonb, leaf_hash from read.audit_trail order by position")
            .fetch_all(&world.owner)
            .await
            .unwrap();
    let log = world.log.read(0, i64::MAX).await.unwrap();
    let expected: Vec<_> =
        log.into_iter().map(|event| (event.data.value(), event.metadata.value(), event.leaf_hash.to_vec())).collect();
    assert_eq!(stored, expected);
    assert!(!serde_json::to_string(&stored).unwrap().contains("ada@example.org"), "personal data stay sealed");
}

#[tokio::test]
async fn a_person_whose_key_is_destroyed_is_nameless_in_a_view_that_is_built_afterwards() {
    let world = World::new().await;
    story::tell(&world).await;
    sqlx::query("delete from log.subject_keys where subject_id = $1")
        .bind(ADA.as_uuid())
        .execute(&world.log_database.pool().await)
        .await
        .unwrap();
    world.drain("account_list").await;
    let nameless: Vec<Value> =
        world.rows("account_list").await.into_iter().filter(|row| row["email"].is_null()).collect();
    assert_eq!(nameless.len(), 1);
    assert_eq!(nameless[0]["account_id"], ADA.to_string());
    for personal in ["username", "first_name", "last_name", "bio"] {
        assert!(nameless[0][personal].is_null(), "{personal}");
    }
    assert_eq!(nameless[0]["role"], "learner");
}
