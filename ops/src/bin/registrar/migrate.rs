//! `migrate`: brings the two databases to today's schema, or tells how far they are.

use clap::{Args, Subcommand};
use ops::{
    config::{ConfigError, LogDatabaseUrl, ReadDatabaseUrl, Secret},
    migrate::{self, Database, MigrateConnectError, State, Status},
};
use sqlx::{Connection, PgConnection, migrate::MigrateError};

use crate::local::{self, console};

/// Brings the databases to today's schema, or tells how far they are. It needs the owners of the databases.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  DATABASE_URL=postgres://… READ_DATABASE_URL=postgres://… registrar migrate up
  registrar migrate status --database-url postgres://… --read-database-url postgres://…

With one URL alone, that database alone is looked at.")]
pub struct Migrate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply what is pending
    Up(Databases),
    /// List the migrations and how each stands; exit code 1 unless all are applied
    Status(Databases),
}

/// Which databases, by their URLs.
#[derive(Debug, Args)]
struct Databases {
    #[command(flatten)]
    log: LogDatabaseUrl,
    #[command(flatten)]
    read: ReadDatabaseUrl,
}

/// Why the schema is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither database was named.
    #[error("set DATABASE_URL (the log), READ_DATABASE_URL (the read models), or both")]
    Missing,
    /// A URL was named that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A database cannot be reached.
    #[error("cannot connect to the {} database", .0.schema())]
    Connect(Database, #[source] MigrateConnectError),
    /// A migration failed.
    #[error("cannot migrate the {} database: its user must own it and be allowed to create roles", .0.schema())]
    Migrate(Database, #[source] MigrateError),
    /// The database is of another state of this program.
    #[error(
        "migration {version:04} of the {} database was applied, and is another one here: migrate it with the version \
         that it was made with, or begin anew (`cargo ops up --fresh`)",
        .database.schema()
    )]
    Changed {
        /// Which database.
        database: Database,
        /// The migration's number.
        version: i64,
    },
    /// The database is of a newer version of this program.
    #[error(
        "migration {version:04} of the {} database is not known here: a newer version has migrated it; use that",
        .database.schema()
    )]
    Unknown {
        /// Which database.
        database: Database,
        /// The migration's number.
        version: i64,
    },
    /// `status` found something that is not applied.
    #[error("not everything is applied as it stands here")]
    Behind,
}

impl Migrate {
    /// Does it for each database that was named.
    pub async fn run(&self) -> Result<(), Error> {
        match &self.action {
            Action::Up(databases) => {
                for (database, url) in databases.named()? {
                    tell(database, &up(database, &url).await?);
                }
                Ok(())
            }
            Action::Status(databases) => {
                let mut behind = false;
                for (database, url) in databases.named()? {
                    let statuses = status(database, &url).await?;
                    for status in &statuses {
                        console::plain(&line(database, status));
                    }
                    behind |= statuses.iter().any(|status| status.state != State::Applied);
                }
                if behind { Err(Error::Behind) } else { Ok(()) }
            }
        }
    }
}

impl Databases {
    fn named(&self) -> Result<Vec<(Database, Secret)>, Error> {
        let urls = [(Database::Log, self.log.optional()?), (Database::Read, self.read.optional()?)];
        let named: Vec<_> = urls.into_iter().filter_map(|(database, url)| Some((database, url?))).collect();
        if named.is_empty() { Err(Error::Missing) } else { Ok(named) }
    }
}

fn tell(database: Database, applied: &[i64]) {
    let name = database.schema();
    if applied.is_empty() {
        console::plain(&format!("{name}: up to date"));
    }
    for version in applied {
        console::plain(&format!("{name}: applied {version:04}"));
    }
}

fn line(database: Database, status: &Status) -> String {
    let state = match status.state {
        State::Applied => "applied",
        State::Pending => "pending",
        State::Changed => "applied, and changed since",
        State::Unknown => "applied by a newer version",
    };
    format!("{:5} {:04} {:32} {state}", database.schema(), status.version, status.description)
}

/// Brings one database to today's schema; the answer is what was applied.
pub async fn up(database: Database, url: &Secret) -> Result<Vec<i64>, Error> {
    let mut connection = connect(database, url).await?;
    let applied = apply(&mut connection, database).await;
    close(connection).await;
    applied
}

async fn apply(connection: &mut PgConnection, database: Database) -> Result<Vec<i64>, Error> {
    let failed = |source| Error::Migrate(database, source);
    for Status { version, state, .. } in migrate::status(connection, database).await.map_err(failed)? {
        match state {
            State::Applied | State::Pending => {}
            State::Changed => return Err(Error::Changed { database, version }),
            State::Unknown => return Err(Error::Unknown { database, version }),
        }
    }
    migrate::up(connection, database).await.map_err(failed)
}

async fn status(database: Database, url: &Secret) -> Result<Vec<Status>, Error> {
    let mut connection = connect(database, url).await?;
    let statuses = migrate::status(&mut connection, database).await;
    close(connection).await;
    statuses.map_err(|source| Error::Migrate(database, source))
}

/// Brings both databases to today's schema.
pub async fn both(log_url: &str, read_url: &str) -> Result<(), local::Error> {
    for (database, url) in [(Database::Log, log_url), (Database::Read, read_url)] {
        up(database, &Secret::new(url)).await.map_err(Box::new).map_err(local::Error::Migrate)?;
    }
    Ok(())
}

async fn connect(database: Database, url: &Secret) -> Result<PgConnection, Error> {
    migrate::connect(url).await.map_err(|source| Error::Connect(database, source))
}

async fn close(connection: PgConnection) {
    // The work is done; a connection that does not say goodbye changes nothing.
    let _ = connection.close().await;
}
