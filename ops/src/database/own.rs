//! A connection that one task has for itself, outside any pool.

use std::time::Instant;

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::{KEPT_FOR, RESTS_AFTER, bounded, prove};

/// A connection that one task has for itself, made when it is needed. One that failed is let go of. A pool asks each that
/// is given back whether it is still there, and waits for ever for the answer of one that has lost its server without a
/// word: of a pool of one, nothing is left then.
#[derive(Debug)]
pub struct Own {
    options: PgConnectOptions,
    connection: Option<(PgConnection, Instant)>,
    made: Instant,
}

impl Own {
    /// None yet.
    #[must_use]
    pub fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None, made: Instant::now() }
    }

    /// The connection of the last time, or a new one. Whoever is done with it, and all went well, gives it to
    /// [`Self::keep`]. One that rested is asked whether it is still there, and none grows old: after a fail-over it may be
    /// to the wrong server.
    pub async fn take(&mut self) -> Result<PgConnection, sqlx::Error> {
        if let Some((mut connection, used)) = self.connection.take()
            && self.made.elapsed() < KEPT_FOR
            && (used.elapsed() < RESTS_AFTER || prove(&mut connection).await.is_ok())
        {
            return Ok(connection);
        }
        let connection = bounded(Box::pin(PgConnection::connect_with(&self.options))).await?;
        self.made = Instant::now();
        Ok(connection)
    }

    /// Keeps it for the next time.
    pub fn keep(&mut self, connection: PgConnection) {
        self.connection = Some((connection, Instant::now()));
    }
}
