//! Connections to PostgreSQL, and what their failures mean to a caller.
//!
//! SQL is left to those who use it; migrations are in `migrate`.

mod kept;
mod own;

use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracing::log::LevelFilter;

use self::kept::KEPT_FOR;
pub use self::{
    kept::{Kept, RESTS_AFTER},
    own::Own,
};
use crate::{config::Secret, problem::Problem};

/// The longest that a request waits for a connection; after it the answer is 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a readiness check waits.
const PING_TIMEOUT: Duration = Duration::from_millis(1500);
/// A connection that nobody has used for so long is asked whether it is still there before it is used.
const PROVED_AFTER: Duration = Duration::from_secs(1);
/// The longest that it may take to say so. A server that lost its power never says anything.
const PROOF_TIMEOUT: Duration = Duration::from_secs(1);
/// See [`bounded`].
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// Prepared statements that a connection keeps.
const STATEMENT_CACHE: usize = 512;
/// A statement that takes longer is logged.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);
/// What the server is told of every session. No statement waits for a lock for long: whoever holds one for ever stops
/// nobody else's connection with it. And a session whose client has vanished without a word ends within seconds, and its
/// advisory locks with it, by which one process leads or projects.
const SESSION: [(&str, &str); 5] = [
    ("lock_timeout", "4s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];
/// What a caller is asked to wait while the database cannot be reached, in seconds.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Why a pool cannot be made. It never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not a `postgres://` URL.
    #[error("the database URL must be postgres://user:password@host:port/database")]
    Url,
    /// Not a name that a role of ours can have.
    #[error("the database role may have only lower-case letters, digits and underscores")]
    Role,
}

/// A pool that connects when it is first used, so that a process starts, and shows that it is not ready, while the
/// database is down. Each connection takes on `role` where one is given, and shows itself as `application_name`.
pub fn connect(
    url: &Secret,
    role: Option<&str>,
    max_connections: u32,
    application_name: &str,
) -> Result<PgPool, DatabaseError> {
    let options = connect_options(url, role, application_name)?;
    // A statement that was given up leaves its answer to be waited for, which may never come; where it was the begin of
    // a transaction, that is open.
    let cleared = pool_options(max_connections)
        .after_release(|connection, _| Box::pin(async move { clear(connection).await.map(|()| true) }));
    Ok(cleared.connect_lazy_with(options))
}

/// As [`connect`], for those who see to it themselves that no transaction is left open: a connection comes back as it is.
pub fn connect_readers(
    url: &Secret,
    role: Option<&str>,
    max_connections: u32,
    application_name: &str,
) -> Result<PgPool, DatabaseError> {
    // How they begin is planned once; they say themselves how the rest is.
    let settings = [("plan_cache_mode", "force_generic_plan")];
    let options = connect_options(url, role, application_name)?.options(settings);
    Ok(pool_options(max_connections).connect_lazy_with(options))
}

fn pool_options(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        // Asking before each use costs a round trip; one that rests may have lost its server meanwhile.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for >= PROVED_AFTER {
                    prove(connection).await?;
                }
                Ok(true)
            })
        })
}

/// Ends a transaction that nobody knows of. Where there is none, none is left; neither is worth a warning.
async fn clear(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let cleared = sqlx::raw_sql("begin; rollback").execute(connection);
    tokio::time::timeout(PROOF_TIMEOUT, cleared)
        .await
        .unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
        .map(drop)
}

/// Asks a connection that rested whether it is still there. One that does not say so soon is not.
pub async fn prove(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    tokio::time::timeout(PROOF_TIMEOUT, connection.ping())
        .await
        .unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

/// Waits for an answer of a database, for as long as an answer may take where nothing was said of that. A server that lost
/// its power, or a network that lost its way, never answers.
pub async fn bounded<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

/// How each connection is made, for those who need one outside a pool, such as a listener.
pub fn connect_options(
    url: &Secret,
    role: Option<&str>,
    application_name: &str,
) -> Result<PgConnectOptions, DatabaseError> {
    let scheme_is_right = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme));
    let options =
        PgConnectOptions::from_str(url.expose()).ok().filter(|_| scheme_is_right).ok_or(DatabaseError::Url)?;
    let options = options
        .application_name(application_name)
        .statement_cache_capacity(STATEMENT_CACHE)
        .log_statements(LevelFilter::Trace)
        .log_slow_statements(LevelFilter::Warn, SLOW_STATEMENT)
        .options(SESSION);
    match role {
        None => Ok(options),
        Some(role) if is_role(role) => Ok(options.options([("role", role)])),
        Some(_) => Err(DatabaseError::Role),
    }
}

fn is_role(role: &str) -> bool {
    !role.is_empty() && role.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// A readiness check: one round trip. The cause is logged, the caller learns only that it is not reachable.
pub async fn ping(pool: &PgPool) -> Result<(), String> {
    let error = match tokio::time::timeout(PING_TIMEOUT, pool.acquire()).await {
        Ok(Ok(mut connection)) => {
            match tokio::time::timeout(PING_TIMEOUT, sqlx::query("select 1").execute(&mut *connection)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => crate::config::chain(&error),
                Err(elapsed) => {
                    // Whatever it is given to next would wait for the answer too.
                    connection.close_on_drop();
                    elapsed.to_string()
                }
            }
        }
        Ok(Err(error)) => crate::config::chain(&error),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(error, "the database is not reachable");
    Err("not reachable".to_owned())
}

/// Whether an error means that the database cannot be reached or is full, rather than that a statement is wrong.
#[must_use]
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        // Classes 08 (connection), 53 (resources) and 57 (an operator stepped in, or it starts or stops), and 55P03: a
        // lock was not to be had in time.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["08", "53", "57", "55P03"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// 503 while the database cannot be reached, else 500; both are logged with their cause.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if is_unavailable(&error) {
            tracing::warn!(error = crate::config::chain(&error), "the database is not available");
            return Self::unavailable("The database cannot be reached just now.", RETRY_AFTER_SECONDS);
        }
        Self::internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_starts_while_the_database_is_down() {
        let url = Secret::new("postgres://nobody:hunter2@127.0.0.1:1/none");
        let pool = connect(&url, Some("registrar_query"), 1, "test").unwrap();
        assert_eq!(ping(&pool).await.unwrap_err(), "not reachable");
        assert_eq!(Problem::from(sqlx::Error::PoolTimedOut).slug(), "unavailable");
        assert_eq!(Problem::from(sqlx::Error::RowNotFound).slug(), "internal");
    }

    #[test]
    fn a_role_is_taken_on_when_a_connection_starts() {
        let url = Secret::new("postgres://nobody@127.0.0.1/none");
        let options_as = |role| connect_options(&url, role, "test").unwrap().get_options().unwrap().to_owned();
        assert_eq!(options_as(Some("registrar_query")), format!("{} -c role=registrar_query", options_as(None)));
        for bad in ["", "a b", "x -c y=z", "Role"] {
            assert!(matches!(connect_options(&url, Some(bad), "test"), Err(DatabaseError::Role)), "{bad}");
        }
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        for bad in ["", "hunter2", "mysql://a:hunter2@b/c", "postgres://a:hunter2@b:port/c"] {
            let error = connect(&Secret::new(bad), None, 1, "test").unwrap_err();
            assert!(matches!(error, DatabaseError::Url) && !error.to_string().contains("hunter2"));
        }
    }
}
