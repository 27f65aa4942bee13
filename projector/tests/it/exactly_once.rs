//! Each event has its effect once: delivered twice, too late or not at all, and with a crash at any point.

use crate::{
    story::{self, BOOKKEEPING},
    world::{World, drain},
};
use events::ids::AccountId;
use projector::{
    projections::{self, ApplyError, Projection},
    run::{Step, StepError},
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use uuid::Uuid;

const STUDENTS: &str = "select coalesce(sum(total_students), 0)::bigint from read.course_catalogue_students";

/// A log of so many enrolments in one course.
async fn enrolments(count: u32) -> World {
    let world = World::new().await;
    for learner in 1..=count {
        let learner = AccountId::new(Uuid::from_u128(learner.into()));
        let (id, event) = story::enrolled(learner, BOOKKEEPING);
        world.append(id, event).await;
    }
    world
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_counts_once() {
    let world = enrolments(6).await;
    let mut runner = world.runner("course_catalogue");
    let batch = world.feed().after(0, 4).await.unwrap();
    assert_eq!(runner.apply(batch.clone()).await.unwrap(), Step::Applied { position: 4, events: 4 });
    assert_eq!(runner.apply(batch.clone()).await.unwrap(), Step::Known { position: 4 });
    let overlapping = world.feed().after(2, 4).await.unwrap();
    assert_eq!(runner.apply(overlapping).await.unwrap(), Step::Applied { position: 6, events: 2 });
    let doubled = [batch.clone(), batch].concat();
    assert_eq!(runner.apply(doubled).await.unwrap(), Step::Known { position: 6 });
    assert_eq!(world.value::<i64>(STUDENTS).await, 6);
}

#[tokio::test]
async fn events_that_are_delivered_out_of_order_are_applied_in_order() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain("account_list").await;
    let expected = world.rows("account_list").await;
    world.forget_all().await;

    let mut runner = world.runner("account_list");
    let mut all = world.feed().after(0, 500).await.unwrap();
    all.reverse();
    let position = i64::try_from(all.len()).unwrap();
    assert_eq!(runner.apply(all.clone()).await.unwrap(), Step::Applied { position, events: all.len() });
    assert_eq!(world.rows("account_list").await, expected);
}

#[tokio::test]
async fn a_gap_is_filled_from_the_log() {
    let world = enrolments(9).await;
    let mut runner = world.runner("course_catalogue");
    // The later half is delivered first, and with a hole: the log has all nine, and gives them.
    let mut late = world.feed().after(4, 5).await.unwrap();
    late.remove(2);
    assert_eq!(runner.apply(late).await.unwrap(), Step::Applied { position: 9, events: 9 });
    let early = world.feed().after(0, 4).await.unwrap();
    assert_eq!(runner.apply(early).await.unwrap(), Step::Known { position: 9 });
    assert_eq!(world.value::<i64>(STUDENTS).await, 9);
}

#[tokio::test]
async fn what_was_applied_and_never_acknowledged_is_not_applied_again() {
    let world = enrolments(5).await;
    let delivered = world.feed().after(0, 5).await.unwrap();
    {
        let mut crashing = world.runner("course_catalogue");
        crashing.apply(delivered.clone()).await.unwrap();
    }
    let mut restarted = world.runner("course_catalogue");
    assert_eq!(restarted.apply(delivered).await.unwrap(), Step::Known { position: 5 });
    assert_eq!(world.value::<i64>(STUDENTS).await, 5);
}

#[tokio::test]
async fn a_crash_before_the_commit_leaves_neither_rows_nor_checkpoint() {
    static CRASHES: AtomicBool = AtomicBool::new(true);
    let apply_then_crash = Projection {
        apply: |connection, batch| {
            Box::pin(async move {
                (projections::find("course_catalogue").unwrap().apply)(&mut *connection, batch).await?;
                if CRASHES.load(SeqCst) {
                    // The connection goes, as with the process.
                    sqlx::query("select pg_terminate_backend(pg_backend_pid())").execute(connection).await?;
                }
                Ok::<(), ApplyError>(())
            })
        },
        ..*projections::find("course_catalogue").unwrap()
    };
    let world = enrolments(5).await;
    // Whoever ends a session needs the right to: here the owner applies.
    let mut runner = projector::run::Runner::new(apply_then_crash, world.owner.clone(), world.feed(), 500);
    assert!(matches!(runner.step().await, Err(StepError::Apply(ApplyError::Database(_)))));
    assert_eq!(world.value::<i64>(STUDENTS).await, 0);
    assert_eq!(world.value::<i64>("select position from read.projections where name = 'course_catalogue'").await, 0);
    CRASHES.store(false, SeqCst);
    assert_eq!(drain(&mut runner).await, 5);
    assert_eq!(world.value::<i64>(STUDENTS).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_projectors_at_once_count_every_event_once() {
    let world = enrolments(60).await;
    let catalogue = *projections::find("course_catalogue").unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut runner = world.runner_of(catalogue, 3);
        tasks.spawn(async move { drain(&mut runner).await });
    }
    assert_eq!(tasks.join_all().await, [60; 4]);
    assert_eq!(world.value::<i64>(STUDENTS).await, 60);
}

#[tokio::test]
async fn a_paused_projection_stays_where_it_is_and_goes_on_when_it_may() {
    let world = enrolments(3).await;
    world.execute("update read.projections set state = 'paused' where name = 'course_catalogue'").await;
    let mut runner = world.runner("course_catalogue");
    assert_eq!(runner.step().await.unwrap(), Step::Paused);
    assert_eq!(world.value::<i64>(STUDENTS).await, 0);
    world.execute("update read.projections set state = 'running' where name = 'course_catalogue'").await;
    assert_eq!(drain(&mut runner).await, 3);
    assert_eq!(world.value::<i64>(STUDENTS).await, 3);
}
