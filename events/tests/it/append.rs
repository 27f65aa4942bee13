//! The log's promises, on a real PostgreSQL: one total order without gaps, all or nothing per command, and no way to
//! change what happened.

use chrono::Utc;
use events::{
    Canonical, Event, Json, Metadata, Place, StreamRef,
    category::CategoryEvent,
    ids::{AccountId, AuthSessionId},
    log::{
        self, Append, Claim, Idempotency, Keyring, LogError, LogReader, MasterKey, Notify, OpenSession, Outcome, Side,
        idempotency_id,
    },
    tenant::DEFAULT_TENANT,
};
use sqlx::{PgPool, postgres::PgListener};
use std::{collections::BTreeMap, sync::Arc};
use testkit::TestDatabase;
use tokio::task::JoinSet;
use uuid::Uuid;

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn reader(pool: PgPool) -> LogReader {
    let keyring = Keyring::new(pool.clone(), &MasterKey::from_base64(MASTER).unwrap());
    LogReader::new(pool, keyring)
}

fn stream(id: Uuid) -> StreamRef {
    StreamRef { stream_type: "category".into(), id }
}

fn event(id: Uuid, version: i64, name: &str) -> Canonical {
    let event = Event::Category(CategoryEvent::Created { name: name.to_owned(), description: None });
    let metadata = Metadata { correlation_id: Uuid::new_v4(), ..Metadata::default() };
    Place { event_id: Uuid::now_v7(), tenant_id: DEFAULT_TENANT, stream: stream(id), version, recorded_at: Utc::now() }
        .record(&event, &metadata, |_| Ok(()))
        .unwrap()
}

/// A command that appends `count` events to a stream that it expects at `version`.
fn command(id: Uuid, version: i64, count: i64) -> Append {
    Append {
        tenant_id: DEFAULT_TENANT,
        expected: vec![(stream(id), version)],
        events: (1..=count).map(|step| event(id, version + step, "x")).collect(),
        idempotency: None,
        side: Side::default(),
    }
}

/// The command, which claims the one name there is for a stream.
fn claim(id: Uuid, append: Append) -> Append {
    let claim = Claim { scope: "category-name", digest: vec![7; 32], stream: stream(id) };
    Append { side: Side { claims: vec![claim], ..Side::default() }, ..append }
}

async fn all(writer: &PgPool, batch: &[&Append]) -> Result<Vec<Outcome>, LogError> {
    log::append(&mut writer.acquire().await.unwrap(), batch, Notify::Relays).await
}

async fn one(writer: &PgPool, append: &Append) -> Outcome {
    all(writer, &[append]).await.unwrap()[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_leave_no_gap_no_double_and_nothing_of_what_was_refused() {
    const WRITERS: u64 = 32;
    const COMMANDS: u64 = 25;
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let streams: Arc<Vec<Uuid>> = Arc::new((0..8).map(|_| Uuid::new_v4()).collect());

    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let (writer, streams) = (writer.clone(), streams.clone());
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            let mut refused = Vec::new();
            let mut known: BTreeMap<Uuid, i64> = BTreeMap::new();
            for turn in 0..COMMANDS {
                let pick = usize::try_from((number * 7 + turn * 13) % 8).unwrap();
                let id = streams[pick];
                // What this writer last knew is often stale: that is the conflict.
                let version = known.get(&id).copied().unwrap_or(0);
                let count = 1 + i64::try_from(turn % 3).unwrap();
                let append = command(id, version, count);
                let ids: Vec<Uuid> = append.events.iter().map(|event| event.recorded.event_id).collect();
                match one(&writer, &append).await {
                    Outcome::Committed { position } => {
                        known.insert(id, version + count);
                        acknowledged.push((position, ids));
                    }
                    Outcome::Conflict => {
                        *known.entry(id).or_default() += 1;
                        refused.extend(ids);
                    }
                    other => panic!("{other:?}"),
                }
            }
            (acknowledged, refused)
        });
    }
    let outcomes = writers.join_all().await;

    let log = reader(database.pool().await);
    let events = log.read(0, i64::MAX).await.unwrap();
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    let head = log.head().await.unwrap();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>(), "positions are 1, 2, 3, … up to the head");

    let mut versions: BTreeMap<Uuid, i64> = BTreeMap::new();
    for event in &events {
        let version = versions.entry(event.stream.id).or_default();
        *version += 1;
        assert_eq!(event.version, *version, "versions of {} are contiguous", event.stream);
        assert!(event.is_intact(), "the hash at {} is that of the content", event.position);
    }

    let at: BTreeMap<Uuid, i64> = events.iter().map(|event| (event.event_id, event.position)).collect();
    let mut acknowledged_events = 0;
    for (acknowledged, refused) in &outcomes {
        for (position, ids) in acknowledged {
            acknowledged_events += ids.len();
            assert_eq!(at.get(ids.last().unwrap()), Some(position), "the last event stands where it was acknowledged");
            assert!(ids.iter().all(|id| at.contains_key(id)));
        }
        assert!(refused.iter().all(|id| !at.contains_key(id)), "nothing of a refused command is in the log");
    }
    assert_eq!(acknowledged_events, events.len(), "nothing is in the log that was not acknowledged");
    assert!(outcomes.iter().any(|(_, refused)| !refused.is_empty()), "there were conflicts");
}

#[tokio::test]
async fn in_a_batch_each_command_stands_or_falls_alone() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let (a, b, c) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let batch = [command(a, 0, 1), command(b, 5, 1), command(c, 0, 2)];
    let outcomes = all(&writer, &batch.iter().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(outcomes, [Outcome::Committed { position: 1 }, Outcome::Conflict, Outcome::Committed { position: 3 }]);
}

#[tokio::test]
async fn each_command_is_refused_for_the_reason_that_counts_first() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let (taken, moved) = (Uuid::new_v4(), Uuid::new_v4());
    let request = |key: &str, append: Append| {
        let idempotency_id = idempotency_id(DEFAULT_TENANT, Uuid::nil(), key);
        let response = Json::of(&"done").unwrap();
        Append { idempotency: Some(Idempotency { idempotency_id, request_hash: [1; 32], response }), ..append }
    };
    one(&writer, &request("before", claim(taken, command(moved, 0, 1)))).await;

    let (last, nothing) = (Uuid::new_v4(), Append { events: Vec::new(), ..command(Uuid::new_v4(), 0, 0) });
    let batch = [
        request("first", command(Uuid::new_v4(), 0, 2)),
        // Repeated, and so of a stream that has moved, and of a name that is taken by now.
        request("before", claim(moved, command(moved, 0, 1))),
        claim(moved, command(Uuid::new_v4(), 4, 1)),
        claim(last, command(last, 0, 1)),
        nothing,
        request("last", command(Uuid::new_v4(), 0, 1)),
    ];
    let outcomes = all(&writer, &batch.iter().collect::<Vec<_>>()).await.unwrap();
    let expected = [
        Outcome::Committed { position: 3 },
        Outcome::Replayed,
        Outcome::Conflict,
        Outcome::Taken { claim: 0 },
        Outcome::Committed { position: 3 },
        Outcome::Committed { position: 4 },
    ];
    assert_eq!(outcomes, expected);
    let remembered: Vec<i64> = sqlx::query_scalar("select position from log.idempotency order by position")
        .fetch_all(&database.pool().await)
        .await
        .unwrap();
    assert_eq!(remembered, [1, 3, 4], "each request with the position that it was answered");
}

#[tokio::test]
async fn a_stream_that_was_only_read_must_not_have_moved() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let (read, written) = (Uuid::new_v4(), Uuid::new_v4());
    one(&writer, &command(read, 0, 1)).await;
    let mut stale = command(written, 0, 1);
    stale.expected.push((stream(read), 0));
    assert_eq!(one(&writer, &stale).await, Outcome::Conflict);
    let mut fresh = command(written, 0, 1);
    fresh.expected.push((stream(read), 1));
    assert_eq!(one(&writer, &fresh).await, Outcome::Committed { position: 2 });
}

#[tokio::test]
async fn a_name_is_one_streams_until_it_is_released() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let claiming = |id: Uuid, version: i64| claim(id, command(id, version, 1));
    assert_eq!(one(&writer, &claiming(first, 0)).await, Outcome::Committed { position: 1 });
    assert_eq!(one(&writer, &claiming(second, 0)).await, Outcome::Taken { claim: 0 });
    assert_eq!(one(&writer, &claiming(first, 1)).await, Outcome::Committed { position: 2 }, "its own stays its own");
    let releases = vec![("category-name", vec![7; 32])];
    let releasing = Append { side: Side { releases, ..Side::default() }, ..command(first, 2, 1) };
    one(&writer, &releasing).await;
    assert_eq!(one(&writer, &claiming(second, 0)).await, Outcome::Committed { position: 4 });
}

#[tokio::test]
async fn whoever_ends_all_sessions_of_an_account_has_seen_them_all() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let (account_id, session_id) = (AccountId::new(Uuid::new_v4()), AuthSessionId::new(Uuid::new_v4()));
    let session = OpenSession { session_id, account_id, expires_at: Utc::now() };
    let begin = Side { sessions: vec![session], ..Side::default() };
    let begin = Append { side: begin, ..command(Uuid::new_v4(), 0, 1) };
    assert_eq!(one(&writer, &begin).await, Outcome::Committed { position: 1 });

    let knowing = |sessions: Vec<AuthSessionId>| {
        let side = Side { known_sessions: vec![(account_id, sessions)], ..Side::default() };
        Append { side, ..command(Uuid::new_v4(), 0, 1) }
    };
    assert_eq!(one(&writer, &knowing(vec![])).await, Outcome::Conflict);
    let other = AuthSessionId::new(Uuid::new_v4());
    assert_eq!(one(&writer, &knowing(vec![other])).await, Outcome::Conflict);
    assert_eq!(one(&writer, &knowing(vec![other, session_id])).await, Outcome::Committed { position: 2 });
}

#[tokio::test]
async fn a_request_is_carried_out_once() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let request = |id: Uuid| {
        let idempotency = Idempotency {
            idempotency_id: idempotency_id(DEFAULT_TENANT, Uuid::nil(), "the same"),
            request_hash: [1; 32],
            response: Json::of(&42).unwrap(),
        };
        Append { idempotency: Some(idempotency), ..command(id, 0, 1) }
    };
    assert_eq!(one(&writer, &request(Uuid::new_v4())).await, Outcome::Committed { position: 1 });
    assert_eq!(one(&writer, &request(Uuid::new_v4())).await, Outcome::Replayed);
    assert_eq!(reader(database.pool().await).head().await.unwrap(), 1);
}

#[tokio::test]
async fn wrongly_numbered_events_are_a_fault_and_leave_nothing() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let id = Uuid::new_v4();
    let with = |events: Vec<Canonical>| Append { events, ..command(id, 0, 0) };
    for wrong in [
        with(vec![event(id, 2, "a gap before the first")]),
        with(vec![event(id, 1, "a gap"), event(id, 3, "behind the first")]),
        with(vec![event(id, 1, "the same"), event(id, 1, "twice")]),
        with(vec![event(id, 2, "the other"), event(id, 1, "way round")]),
        with(vec![event(Uuid::new_v4(), 1, "of a stream that is expected at no version")]),
    ] {
        let fault = all(&writer, &[&wrong, &command(Uuid::new_v4(), 0, 1)]).await.unwrap_err();
        assert!(!fault.is_transient(), "{fault:?}");
    }
    assert_eq!(reader(database.pool().await).head().await.unwrap(), 0);
}

#[tokio::test]
async fn nobody_changes_what_happened() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    one(&writer, &command(Uuid::new_v4(), 0, 1)).await;

    let (command_role, owner) = (database.pool_as("registrar_command").await, database.pool().await);
    let insufficient_privilege = |result: Result<sqlx::postgres::PgQueryResult, sqlx::Error>| {
        let code = LogError::from(result.unwrap_err());
        matches!(&code, LogError::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501"))
    };
    for change in [
        "insert into log.events select 2, event_id, tenant_id, stream_type, stream_id, 2, type, data, metadata, \
         recorded_at, leaf_hash from log.events",
        "update log.events set type = 'x'",
        "delete from log.events",
        "truncate log.events",
        "update log.head set position = 9",
        "delete from log.head",
        "select log.write_beside('{}')",
    ] {
        assert!(insufficient_privilege(sqlx::query(change).execute(&command_role).await), "the role: {change}");
    }
    for change in [
        "update log.events set type = 'x'",
        "delete from log.events",
        "truncate log.events",
        "delete from log.head",
        "update log.head set position = 0",
    ] {
        assert!(insufficient_privilege(sqlx::query(change).execute(&owner).await), "the owner: {change}");
    }
}

#[tokio::test]
async fn the_log_is_read_in_order_by_stream_and_by_filter() {
    use futures::TryStreamExt;
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    for append in [command(a, 0, 2), command(b, 0, 1), command(a, 2, 1)] {
        one(&writer, &append).await;
    }
    let log = reader(database.pool_as("registrar_auditor").await);
    let versions: Vec<i64> = log.stream(&stream(a), 1).await.unwrap().iter().map(|event| event.version).collect();
    assert_eq!(versions, [2, 3]);
    let all: Vec<i64> =
        log.follow(1, events::log::Filter::default()).map_ok(|e| e.position).try_collect().await.unwrap();
    assert_eq!(all, [2, 3, 4]);
    let none = events::log::Filter { stream_type: Some("course".to_owned()), ..Default::default() };
    assert_eq!(log.read_filtered(0, 10, &none).await.unwrap(), []);
}

#[tokio::test]
async fn relays_elsewhere_are_told_only_where_they_have_to_be() {
    let database = TestDatabase::log().await;
    let writer = database.pool_as("registrar_command").await;
    let mut listener = PgListener::connect_with(&writer).await.unwrap();
    listener.listen("registrar_log").await.unwrap();
    for notify in [Notify::Nobody, Notify::Relays] {
        let mut connection = writer.acquire().await.unwrap();
        log::append(&mut connection, &[&command(Uuid::new_v4(), 0, 1)], notify).await.unwrap();
    }
    assert_eq!(listener.recv().await.unwrap().payload(), "2", "of the first nobody was told");
}
