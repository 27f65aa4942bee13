//! Which projections this process applies: those whose lease it holds, an advisory lock in the read database. Other
//! replicas stand by and take over when the connection that holds it is gone.
//!
//! A lease only keeps two processes from doing the same work. That the work is done right though two should try, the
//! locked checkpoint sees to. The lock belongs to a session, so the connection may not go through a pooler that shares
//! sessions.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::{collections::BTreeSet, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// How often leases that others hold are asked for, and the connection is proved.
const INTERVAL: Duration = Duration::from_secs(1);
/// A connection that does not answer for so long is lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The names of the projections whose lease this process holds.
pub(crate) type Held = BTreeSet<&'static str>;

#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
    #[error("the read database does not answer")]
    Silent(#[from] tokio::time::error::Elapsed),
}

/// Holds as many of the leases as it can get, until the stop.
pub(crate) async fn hold(
    options: PgConnectOptions,
    names: &[&'static str],
    held: watch::Sender<Held>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let held_in_session = stop.run_until_cancelled(hold_in_one_session(&options, names, &held)).await;
        // At the stop, the steps that have begun are finished, so the leases are not called lost.
        let Some(ended) = held_in_session else { return };
        if let Err(error) = ended {
            tracing::warn!(error = ops::config::chain(&error), "the leases are lost; they will be asked for again");
        }
        held.send_replace(Held::new());
        stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
    }
}

/// Ends only with an error: with the session all its locks are gone.
async fn hold_in_one_session(
    options: &PgConnectOptions,
    names: &[&'static str],
    held: &watch::Sender<Held>,
) -> Result<(), LeaseError> {
    let mut connection = timeout(ANSWER_TIMEOUT, PgConnection::connect_with(options)).await??;
    loop {
        let wanted: Vec<&'static str> = names.iter().filter(|name| !held.borrow().contains(*name)).copied().collect();
        let gained = timeout(ANSWER_TIMEOUT, try_lock(&mut connection, &wanted)).await??;
        if !gained.is_empty() {
            tracing::info!(projections = ?gained, "leases gained");
            held.send_modify(|held| held.extend(gained));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Which of the wanted leases could be had. Asking for none proves the connection.
async fn try_lock(connection: &mut PgConnection, wanted: &[&'static str]) -> Result<Vec<&'static str>, sqlx::Error> {
    let names: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let rows = sqlx::query!(
        r#"select name as "name!",
                  pg_try_advisory_lock(hashtextextended('registrar projection ' || name, 0)) as "gained!"
           from unnest($1::text[]) as wanted (name)"#,
        &names,
    )
    .fetch_all(connection)
    .await?;
    let gained: BTreeSet<String> = rows.into_iter().filter(|row| row.gained).map(|row| row.name).collect();
    Ok(wanted.iter().filter(|name| gained.contains(**name)).copied().collect())
}
