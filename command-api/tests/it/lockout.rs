//! Log-ins that fail are counted in the log database, and lock their account.

use crate::world::World;
use chrono::TimeDelta;
use command_api::{
    execute::Executor,
    lockout::{Failures, Policy},
    refusals::Refusals,
};
use events::{ids::AccountId, tenant::DEFAULT_TENANT};
use ops::problem::Problem;
use std::time::Duration;
use testkit::eventually;
use tokio_util::sync::CancellationToken;

const POLICY: Policy = Policy { failures: 3, lasts: TimeDelta::minutes(15) };

/// What one process counts with.
fn process(executor: &Executor, stop: &CancellationToken) -> Failures {
    let (failures, counting) = Failures::start(executor.clone(), POLICY, stop.clone());
    tokio::spawn(counting);
    failures
}

async fn counted(world: &World, account_id: AccountId) -> Option<i32> {
    sqlx::query_scalar("select failures from log.login_failures where account_id = $1")
        .bind(account_id.as_uuid())
        .fetch_optional(&world.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn too_many_failures_at_any_process_lock_the_account_once() {
    let world = World::new().await;
    let account_id = world.person().await;
    let stop = CancellationToken::new();
    let (one, other) = (process(&world.executor, &stop), process(&world.executor, &stop));
    one.count(DEFAULT_TENANT, account_id);
    other.count(DEFAULT_TENANT, account_id);
    let two = async || (counted(&world, account_id).await == Some(2)).then_some(());
    eventually("two failures are counted", Duration::from_secs(5), two).await;
    assert_eq!(world.types_of("account", account_id.as_uuid()).await.len(), 1, "not yet");

    one.count(DEFAULT_TENANT, account_id);
    let locked = async || {
        let types = world.types_of("account", account_id.as_uuid()).await;
        types.contains(&"registrar.account.locked.v1".to_owned()).then_some(())
    };
    eventually("the account is locked", Duration::from_secs(5), locked).await;
    let forgiven = async || counted(&world, account_id).await.is_none().then_some(());
    eventually("the count begins anew", Duration::from_secs(5), forgiven).await;
    stop.cancel();
}

#[tokio::test]
async fn refusals_are_recorded_with_their_count_and_without_what_is_personal() {
    let world = World::new().await;
    let account_id = world.person().await;
    let (refusals, recorder) = Refusals::new(Duration::from_mins(1));
    let (executor, stop) = (world.executor_recording(refusals), CancellationToken::new());
    let recording = tokio::spawn(recorder.run(executor.clone(), stop.clone()));
    let mut context = World::context();
    context.address = Some("192.0.2.77".to_owned());
    for _ in 0..40 {
        executor.refused(&context, "auth_session.log_in", &Problem::forbidden("no"), Some(account_id));
    }
    executor.refused(&context, "auth_session.log_in", &Problem::forbidden("no"), None);
    stop.cancel();
    recording.await.unwrap().unwrap();

    let events = executor.log().read(0, 100).await.unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.event_type == "registrar.refusal.recorded.v1").collect();
    let mut counts: Vec<i64> = told.iter().map(|event| event.data.value()["count"].as_i64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 40]);
    let origins: Vec<_> = told.iter().map(|event| event.data.value()["origin"].as_str().unwrap().to_owned()).collect();
    assert_eq!(origins[0], origins[1], "the same network, with and without an account");
    assert!(told.iter().all(|event| !event.data.to_string().contains("192.0.2.77")));
}
