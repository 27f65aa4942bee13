//! For tests only: a database and a stream of its own for each test, on real servers, and waiting without sleeping.
//!
//! The servers are named by `TEST_DATABASE_URL` (a superuser's) and `TEST_NATS_URL`; `cargo ops test` starts them and
//! migrates the template databases that each test's own database is copied from.

#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test that cannot be set up fails, and says why")]

mod nats;

pub use nats::TestNats;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    env,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// A database of the test's own, copied from a migrated template; it is dropped with this value.
pub struct TestDatabase {
    server: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// An empty log database.
    pub async fn log() -> Self {
        Self::copy_of("registrar_log_template").await
    }

    /// An empty read database.
    pub async fn read() -> Self {
        Self::copy_of("registrar_read_template").await
    }

    async fn copy_of(template: &str) -> Self {
        let server: PgConnectOptions = required("TEST_DATABASE_URL").parse().expect("TEST_DATABASE_URL is a URL");
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut admin = PgConnection::connect_with(&server).await.expect("the test server answers");
        sqlx::query(AssertSqlSafe(format!("create database {name} template {template} strategy file_copy")))
            .execute(&mut admin)
            .await
            .expect("the template database is there");
        admin.close().await.expect("the connection closes");
        Self { server, name }
    }

    /// How to connect, as the superuser.
    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// The database's URL, as the superuser, for processes.
    pub fn url(&self) -> String {
        let mut url = required("TEST_DATABASE_URL");
        let path = url.rfind('/').expect("TEST_DATABASE_URL has a path");
        url.truncate(path + 1);
        url + &self.name
    }

    /// A pool of connections as the superuser, who owns all.
    pub async fn pool(&self) -> PgPool {
        Self::connect(self.options()).await
    }

    /// A pool of connections with the rights of one role.
    pub async fn pool_as(&self, role: &str) -> PgPool {
        Self::connect(self.options().options([("role", role)])).await
    }

    async fn connect(options: PgConnectOptions) -> PgPool {
        PgPoolOptions::new().max_connections(8).connect_with(options).await.expect("the test's database answers")
    }
}

impl Drop for TestDatabase {
    /// Drops the database on a thread of its own: a destructor cannot await, and may run within a runtime.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect_with(&server).await.map_err(std::io::Error::other)?;
                sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)")))
                    .execute(&mut admin)
                    .await
                    .map_err(std::io::Error::other)?;
                std::io::Result::Ok(())
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("{} was left behind on the test server", self.name);
        }
    }
}

/// A JetStream stream of the test's own. It goes with the test server.
#[derive(Debug, Clone)]
pub struct TestStream {
    /// The server.
    pub url: String,
    /// Name of the stream, not made yet.
    pub name: String,
    /// What its subjects begin with.
    pub subject_prefix: String,
}

impl TestStream {
    /// A name that nobody else has.
    pub fn unique() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self { url: required("TEST_NATS_URL"), name: format!("TEST_{id}"), subject_prefix: format!("test.{id}") }
    }

    /// JetStream as an operator sees it.
    pub async fn jetstream(&self) -> async_nats::jetstream::Context {
        let client = async_nats::connect(&self.url).await.expect("the test's NATS server answers");
        async_nats::jetstream::new(client)
    }
}

/// Waits until `condition` gives something, asking again and again, and fails the test after `bound`.
pub async fn eventually<T>(what: &str, bound: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    loop {
        pause.tick().await;
        if let Some(found) = condition().await {
            return found;
        }
        assert!(started.elapsed() <= bound, "not within {bound:?}: {what}");
    }
}

fn required(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `cargo ops test`, which starts servers of its own")
    })
}
