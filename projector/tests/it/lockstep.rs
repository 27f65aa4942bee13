//! What is applied together is what each would have applied alone, and whoever cannot go along holds up nobody.

use crate::{
    story::{self, ADA, BOOKKEEPING, profile},
    world::{World, drain},
};
use events::{Role, account::AccountEvent, ids::AccountId};
use projector::{
    lockstep::{Lockstep, Together},
    projections,
    run::{Runner, Step},
};
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use uuid::Uuid;

const POSITIONS: &str = "select jsonb_agg(distinct position) from read.projections";
const PARKED: &str = "select coalesce(jsonb_agg(jsonb_build_array(projection, stream_id, position)), '[]')
                      from read.parked_streams";

/// All views, in lockstep.
fn all(world: &World, batch_size: usize) -> Lockstep {
    let feed = world.feed();
    let mut lockstep = Lockstep::new(world.read.clone(), feed.clone(), batch_size);
    for projection in projections::ALL {
        lockstep.admit(Runner::new(*projection, world.read.clone(), feed.clone(), batch_size));
    }
    lockstep
}

/// Steps until there is nothing more to do, and gives back whoever could not go along.
pub(crate) async fn march(lockstep: &mut Lockstep) -> Vec<Runner> {
    let mut left = Vec::new();
    loop {
        match lockstep.step().await.unwrap() {
            Together::Applied { .. } => {}
            Together::Without(unfit) => {
                assert!(!unfit.is_empty());
                left.extend(unfit);
            }
            Together::Idle { .. } => return left,
        }
    }
}

fn names(runners: &[Runner]) -> Vec<&'static str> {
    runners.iter().map(Runner::name).collect()
}

async fn views(world: &World) -> Vec<(&'static str, Vec<Value>)> {
    let mut views = Vec::new();
    for table in projections::ALL.iter().flat_map(|projection| projection.tables) {
        views.push((*table, world.rows(table).await));
    }
    views
}

#[tokio::test]
async fn what_is_applied_together_is_what_each_applies_alone() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    let alone = views(&world).await;
    let head = world.log.head().await.unwrap();
    for batch_size in [500, 7, 1] {
        world.forget_all().await;
        let mut lockstep = all(&world, batch_size);
        assert_eq!(names(&march(&mut lockstep).await), [""; 0]);
        assert_eq!(world.value::<Value>(POSITIONS).await, json!([head]));
        assert_eq!(views(&world).await, alone, "in batches of {batch_size}");
    }
}

#[tokio::test]
async fn whoever_is_ahead_waits_and_a_gap_is_not_stepped_over() {
    let world = World::new().await;
    for learner in 1..=4 {
        let (id, event) = story::enrolled(AccountId::new(Uuid::from_u128(learner)), BOOKKEEPING);
        world.append(id, event).await;
    }
    world.execute("update read.projections set position = case name when 'account_list' then 3 else 1 end").await;

    let mut lockstep = all(&world, 2);
    let stepped = lockstep.step().await.unwrap();
    assert!(matches!(stepped, Together::Applied { position: 3, events: 2 }), "{stepped:?}");
    assert_eq!(world.value::<Value>(POSITIONS).await, json!([3]));

    // Somebody sets one view back, which this process does not know of.
    world.execute("update read.projections set position = 0 where name = 'tenant_list'").await;
    let Together::Without(unfit) = lockstep.step().await.unwrap() else { panic!("a gap must not be stepped over") };
    assert_eq!(names(&unfit), ["tenant_list"]);
    assert_eq!(names(&march(&mut lockstep).await), [""; 0]);
    assert_eq!(world.value::<Value>(POSITIONS).await, json!([0, 4]));
}

#[tokio::test]
async fn a_poisoned_event_sends_its_view_alone_and_the_others_go_on() {
    let world = World::new().await;
    story::register(&world, ADA, "Ada", Role::Learner).await;
    world.append(ADA, profile(ADA, "Ada", "bro\0ken")).await;
    world.append(ADA, AccountEvent::Deactivated {}).await;
    let mut lockstep = all(&world, 500);
    let mut left = march(&mut lockstep).await;
    assert_eq!(names(&left), ["account_list"]);
    assert_eq!(world.value::<Value>(PARKED).await, json!([]));

    // Alone it parks the stream, and can go along again: the stream's events are kept aside.
    let mut account_list = left.remove(0);
    assert_eq!(drain(&mut account_list).await, 3);
    assert_eq!(world.value::<Value>(PARKED).await, json!([["account_list", ADA, 2]]));
    lockstep.admit(account_list);
    world.append(ADA, AccountEvent::Activated {}).await;
    assert_eq!(names(&march(&mut lockstep).await), [""; 0]);
    assert_eq!(world.value::<Value>(POSITIONS).await, json!([4]));
    let kept: Value = world.value("select jsonb_agg(position order by position) from read.parked_events").await;
    assert_eq!(kept, json!([2, 3, 4]));
}

#[tokio::test]
async fn a_paused_view_and_one_that_somebody_holds_hold_up_nobody() {
    let world = World::new().await;
    story::register(&world, ADA, "Ada", Role::Learner).await;
    world.execute("update read.projections set state = 'paused' where name = 'analytics'").await;
    let mut holder = world.owner.begin().await.unwrap();
    sqlx::query("select from read.projections where name = 'audit_trail' for update")
        .execute(&mut *holder)
        .await
        .unwrap();

    let mut lockstep = all(&world, 500);
    let mut left = march(&mut lockstep).await;
    assert_eq!(names(&left), ["analytics", "audit_trail"]);
    let positions = "select jsonb_object_agg(name, position) from read.projections where position < 1";
    assert_eq!(world.value::<Value>(positions).await, json!({ "analytics": 0, "audit_trail": 0 }));

    holder.rollback().await.unwrap();
    assert_eq!(left[0].step().await.unwrap(), Step::Paused);
    left.drain(..).for_each(|runner| lockstep.admit(runner));
    let left = march(&mut lockstep).await;
    assert_eq!(names(&left), ["analytics"]);
    assert_eq!(world.value::<Value>(positions).await, json!({ "analytics": 0 }));
}

#[tokio::test]
async fn a_step_whose_connection_breaks_leaves_nothing_and_is_taken_again() {
    let world = World::new().await;
    story::tell(&world).await;
    let mut lockstep = all(&world, 4);
    lockstep.step().await.unwrap();
    world
        .execute(
            "select pg_terminate_backend(pid)
             from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and usename is not null",
        )
        .await;
    assert!(lockstep.step().await.is_err());
    assert_eq!(world.value::<Value>(POSITIONS).await, json!([4]));
    assert_eq!(names(&march(&mut lockstep).await), [""; 0]);
    assert_eq!(world.value::<Value>(POSITIONS).await, json!([world.log.head().await.unwrap()]));
}

#[tokio::test]
async fn nobody_waits_for_a_view_that_is_further_behind_than_a_batch() {
    let world = World::new().await;
    for learner in 1..=9 {
        let (id, event) = story::enrolled(AccountId::new(Uuid::from_u128(learner)), BOOKKEEPING);
        world.append(id, event).await;
    }
    world.drain_all(500).await;
    world.execute("update read.projections set position = 3 where name = 'tenant_list'").await;
    world.append(ADA, AccountEvent::Activated {}).await;

    let mut lockstep = all(&world, 5);
    assert_eq!(names(&march(&mut lockstep).await), ["tenant_list"]);
    assert_eq!(world.value::<Value>(POSITIONS).await, json!([3, 10]));
}

#[tokio::test]
async fn whoever_listens_is_told_how_far_the_views_have_come() {
    let world = World::new().await;
    let mut listener = PgListener::connect_with(&world.read).await.unwrap();
    listener.listen("registrar_projections").await.unwrap();
    story::tell(&world).await;
    let head = world.log.head().await.unwrap();
    let mut lockstep = all(&world, 500);
    march(&mut lockstep).await;
    let told = listener.recv().await.unwrap();
    let (position, names) = told.payload().split_once(' ').unwrap();
    let mut names: Vec<_> = names.split(',').collect();
    names.sort_unstable();
    let mut expected: Vec<_> = projections::ALL.iter().map(|projection| projection.name).collect();
    expected.sort_unstable();
    assert_eq!((position, names), (head.to_string().as_str(), expected));
}
