//! An executor on a log of the test's own.

use chrono::{DateTime, SubsecRound, Utc};
use command_api::{
    appender::Appender,
    execute::{Context, Executor, Reply},
    refusals::Refusals,
    tail::Tail,
};
use events::{
    Aggregate, Personal, Role, StreamRef,
    account::{Account, AccountEvent, Origin},
    ids::AccountId,
    log::{Keyring, LogReader, MasterKey},
    tenant::DEFAULT_TENANT,
};
use sqlx::PgPool;
use testkit::TestDatabase;
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct World {
    pub(crate) executor: Executor,
    /// As the command API's role.
    pub(crate) pool: PgPool,
    _database: TestDatabase,
}

fn executor(pool: &PgPool, keyring: Keyring, refusals: Refusals) -> Executor {
    let (head, _) = watch::channel(0);
    let (appender, _) = Appender::start(pool.clone(), head, Tail::default());
    Executor::recording(LogReader::new(pool.clone(), keyring), appender, refusals)
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::log().await;
        let pool = database.pool_as("registrar_command").await;
        let keyring = Keyring::new(pool.clone(), &MasterKey::from_base64(MASTER).unwrap());
        let executor = executor(&pool, keyring, Refusals::default());
        Self { executor, pool, _database: database }
    }

    /// Another executor on the same log, which records what it refuses.
    pub(crate) fn executor_recording(&self, refusals: Refusals) -> Executor {
        executor(&self.pool, self.executor.log().keyring().clone(), refusals)
    }

    /// Nobody asks, now.
    pub(crate) fn context() -> Context {
        let now: DateTime<Utc> = Utc::now().trunc_subsecs(6);
        Context::of_the_system(DEFAULT_TENANT, now, Uuid::now_v7())
    }

    /// Appends events to a stream, as they are.
    pub(crate) async fn append<A: Aggregate<Event: Clone + Sync>>(&self, id: A::Id, events: Vec<A::Event>)
    where
        A::Id: Send + Sync,
    {
        let (context, events) = (&Self::context(), &events);
        let appended = self.executor.execute(context, "test.append", |work| {
            Box::pin(async move {
                work.load::<A>(id).await?;
                work.append::<A>(id, events.clone());
                Ok(Reply::ok(id))
            })
        });
        appended.await.unwrap();
    }

    /// A new account.
    pub(crate) async fn person(&self) -> AccountId {
        let account_id = AccountId::new(Uuid::now_v7());
        let own = |text: &str| Personal::new(account_id, text.to_owned());
        let registered = AccountEvent::Registered {
            account_id,
            email: own("ada@example.org"),
            username: None,
            role: Role::Learner,
            first_name: own("Ada"),
            last_name: own("Lovelace"),
            origin: Origin::SelfRegistration,
            portal_access: true,
            address: None,
            agent: None,
        };
        let (context, registered) = (&Self::context(), &registered);
        let made = self.executor.execute(context, "test.person", |work| {
            Box::pin(async move {
                work.new_subject(account_id);
                work.append::<Account>(account_id, vec![registered.clone()]);
                Ok(Reply::ok(account_id))
            })
        });
        made.await.unwrap();
        account_id
    }

    /// The types of a stream's events, in order.
    pub(crate) async fn types_of(&self, stream_type: &'static str, id: Uuid) -> Vec<String> {
        let stream = StreamRef { stream_type: stream_type.into(), id };
        let events = self.executor.log().stream(&stream, 0).await.unwrap();
        events.into_iter().map(|event| event.event_type).collect()
    }
}
