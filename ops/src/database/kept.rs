//! A connection that one user keeps from statement to statement.

use std::time::{Duration, Instant};

use sqlx::{PgPool, Postgres, pool::PoolConnection};

/// One that nobody has used for so long goes back: the pool asks whether it is still there.
pub const RESTS_AFTER: Duration = Duration::from_millis(500);
/// After so long it goes back though it is in use, since the pool lets no connection grow old.
pub(super) const KEPT_FOR: Duration = Duration::from_mins(10);
/// Of a pool with fewer connections none is kept: others would wait for it.
const ROOM: u32 = 8;

/// Keeps a connection of a pool while it is in use, since giving it back and asking for it costs more than a statement.
#[derive(Debug)]
pub struct Kept {
    pool: PgPool,
    has_room: bool,
    connection: Option<(PoolConnection<Postgres>, Instant)>,
    acquired: Instant,
}

impl Kept {
    /// Nothing is kept yet, of a pool that others use too.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        let has_room = pool.options().get_max_connections() >= ROOM;
        Self { has_room, ..Self::alone(pool) }
    }

    /// As [`Self::new`], of a pool that has a connection for everyone who uses it.
    #[must_use]
    pub fn alone(pool: PgPool) -> Self {
        Self { pool, has_room: true, connection: None, acquired: Instant::now() }
    }

    /// The connection that was kept, else another of the pool. Whoever is done with it, and all went well, gives it to
    /// [`Self::keep`]; else the pool finds out what is left of it.
    pub async fn take(&mut self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        if let Some(kept) = self.find() {
            return Ok(kept);
        }
        let connection = self.pool.acquire().await?;
        self.acquired = Instant::now();
        Ok(connection)
    }

    /// The connection that was kept, where there is one. One that rested goes back.
    pub fn find(&mut self) -> Option<PoolConnection<Postgres>> {
        let is_young = self.acquired.elapsed() < KEPT_FOR;
        let kept = self.connection.take().filter(|(_, used)| is_young && used.elapsed() < RESTS_AFTER);
        kept.map(|(connection, _)| connection)
    }

    /// Keeps the connection for the next time, where the pool has room for that.
    pub fn keep(&mut self, connection: PoolConnection<Postgres>) {
        if self.has_room {
            self.connection = Some((connection, Instant::now()));
        }
    }

    /// Whether there is one.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.connection.is_some()
    }

    /// Gives back what is kept.
    pub fn release(&mut self) {
        self.connection = None;
    }
}
