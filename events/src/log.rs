//! The log in PostgreSQL: the only truth there is. `append` writes it through its one door, `read` reads it in order,
//! `keys` keeps the keys of the people in it. The SQL side stands in `migrations/log`.

mod append;
mod keys;
mod read;
mod side;

pub use append::{Append, Idempotency, Notify, Outcome, append, idempotency_id};
pub use keys::{InvalidMasterKey, Keyring, MasterKey};
pub use read::{Filter, LogReader};
pub use side::{Claim, OpenSession, OutgoingMail, RefreshToken, ResetToken, Side};

use crate::{event::CodecError, personal::SealError};
use std::time::Duration;
use tokio::time::timeout;

/// The longest that the log is waited for. A server that lost its power, or a network that lost its way, never answers.
const ANSWER_BOUND: Duration = Duration::from_secs(5);

/// Waits for an answer of the log database, within the bound.
pub async fn bounded<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(ANSWER_BOUND, asked).await.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

/// Why the log could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// PostgreSQL said no, or nothing.
    #[error("the log database failed")]
    Database(#[from] sqlx::Error),
    /// An event could not be read or written.
    #[error("an event could not be read or written")]
    Codec(#[from] CodecError),
    /// Personal data could not be sealed or opened.
    #[error("personal data could not be sealed or opened")]
    Seal(#[from] SealError),
    /// A canonical form could not be made.
    #[error("an event has no canonical JSON")]
    Canonical(#[source] serde_json::Error),
    /// The answer of `log.append` was not of its contract.
    #[error("log.append answered what it never should: {0}")]
    Contract(String),
}

impl LogError {
    /// Whether trying again later may help: the connection failed, not the request.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                // Classes of SQLSTATE (PostgreSQL manual, appendix A): 08 connection, 53 resources, 57 operator
                // intervention, 40 rollback; and 55P03: a lock was not to be had in time.
                let transient = ["08", "53", "57", "40", "55P03"];
                error.code().is_some_and(|code| transient.iter().any(|class| code.starts_with(class)))
            }
            Self::Database(
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_),
            ) => true,
            _ => false,
        }
    }
}
