//! Sessions on a real log: whoever ends all of them misses none, and those that nobody refreshes are found to have
//! expired, once.

use crate::world::World;
use chrono::TimeDelta;
use command_api::{
    execute::{Reply, Work},
    revocation, sweep,
};
use events::{
    account::{Account, AccountEvent},
    auth_session::{AuthSession, AuthSessionEvent, EndReason, SessionScope},
    ids::{AccountId, AuthSessionId},
};
use ops::{problem::Problem, tokens::EndedSessions};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use testkit::eventually;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A session that begins now and ends after `lifetime`, unless the account has moved since it was read.
async fn begin(world: &World, account_id: AccountId, lifetime: TimeDelta) -> Result<AuthSessionId, Problem> {
    let session_id = AuthSessionId::new(Uuid::now_v7());
    let context = &World::context();
    let expires_at = context.now + lifetime;
    let started =
        &AuthSessionEvent::Started { account_id, scope: SessionScope::Full, expires_at, address: None, agent: None };
    let begun = world.executor.execute(context, "test.begin", |work| {
        Box::pin(async move {
            work.load::<Account>(account_id).await?;
            work.append::<AuthSession>(session_id, vec![started.clone()]);
            Ok(Reply::ok(session_id))
        })
    });
    begun.await.map(|_| session_id)
}

async fn end_all(work: &mut Work<'_>, account_id: AccountId) -> Result<(), Problem> {
    for session_id in work.load_sessions(account_id).await? {
        work.load::<AuthSession>(session_id).await?;
        work.append::<AuthSession>(session_id, vec![AuthSessionEvent::Ended { reason: EndReason::PasswordChanged }]);
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_begins_while_all_are_ended_is_ended_too() {
    let world = World::new().await;
    let account_id = world.person().await;
    begin(&world, account_id, TimeDelta::days(1)).await.unwrap();
    let (world, attempts) = (&world, &AtomicUsize::new(0));
    let context = &World::context();
    // What a new password does, with a log-in between the look at the sessions and the append.
    let done = world.executor.execute(context, "test.end_all", |work| {
        Box::pin(async move {
            work.load::<Account>(account_id).await?;
            end_all(work, account_id).await?;
            if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                begin(world, account_id, TimeDelta::days(1)).await?;
            }
            work.append::<Account>(account_id, vec![AccountEvent::Deactivated {}]);
            Ok(Reply::ok(account_id))
        })
    });
    done.await.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 2, "it was decided anew");
    assert_eq!(world.executor.open_sessions(account_id).await.unwrap(), []);
}

#[tokio::test]
async fn a_session_does_not_begin_on_an_account_that_has_moved() {
    let world = World::new().await;
    let account_id = world.person().await;
    let (world, attempts) = (&world, &AtomicUsize::new(0));
    let context = &World::context();
    let session_id = AuthSessionId::new(Uuid::now_v7());
    // What a log-in does, with a deactivation between the look at the account and the append.
    let refused = world.executor.execute(context, "test.log_in", |work| {
        Box::pin(async move {
            let account = work.load::<Account>(account_id).await?;
            if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                world.append::<Account>(account_id, vec![AccountEvent::Deactivated {}]).await;
            }
            if !account.state.is_active {
                return Err(Problem::forbidden("deactivated"));
            }
            Ok(Reply::ok(session_id))
        })
    });
    assert_eq!(refused.await.unwrap_err().slug(), "forbidden");
}

#[tokio::test]
async fn an_expired_session_is_recorded_once_however_many_processes_look() {
    let world = World::new().await;
    let account_id = world.person().await;
    let expired = begin(&world, account_id, TimeDelta::zero()).await.unwrap();
    let live = begin(&world, account_id, TimeDelta::days(1)).await.unwrap();
    let (first, second) = tokio::join!(sweep::sweep(&world.executor), sweep::sweep(&world.executor));
    assert_eq!(first.unwrap() + second.unwrap(), 1);
    assert_eq!(sweep::sweep(&world.executor).await.unwrap(), 0);
    assert_eq!(world.executor.open_sessions(account_id).await.unwrap(), [live]);
    let types = world.types_of("auth_session", expired.as_uuid()).await;
    assert_eq!(types, ["registrar.auth_session.started.v1", "registrar.auth_session.expired.v1"]);
}

#[tokio::test]
async fn every_process_learns_which_sessions_ended_before_and_after_its_start() {
    let world = World::new().await;
    let account_id = world.person().await;
    let end = async |session_id: AuthSessionId| {
        let revoked = vec![AuthSessionEvent::Revoked {}];
        world.append::<AuthSession>(session_id, revoked).await;
    };
    let before = begin(&world, account_id, TimeDelta::days(1)).await.unwrap();
    let after = begin(&world, account_id, TimeDelta::days(1)).await.unwrap();
    end(before).await;

    let (ended, stop) = (EndedSessions::default(), CancellationToken::new());
    ended.await_feed();
    let following =
        tokio::spawn(revocation::follow(world.pool.connect_options().as_ref().clone(), ended.clone(), stop.clone()));
    eventually("the feed is heard", Duration::from_secs(5), async || (!ended.is_awaited()).then_some(())).await;
    assert!(ended.contains(before.as_uuid()) && !ended.contains(after.as_uuid()));
    end(after).await;
    let known = async || ended.contains(after.as_uuid()).then_some(());
    eventually("the end is known", Duration::from_secs(1), known).await;
    stop.cancel();
    following.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_no_token_can_be_of_any_more_is_forgotten() {
    let world = World::new().await;
    let account_id = world.person().await;
    let session_id = begin(&world, account_id, TimeDelta::days(1)).await.unwrap();
    world.append::<AuthSession>(session_id, vec![AuthSessionEvent::Revoked {}]).await;
    let now = World::context().now;
    assert_eq!(revocation::forget(&world.pool, now + TimeDelta::minutes(60)).await.unwrap(), 0);
    assert_eq!(revocation::forget(&world.pool, now + TimeDelta::minutes(62)).await.unwrap(), 1);
}
