//! The relay's promise: JetStream holds every position of the log, once and in order, whatever happened to the stream.

use async_nats::jetstream::stream::Config;
use chrono::Utc;
use command_api::relay::{Relay, RelayError};
use events::{
    Event, Metadata, Place, StreamRef,
    bus::{Bus, BusConfig},
    category::CategoryEvent,
    log::{self, Append, Keyring, LogReader, MasterKey, Notify, Side},
    tenant::DEFAULT_TENANT,
};
use sha2::{Digest, Sha256};
use std::time::Duration;
use testkit::{TestDatabase, TestStream};
use uuid::Uuid;

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct World {
    _database: TestDatabase,
    stream: TestStream,
    log: LogReader,
    bus: Bus,
}

impl World {
    async fn new() -> Self {
        let database = TestDatabase::log().await;
        let pool = database.pool_as("registrar_command").await;
        let stream = TestStream::unique();
        let config = BusConfig {
            url: stream.url.clone(),
            stream: stream.name.clone(),
            subject_prefix: stream.subject_prefix.clone(),
            replicas: 1,
        };
        let keyring = Keyring::new(pool.clone(), &MasterKey::from_base64(MASTER).unwrap());
        Self {
            _database: database,
            stream,
            log: LogReader::new(pool, keyring),
            bus: Bus::connect(config, "test").await.unwrap(),
        }
    }

    fn relay(&self) -> Relay {
        Relay::new(self.log.clone(), self.bus.clone())
    }

    async fn append(&self, count: usize) {
        for _ in 0..count {
            let stream = StreamRef { stream_type: "category".into(), id: Uuid::new_v4() };
            let event = Event::Category(CategoryEvent::Created { name: "x".to_owned(), description: None });
            let place = Place {
                event_id: Uuid::now_v7(),
                tenant_id: DEFAULT_TENANT,
                stream: stream.clone(),
                version: 1,
                recorded_at: Utc::now(),
            };
            let append = Append {
                tenant_id: DEFAULT_TENANT,
                expected: vec![(stream, 0)],
                events: vec![place.record(&event, &Metadata::default(), |_| Ok(())).unwrap()],
                idempotency: None,
                side: Side::default(),
            };
            log::append(&mut self.log.pool().acquire().await.unwrap(), &[&append], Notify::Relays).await.unwrap();
        }
    }

    /// Everything that the stream holds equals the log, in order.
    async fn assert_stream_is_the_log(&self) {
        let log = self.log.read(0, i64::MAX).await.unwrap();
        let mut subscription = self.bus.subscribe(0).await.unwrap();
        let mut published = Vec::new();
        while published.len() < log.len() {
            let batch = subscription.next_batch(1_000, Duration::from_secs(5)).await.unwrap();
            assert!(!batch.is_empty(), "the stream ends after {} of {} events", published.len(), log.len());
            published.extend(batch);
        }
        assert_eq!(published, log);
        assert!(published.iter().all(events::Recorded::is_intact));
        let stream = self.stream.jetstream().await.get_stream(&self.stream.name).await.unwrap();
        for event in log.iter().take(3) {
            let message = stream.get_raw_message(event.position.unsigned_abs()).await.unwrap();
            let hash = Sha256::new().chain_update([0]).chain_update(&message.payload).finalize();
            assert_eq!(*hash, event.leaf_hash, "a payload is what was hashed, to the byte");
        }
        let last = self.bus.find_last_sequence().await.unwrap().unwrap();
        assert_eq!(i64::try_from(last).unwrap(), self.log.head().await.unwrap(), "sequence is position");
    }
}

async fn drain(relay: &mut Relay) {
    while relay.step().await.unwrap() > 0 {}
}

#[tokio::test]
async fn every_position_is_published_once_and_in_order() {
    let world = World::new().await;
    let mut relay = world.relay();
    for count in [3, 0, 700, 1] {
        world.append(count).await;
        drain(&mut relay).await;
    }
    world.assert_stream_is_the_log().await;
}

#[tokio::test]
async fn a_stream_without_copies_is_written_behind() {
    let world = World::new().await;
    drain(&mut world.relay()).await;
    let stream = world.stream.jetstream().await.get_stream(&world.stream.name).await.unwrap();
    let mode = stream.cached_info().config.persist_mode;
    assert_eq!(mode, Some(async_nats::jetstream::stream::PersistenceMode::Async));
}

#[tokio::test]
async fn a_deleted_stream_is_filled_again_from_the_log() {
    let world = World::new().await;
    let mut relay = world.relay();
    world.append(20).await;
    drain(&mut relay).await;
    world.stream.jetstream().await.delete_stream(&world.stream.name).await.unwrap();
    world.append(5).await;
    // The first step finds the stream gone; the next one begins from what is there.
    assert!(relay.step().await.is_err());
    drain(&mut relay).await;
    world.assert_stream_is_the_log().await;
}

#[tokio::test]
async fn two_relays_at_once_double_nothing() {
    let world = World::new().await;
    world.append(400).await;
    let (mut first, mut second) = (world.relay(), world.relay());
    let run = async |relay: &mut Relay| {
        // Whoever comes second is told so by the server, and looks again.
        while !matches!(relay.step().await, Ok(0)) {}
    };
    tokio::join!(run(&mut first), run(&mut second));
    world.assert_stream_is_the_log().await;
}

#[tokio::test]
async fn a_stream_of_another_log_is_left_alone() {
    let world = World::new().await;
    let jetstream = world.stream.jetstream().await;
    let config = Config {
        name: world.stream.name.clone(),
        subjects: vec![format!("{}.>", world.stream.subject_prefix)],
        ..Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    for _ in 0..3 {
        let foreign = format!("{}.foreign", world.stream.subject_prefix);
        jetstream.publish(foreign, "x".into()).await.unwrap().await.unwrap();
    }
    world.append(1).await;
    let refused = world.relay().step().await.unwrap_err();
    assert!(matches!(refused, RelayError::StreamAheadOfLog { stream: 3, log: 1 }));
}
