//! Sending what was committed: one message after the other, each in a transaction that ends when the server has taken it.
//! When this process is killed in between, the message is sent again: at least once, with the same `Message-ID`.

use super::{Letter, Links, Mailer};
use crate::metrics;
use events::{
    ids::AccountId,
    log::{Keyring, LogError},
};
use ops::config::chain;
use sqlx::{PgPool, Postgres, Transaction};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often it is looked for mail.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long to wait after the log could not be read.
const BACK_OFF: Duration = Duration::from_secs(5);
/// The longest that one message may take. A server that lost its power never answers.
const STEP_BOUND: Duration = Duration::from_mins(2);
/// The longest wait before a message is tried again, in seconds.
const MAX_DELAY: i32 = 600;

/// What sends mail.
pub struct Worker {
    pool: PgPool,
    keyring: Keyring,
    mailer: Arc<dyn Mailer>,
    links: Links,
}

struct Waiting {
    mail_id: Uuid,
    account_id: Uuid,
    sealed: Vec<u8>,
    attempts: i32,
    is_expired: bool,
}

/// Sends mail until the stop.
pub async fn deliver(worker: Worker, stop: CancellationToken) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        let stepped = timeout(STEP_BOUND, worker.step()).await;
        let pause = match stepped.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into()).into())) {
            Ok(true) => continue,
            Ok(false) => INTERVAL,
            Err(error) => {
                ops::telemetry::error(&error, "mail cannot be read just now");
                BACK_OFF
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

impl Worker {
    /// A worker that sends what stands in the log database.
    pub const fn new(pool: PgPool, keyring: Keyring, mailer: Arc<dyn Mailer>, links: Links) -> Self {
        Self { pool, keyring, mailer, links }
    }

    /// Deals with the message that is due first; `false` when none is. Others may do the same at once: a message that
    /// one of them has in hand, the rest do not see.
    pub async fn step(&self) -> Result<bool, LogError> {
        let mut transaction = self.pool.begin().await?;
        let Some(waiting) = next(&mut transaction).await? else {
            metrics::mails_waiting(0);
            return Ok(false);
        };
        match self.letter(&waiting).await {
            None => {
                metrics::mail("expired");
                remove(&mut transaction, waiting.mail_id).await?;
            }
            Some(letter) => {
                let message = letter.compose(waiting.mail_id.to_string(), &self.links);
                match self.mailer.send(&message).await {
                    Ok(()) => {
                        metrics::mail("sent");
                        remove(&mut transaction, waiting.mail_id).await?;
                    }
                    Err(error) => {
                        metrics::mail("failed");
                        let (mail, attempts) = (waiting.mail_id, waiting.attempts + 1);
                        tracing::warn!(%mail, attempts, error = chain(&error), "a message was not sent");
                        postpone(&mut transaction, &waiting).await?;
                    }
                }
            }
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// The letter, unless it is too late for it, or its recipient was erased.
    async fn letter(&self, waiting: &Waiting) -> Option<Letter> {
        if waiting.is_expired {
            return None;
        }
        let subject = AccountId::new(waiting.account_id);
        self.keyring.load([subject]).await.ok()?;
        let opened = self.keyring.open_text(subject, &waiting.sealed).ok()?;
        serde_json::from_str(&opened).ok()
    }
}

async fn next(transaction: &mut Transaction<'_, Postgres>) -> Result<Option<Waiting>, sqlx::Error> {
    sqlx::query_as!(
        Waiting,
        r#"select mail_id, account_id, sealed, attempts, expires_at < now() as "is_expired!"
           from log.mail_outbox
           where next_attempt_at <= now()
           order by next_attempt_at
           limit 1
           for update skip locked"#
    )
    .fetch_optional(&mut **transaction)
    .await
}

async fn remove(transaction: &mut Transaction<'_, Postgres>, mail_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from log.mail_outbox where mail_id = $1", mail_id).execute(&mut **transaction).await?;
    Ok(())
}

/// After 2, 4, 8, … seconds, and at last every [`MAX_DELAY`].
async fn postpone(transaction: &mut Transaction<'_, Postgres>, waiting: &Waiting) -> Result<(), sqlx::Error> {
    let delay = 2_i32.saturating_pow(u32::try_from(waiting.attempts + 1).unwrap_or(1)).min(MAX_DELAY);
    sqlx::query!(
        "update log.mail_outbox
         set attempts = attempts + 1,
             next_attempt_at = now() + make_interval(secs => $2)
         where mail_id = $1",
        waiting.mail_id,
        f64::from(delay),
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
