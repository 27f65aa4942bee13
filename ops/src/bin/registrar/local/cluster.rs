//! What the superuser does in a PostgreSQL of our own: databases, and log-ins for the roles that the migrations make.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Error, keys, servers::postgres::Postgres};

/// The database of the log.
pub const LOG_DATABASE: &str = "registrar_log";
/// The database of the read models.
pub const READ_DATABASE: &str = "registrar_read";

/// Makes the databases that are missing.
pub async fn create_databases(postgres: &Postgres, names: &[&str]) -> Result<(), Error> {
    let failed = |source| Error::Database { action: "create the databases".to_owned(), source };
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.map_err(failed)?;
    for name in names {
        let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        if !exists {
            let create = AssertSqlSafe(format!("create database {name}"));
            sqlx::query(create).execute(&mut connection).await.map_err(failed)?;
        }
    }
    connection.close().await.map_err(failed)
}

/// Lets a role log in with a new password, which is the answer. Each start draws its own.
pub async fn give_login(postgres: &Postgres, role: &str) -> Result<String, Error> {
    let failed = |source| Error::Database { action: format!("let the role {role} log in"), source };
    let password = keys::password();
    let alter = AssertSqlSafe(format!("alter role {role} login password '{password}'"));
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.map_err(failed)?;
    sqlx::query(alter).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(password)
}
