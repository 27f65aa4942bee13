//! The migrations of the two databases, embedded. Each database keeps its own record beside its tables
//! (`log._migrations`, `read._migrations`), so that one scratch database can hold both.

use sqlx::{
    Connection, PgConnection,
    migrate::{Migrate, MigrateError, Migration, Migrator},
};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// The log: schema `log`.
    Log,
    /// The read models: schema `read`.
    Read,
}

impl Database {
    /// The schema that everything of it stands in.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Read => "read",
        }
    }

    /// Its migrations.
    #[must_use]
    pub fn migrator(self) -> Migrator {
        match self {
            Self::Log => log_migrator(),
            Self::Read => read_migrator(),
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Log => "log._migrations",
            Self::Read => "read._migrations",
        }
    }
}

/// The migrations of the log database.
#[must_use]
pub fn log_migrator() -> Migrator {
    in_schema(sqlx::migrate!("../migrations/log"), Database::Log)
}

/// The migrations of the read database.
#[must_use]
pub fn read_migrator() -> Migrator {
    in_schema(sqlx::migrate!("../migrations/read"), Database::Read)
}

fn in_schema(mut migrator: Migrator, database: Database) -> Migrator {
    migrator.create_schema(database.schema());
    migrator.dangerous_set_table_name(database.table());
    migrator
}

/// How a migration stands in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was applied as it is.
    Applied,
    /// It is still to be applied.
    Pending,
    /// It was applied and has been changed since.
    Changed,
    /// It was applied by a newer version of this program.
    Unknown,
}

/// One migration and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub version: i64,
    /// Its name; empty where it is unknown.
    pub description: String,
    /// How it stands.
    pub state: State,
}

/// How every migration stands, in order. It changes nothing.
pub async fn status(connection: &mut PgConnection, database: Database) -> Result<Vec<Status>, MigrateError> {
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(database.table())
        .fetch_one(&mut *connection)
        .await?;
    let applied = if exists { connection.list_applied_migrations(database.table()).await? } else { Vec::new() };
    let migrator = database.migrator();
    let known = || migrator.iter().filter(|migration| !migration.migration_type.is_down_migration());
    let state = |migration: &Migration| match applied.iter().find(|applied| applied.version == migration.version) {
        None => State::Pending,
        Some(applied) if applied.checksum == migration.checksum => State::Applied,
        Some(_) => State::Changed,
    };
    let mut statuses: Vec<Status> = known()
        .map(|migration| Status {
            version: migration.version,
            description: migration.description.to_string(),
            state: state(migration),
        })
        .collect();
    let unknown = applied.iter().filter(|applied| known().all(|migration| migration.version != applied.version));
    statuses.extend(unknown.map(|applied| Status {
        version: applied.version,
        description: String::new(),
        state: State::Unknown,
    }));
    statuses.sort_by_key(|status| status.version);
    Ok(statuses)
}

/// Applies what is pending, under a lock, and returns the numbers of what it applied. Needs the owner of the database.
pub async fn up(connection: &mut PgConnection, database: Database) -> Result<Vec<i64>, MigrateError> {
    let before = status(connection, database).await?;
    database.migrator().run_direct(None, connection, false).await?;
    Ok(before.into_iter().filter(|status| status.state == State::Pending).map(|status| status.version).collect())
}

/// Opens a connection for migrating.
pub async fn connect(url: &crate::config::Secret) -> Result<PgConnection, MigrateConnectError> {
    let options = crate::database::connect_options(url, None, "registrar migrate")?;
    Ok(PgConnection::connect_with(&options).await?)
}

/// Why a connection for migrating could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum MigrateConnectError {
    /// The URL is not usable.
    #[error(transparent)]
    Url(#[from] crate::database::DatabaseError),
    /// The database cannot be reached.
    #[error("the database cannot be reached")]
    Connect(#[from] sqlx::Error),
}
