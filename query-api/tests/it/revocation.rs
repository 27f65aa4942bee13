//! Sessions that have ended are known to the process, whatever their tenant.

use crate::world::World;
use ops::tokens::EndedSessions;
use query_api::revocation;
use std::time::Duration;
use testkit::eventually;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[tokio::test]
async fn an_ended_session_is_known_within_a_second_whatever_its_tenant() {
    let world = World::new().await;
    let end = async |position: i64, session: Uuid| {
        sqlx::query("insert into read.ended_sessions (position, session_id, ended_at) values ($1, $2, now())")
            .bind(position)
            .bind(session)
            .execute(&world.owner)
            .await
            .unwrap();
    };
    let [before, after] = [1, 2].map(Uuid::from_u128);
    end(101, before).await;

    let (ended, stop) = (EndedSessions::default(), CancellationToken::new());
    ended.await_feed();
    let pool = world.pool_as("registrar_query").await;
    let following =
        tokio::spawn(revocation::follow(pool.connect_options().as_ref().clone(), ended.clone(), stop.clone()));
    eventually("the feed is heard", Duration::from_secs(5), async || (!ended.is_awaited()).then_some(())).await;
    assert!(ended.contains(before) && !ended.contains(after));
    end(102, after).await;
    eventually("the end is known", Duration::from_secs(1), async || ended.contains(after).then_some(())).await;
    stop.cancel();
    following.await.unwrap().unwrap();
}
