//! A log and views of the test's own, and a hand that appends events with ids and times that are always the same.

use chrono::{DateTime, TimeDelta, Utc};
use events::{
    Aggregate, Canonical, Event, Metadata, Place, StreamRef,
    account::Account,
    account_import::AccountImport,
    assessment::Assessment,
    auth_session::AuthSession,
    bus::{Bus, BusConfig},
    category::Category,
    course::Course,
    enrollment::Enrollment,
    ids::AccountId,
    invitation::Invitation,
    log::{self, Append, Keyring, LogReader, MasterKey, Notify, Outcome, Side},
    payment::Payment,
    personal::DataKey,
    submission::Attempts,
    tenant::{DEFAULT_TENANT, Tenant},
};
use projector::{
    feed::Feed,
    projections::{self, Projection},
    run::{Runner, Step},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};
use testkit::{TestDatabase, TestStream};
use uuid::Uuid;

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct World {
    pub(crate) log_database: TestDatabase,
    pub(crate) read_database: TestDatabase,
    /// The views, with the projector's rights.
    pub(crate) read: PgPool,
    /// The views, with all rights.
    pub(crate) owner: PgPool,
    pub(crate) log: LogReader,
    commands: PgPool,
    keyring: Keyring,
    versions: Mutex<HashMap<Uuid, i64>>,
    clock: AtomicI64,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (log_database, read_database) = (TestDatabase::log().await, TestDatabase::read().await);
        let master = MasterKey::from_base64(MASTER).unwrap();
        let commands = log_database.pool_as("registrar_command").await;
        let log = log_database.pool_as("registrar_projector").await;
        Self {
            read: read_database.pool_as("registrar_projector").await,
            owner: read_database.pool().await,
            log: LogReader::new(log.clone(), Keyring::new(log, &master)),
            commands: commands.clone(),
            keyring: Keyring::new(commands, &master),
            versions: Mutex::default(),
            clock: AtomicI64::new(0),
            log_database,
            read_database,
        }
    }

    /// A feed that has read nothing yet.
    pub(crate) fn feed(&self) -> Feed {
        Feed::new(self.log.clone())
    }

    pub(crate) fn runner(&self, name: &str) -> Runner {
        self.runner_of(*projections::find(name).unwrap(), 500)
    }

    pub(crate) fn runner_of(&self, projection: Projection, batch_size: usize) -> Runner {
        Runner::new(projection, self.read.clone(), self.feed(), batch_size)
    }

    /// Applies all there is to the view, and tells where it is then.
    pub(crate) async fn drain(&self, name: &str) -> i64 {
        drain(&mut self.runner(name)).await
    }

    /// Applies all there is to all views.
    pub(crate) async fn drain_all(&self, batch_size: usize) {
        let feed = self.feed();
        for projection in projections::ALL {
            drain(&mut Runner::new(*projection, self.read.clone(), feed.clone(), batch_size)).await;
        }
    }

    /// Empties all views and sets them back to the beginning.
    pub(crate) async fn forget_all(&self) {
        for table in projections::ALL.iter().flat_map(|projection| projection.tables) {
            sqlx::query(AssertSqlSafe(format!("truncate read.{table}"))).execute(&self.owner).await.unwrap();
        }
        sqlx::query("update read.projections set position = 0").execute(&self.owner).await.unwrap();
    }

    /// Makes the key of a person, as their registration does.
    pub(crate) async fn new_person(&self, person: AccountId) {
        let (key, wrapped) = self.keyring.generate(person).unwrap();
        let side = Side { subject_keys: vec![(person, wrapped)], ..Side::default() };
        self.append_all(Vec::new(), side).await;
        self.keyring.remember(person, key);
    }

    /// Appends one event to its stream. The nth event of a test is a minute after the one before.
    pub(crate) async fn append(&self, id: impl Into<Uuid>, event: impl Into<Event>) -> i64 {
        self.append_as(id, event, Metadata::default()).await
    }

    pub(crate) async fn append_as(&self, id: impl Into<Uuid>, event: impl Into<Event>, metadata: Metadata) -> i64 {
        let recorded = self.record(id.into(), &event.into(), &metadata);
        self.append_recorded(recorded).await
    }

    pub(crate) async fn append_recorded(&self, recorded: Canonical) -> i64 {
        self.append_all(vec![recorded], Side::default()).await
    }

    /// What `append` would append.
    pub(crate) fn record(&self, id: Uuid, event: &Event, metadata: &Metadata) -> Canonical {
        let tick = self.clock.fetch_add(1, SeqCst) + 1;
        let version = *self.versions.lock().unwrap().entry(id).and_modify(|version| *version += 1).or_insert(1);
        let place = Place {
            event_id: Uuid::from_u128(0xe000 + u128::try_from(tick).unwrap()),
            tenant_id: DEFAULT_TENANT,
            stream: StreamRef { stream_type: stream_type(event).into(), id },
            version,
            recorded_at: at(tick),
        };
        let none: [(AccountId, DataKey); 0] = [];
        place.record(event, metadata, |json| self.keyring.seal(json, &none)).unwrap()
    }

    /// Appends events of as many streams in one go.
    pub(crate) async fn append_all(&self, events: Vec<Canonical>, side: Side) -> i64 {
        let expected =
            events.iter().map(|Canonical { recorded, .. }| (recorded.stream.clone(), recorded.version - 1)).collect();
        let append = Append { tenant_id: DEFAULT_TENANT, expected, events, idempotency: None, side };
        match log::append(&mut self.commands.acquire().await.unwrap(), &[&append], Notify::Nobody).await.unwrap()[0] {
            Outcome::Committed { position } => position,
            other => panic!("{other:?}"),
        }
    }

    /// All rows of a table of the read database, without the columns that are derived or random.
    pub(crate) async fn rows(&self, table: &str) -> Vec<Value> {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select to_jsonb(t) - '{{search,type_hash,data,leaf_hash,tenant_id}}'::text[]
             from read.{table} as t
             order by to_jsonb(t) - '{{data,leaf_hash}}'::text[]"
        )))
        .fetch_all(&self.owner)
        .await
        .unwrap()
    }

    /// One value out of the read database.
    pub(crate) async fn value<T>(&self, sql: &'static str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(sql).fetch_one(&self.owner).await.unwrap()
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.owner).await.unwrap();
    }
}

/// Steps until there is nothing more to do.
pub(crate) async fn drain(runner: &mut Runner) -> i64 {
    loop {
        match runner.step().await.unwrap() {
            Step::Applied { .. } | Step::Known { .. } => {}
            Step::Idle { position } => return position,
            Step::Paused => panic!("{} is paused", runner.name()),
        }
    }
}

/// A connection to a stream that nobody has.
pub(crate) async fn bus(stream: &TestStream) -> Bus {
    let config = BusConfig {
        url: stream.url.clone(),
        stream: stream.name.clone(),
        subject_prefix: stream.subject_prefix.clone(),
        replicas: 1,
    };
    Bus::connect(config, "test").await.unwrap()
}

/// The time of the nth event.
pub(crate) fn at(tick: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(tick)
}

fn stream_type(event: &Event) -> &'static str {
    match event {
        Event::Account(_) => Account::STREAM_TYPE,
        Event::AccountImport(_) => AccountImport::STREAM_TYPE,
        Event::Invitation(_) => Invitation::STREAM_TYPE,
        Event::AuthSession(_) => AuthSession::STREAM_TYPE,
        Event::Category(_) => Category::STREAM_TYPE,
        Event::Course(_) => Course::STREAM_TYPE,
        Event::Enrollment(_) => Enrollment::STREAM_TYPE,
        Event::Payment(_) => Payment::STREAM_TYPE,
        Event::Assessment(_) => Assessment::STREAM_TYPE,
        Event::Refusal(_) => events::refusal::Refusal::STREAM_TYPE,
        Event::Submission(_) => Attempts::STREAM_TYPE,
        Event::Tenant(_) => Tenant::STREAM_TYPE,
    }
}
