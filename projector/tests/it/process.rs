//! All of the projector running: fed by JetStream, without it, and beside another replica.

use crate::{
    story,
    world::{World, bus},
};
use async_nats::jetstream::consumer::DeliverPolicy;
use events::{Event, Metadata, category::CategoryEvent, log::Side};
use futures::TryStreamExt;
use ops::shutdown::Shutdown;
use projector::{Parts, observe, projections};
use std::time::Duration;
use testkit::{TestStream, eventually};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);

/// A replica, until it is stopped.
struct Replica {
    shutdown: Shutdown,
}

impl Replica {
    async fn start(world: &World, stream: &TestStream) -> Self {
        Self::start_with(world, stream, 5).await
    }

    async fn start_with(world: &World, stream: &TestStream, batch_size: usize) -> Self {
        let shutdown = Shutdown::new(SOON);
        let parts = Parts {
            read: world.read_database.pool_as("registrar_projector").await,
            lease: world.read_database.options().options([("role", "registrar_projector")]),
            feed: world.feed(),
            bus: bus(stream).await,
            batch_size,
        };
        projector::start(&parts, &shutdown);
        Self { shutdown }
    }

    async fn stop(self) {
        self.shutdown.stop();
        self.shutdown.finished().await.unwrap();
    }
}

/// Publishes what is in the log and not yet in the stream, as the relay does.
async fn publish(world: &World, stream: &TestStream) {
    let bus = bus(stream).await;
    eventually("the bus is connected", SOON, async || bus.is_connected().then_some(())).await;
    bus.ensure_stream().await.unwrap();
    let published = i64::try_from(bus.find_last_sequence().await.unwrap().unwrap()).unwrap();
    let events = world.log.read(published, i64::MAX).await.unwrap().into_iter();
    let events: Vec<_> = events.map(|event| event.canonical().unwrap()).collect();
    bus.publish(&events).await.unwrap();
}

async fn all_reach_the_head(world: &World) {
    let head = world.log.head().await.unwrap();
    eventually("every view is at the end of the log", SOON, async || {
        let least: i64 = world.value("select min(position) from read.projections").await;
        (least == head).then_some(())
    })
    .await;
}

async fn students(world: &World) -> i64 {
    world.value("select sum(total_students)::bigint from read.course_catalogue_students").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_to_every_view_over_jetstream() {
    let (world, stream) = (World::new().await, TestStream::unique());
    publish(&world, &stream).await;
    let replica = Replica::start(&world, &stream).await;
    story::tell(&world).await;
    publish(&world, &stream).await;
    all_reach_the_head(&world).await;
    assert_eq!(students(&world).await, 2);
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_are_behind_read_the_log_and_follow_the_stream_from_its_end() {
    let (world, stream) = (World::new().await, TestStream::unique());
    publish(&world, &stream).await;
    let created = Event::Category(CategoryEvent::Created { name: "Accounting".to_owned(), description: None });
    let ids = (1..=2_500).map(|number| Uuid::from_u128(0xca7e_0000 + number));
    let events = ids.map(|id| world.record(id, &created, &Metadata::default())).collect();
    let head = world.append_all(events, Side::default()).await;
    let replica = Replica::start_with(&world, &stream, 500).await;
    all_reach_the_head(&world).await;

    let jetstream = stream.jetstream().await;
    eventually("one follows the stream, from the end of the log", SOON, async || {
        let followed = jetstream.get_stream(&stream.name).await.unwrap();
        let followers: Vec<_> = followed.consumers().try_collect().await.unwrap();
        let from = followers.iter().map(|follower| follower.config.deliver_policy).collect::<Vec<_>>();
        (from == [DeliverPolicy::ByStartSequence { start_sequence: head.unsigned_abs() + 1 }]).then_some(())
    })
    .await;
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_the_views_go_on_from_the_log() {
    let world = World::new().await;
    let nowhere = TestStream { url: "nats://127.0.0.1:1".to_owned(), ..TestStream::unique() };
    let replica = Replica::start(&world, &nowhere).await;
    story::tell(&world).await;
    all_reach_the_head(&world).await;
    assert_eq!(students(&world).await, 2);
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_stream_is_lost_the_views_go_on_and_nothing_counts_twice() {
    let (world, stream) = (World::new().await, TestStream::unique());
    story::tell(&world).await;
    publish(&world, &stream).await;
    let replica = Replica::start(&world, &stream).await;
    all_reach_the_head(&world).await;

    stream.jetstream().await.delete_stream(&stream.name).await.unwrap();
    let (id, event) = story::enrolled(story::INES, story::BOOKKEEPING);
    world.append(id, event).await;
    publish(&world, &stream).await;
    all_reach_the_head(&world).await;
    assert_eq!(students(&world).await, 3);
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_one_applies_and_the_other_takes_over() {
    let (world, stream) = (World::new().await, TestStream::unique());
    publish(&world, &stream).await;
    let first = Replica::start(&world, &stream).await;
    let second = Replica::start(&world, &stream).await;
    story::tell(&world).await;
    publish(&world, &stream).await;
    all_reach_the_head(&world).await;
    let leases = "select count(*) from pg_locks where locktype = 'advisory' and granted and objsubid = 1
                  and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(usize::try_from(world.value::<i64>(leases).await).unwrap(), projections::ALL.len());

    first.stop().await;
    let (id, event) = story::enrolled(story::INES, story::BOOKKEEPING);
    world.append(id, event).await;
    publish(&world, &stream).await;
    all_reach_the_head(&world).await;
    assert_eq!(students(&world).await, 3);
    second.stop().await;
}

#[tokio::test]
async fn lag_is_told_in_events_and_seconds_and_the_head_is_left_for_readers() {
    let world = World::new().await;
    story::tell(&world).await;
    let head = world.drain("payment_list").await;
    let seen = observe::look(&world.read, &world.feed()).await.unwrap();
    assert_eq!((seen["payment_list"].lag_events, seen["payment_list"].lag_seconds), (0, 0.0));
    assert_eq!((seen["analytics"].position, seen["analytics"].lag_events), (0, head));
    assert_eq!(world.value::<i64>("select position from read.log_head").await, head);
}
