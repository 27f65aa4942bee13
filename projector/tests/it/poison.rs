//! A poisoned event parks its stream, for its projection, and nothing else; what is parked can be released.

use crate::{
    story::{self, ADA, BOB, BOOKKEEPING, profile},
    world::World,
};
use events::{
    Event, Metadata, Role, StreamRef,
    account::{AccountEvent, PasswordReason},
    ids::AccountId,
};
use projector::{
    parked::{self, Released},
    projections::{self, Projection},
};
use serde_json::{Value, json};
use uuid::Uuid;

const PARKED: &str = "select coalesce(jsonb_agg(jsonb_build_array(projection, stream_id, position) order by projection,
                          position), '[]') from read.parked_streams";
const KEPT: &str = "select coalesce(jsonb_agg(position order by position), '[]') from read.parked_events
                    where projection = 'account_list'";

fn account_list() -> &'static Projection {
    projections::find("account_list").unwrap()
}

fn stream(id: AccountId) -> StreamRef {
    StreamRef { stream_type: "account".into(), id: id.as_uuid() }
}

/// Ada's bio holds what no text in PostgreSQL may: events 3 and 4 are of her stream after it, 5 and 6 are not.
async fn poisoned() -> World {
    let world = World::new().await;
    story::register(&world, ADA, "Ada", Role::Learner).await;
    world.append(ADA, profile(ADA, "Ada", "bro\0ken")).await;
    world.append(ADA, AccountEvent::Deactivated {}).await;
    world.append(ADA, AccountEvent::PasswordSet { reason: PasswordReason::Changed, temporary_until: None }).await;
    story::register(&world, BOB, "Bob", Role::Learner).await;
    world.append(BOB, AccountEvent::Deactivated {}).await;
    world
}

async fn account(world: &World, id: AccountId) -> Option<Value> {
    world.rows("account_list").await.into_iter().find(|row| row["account_id"] == id.to_string())
}

#[tokio::test]
async fn a_poisoned_event_parks_its_stream_and_everything_else_flows_on() {
    let world = poisoned().await;
    assert_eq!(world.drain("account_list").await, 6);
    assert_eq!(world.value::<Value>(PARKED).await, json!([["account_list", ADA, 2]]));
    assert_eq!(world.value::<Value>(KEPT).await, json!([2, 3, 4]), "the event and those that follow it");

    let ada = account(&world, ADA).await.unwrap();
    assert_eq!((&ada["version"], &ada["is_active"]), (&json!(1), &json!(true)), "as before the poison");
    let bob = account(&world, BOB).await.unwrap();
    assert_eq!((&bob["version"], &bob["is_active"]), (&json!(2), &json!(false)));

    // What comes later is kept too, in a batch that is well.
    world.append(ADA, AccountEvent::Activated {}).await;
    world.append(BOB, AccountEvent::Activated {}).await;
    assert_eq!(world.drain("account_list").await, 8);
    assert_eq!(world.value::<Value>(KEPT).await, json!([2, 3, 4, 7]));
    assert_eq!(account(&world, BOB).await.unwrap()["version"], 3);
}

#[tokio::test]
async fn a_poisoned_event_parks_its_stream_for_its_own_projection_only() {
    let world = poisoned().await;
    world.drain_all(500).await;
    assert_eq!(world.value::<Value>(PARKED).await, json!([["account_list", ADA, 2]]));
    let inactive = "select value from read.admin_dashboard where metric = 'active_accounts' and label = 'learner'";
    assert_eq!(world.value::<i64>(inactive).await, 0, "the admin's dashboard has seen both of them leave");
}

#[tokio::test]
async fn a_parked_stream_says_why_and_keeps_its_events_sealed() {
    let world = poisoned().await;
    world.drain("account_list").await;
    let reason: String = world.value("select reason from read.parked_streams").await;
    assert!(reason.contains("invalid byte sequence"), "{reason}");
    let events: Vec<Value> = sqlx::query_scalar("select event from read.parked_events order by position")
        .fetch_all(&world.owner)
        .await
        .unwrap();
    let log = world.log.read(1, 3).await.unwrap();
    assert_eq!(events, log.iter().map(events::Recorded::cloud_event).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_skipped_is_left_out_and_the_stream_flows_again() {
    let world = poisoned().await;
    world.drain("account_list").await;
    let released = parked::skip(&world.read, &world.log, account_list(), &stream(ADA)).await.unwrap();
    assert_eq!(released, Released::Flowing { events: 2 });
    assert_eq!(world.value::<Value>(PARKED).await, json!([]));
    assert_eq!(world.value::<Value>(KEPT).await, json!([]));
    let ada = account(&world, ADA).await.unwrap();
    assert_eq!((&ada["version"], &ada["is_active"], &ada["bio"]), (&json!(4), &json!(false), &Value::Null));

    world.append(ADA, AccountEvent::Activated {}).await;
    world.drain("account_list").await;
    assert_eq!(account(&world, ADA).await.unwrap()["is_active"], true);
}

#[tokio::test]
async fn a_retry_in_vain_leaves_the_stream_parked_with_all_its_events() {
    let world = poisoned().await;
    world.drain("account_list").await;
    let released = parked::retry(&world.read, &world.log, account_list(), &stream(ADA)).await.unwrap();
    assert_eq!(released, Released::StillParked);
    assert_eq!(world.value::<Value>(PARKED).await, json!([["account_list", ADA, 2]]));
    assert_eq!(world.value::<Value>(KEPT).await, json!([2, 3, 4]));
    assert_eq!(
        parked::retry(&world.read, &world.log, account_list(), &stream(BOB)).await.unwrap(),
        Released::NothingParked
    );
}

#[tokio::test]
async fn after_the_mending_a_retry_gives_the_view_that_would_have_been() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    let expected = (world.rows("account_list").await, world.rows("account_list_logins").await);
    world.forget_all().await;

    world.execute("alter table read.account_list add constraint broken check (first_name <> 'Ada')").await;
    world.drain_all(500).await;
    assert_eq!(world.value::<Value>(PARKED).await, json!([["account_list", ADA, 3]]));
    assert_eq!(account(&world, ADA).await, None);

    world.execute("alter table read.account_list drop constraint broken").await;
    let released = parked::retry(&world.read, &world.log, account_list(), &stream(ADA)).await.unwrap();
    assert_eq!(released, Released::Flowing { events: 5 });
    assert_eq!((world.rows("account_list").await, world.rows("account_list_logins").await), expected);
}

#[tokio::test]
async fn an_event_of_an_unknown_type_parks_its_stream_and_stands_in_the_audit_trail() {
    let world = World::new().await;
    let id = Uuid::from_u128(0xf00);
    let event: Event = AccountEvent::Activated {}.into();
    let mut unknown = world.record(id, &event, &Metadata::default());
    unknown.recorded.event_type = "registrar.account.knighted.v1".to_owned();
    world.append_recorded(unknown).await;
    let (enrollment, enrolled) = story::enrolled(BOB, BOOKKEEPING);
    world.append(enrollment, enrolled).await;
    world.drain_all(500).await;

    let reason: String = world.value("select reason from read.parked_streams where projection = 'account_list'").await;
    assert!(reason.contains("registrar.account.knighted.v1"), "{reason}");
    let parking: Vec<String> = sqlx::query_scalar("select projection from read.parked_streams order by projection")
        .fetch_all(&world.owner)
        .await
        .unwrap();
    let mut needing: Vec<_> = projections::ALL
        .iter()
        .filter(|projection| projection.needs_content && projection.streams.includes("account"))
        .map(|projection| projection.name)
        .collect();
    needing.sort_unstable();
    assert_eq!(parking, needing, "all that look at accounts, but the audit trail");
    assert_eq!(world.value::<i64>("select count(*) from read.audit_trail").await, 2);
    assert_eq!(world.value::<i64>("select count(*) from read.enrollment_progress").await, 1, "the others flow on");
}

#[tokio::test]
async fn what_is_not_an_events_fault_parks_nothing() {
    let world = poisoned().await;
    world.execute("alter table read.account_list rename to elsewhere").await;
    let error = world.runner("account_list").step().await.unwrap_err();
    assert!(matches!(error, projector::run::StepError::Apply(ref error) if !error.is_of_the_data()), "{error:?}");
    assert_eq!(world.value::<Value>(PARKED).await, json!([]));
    world.execute("alter table read.elsewhere rename to account_list").await;
    assert_eq!(world.drain("account_list").await, 6);
}
