//! What nobody asks for and has to be done all the same: recording that sessions have expired, and forgetting what is of
//! no more use. One process at a time does it, the one that has an advisory lock of the log database; what it leaves
//! undone, it or another does the next time.

use crate::{
    domain::auth_session::{self, Command},
    execute::{Context, Executor, Reply},
    revocation,
};
use chrono::{DateTime, SubsecRound, Utc};
use events::{
    auth_session::AuthSession,
    ids::{AuthSessionId, TenantId},
    log::bounded,
};
use futures::future::join_all;
use ops::problem::Problem;
use sqlx::{Connection, PgConnection};
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Advisory lock of the process that sweeps: "sweep" in ASCII.
const LOCK: i64 = 0x0073_7765_6570;
/// Sessions whose end is recorded together.
const BATCH: i64 = 200;

/// Sweeps once each `interval`, until the stop.
pub async fn run(executor: Executor, interval: Duration, stop: CancellationToken) -> Result<(), Infallible> {
    while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
        let swept = stop.run_until_cancelled(sweep(&executor)).await;
        if let Some(Err(error)) = swept {
            ops::telemetry::error(&error, "expired sessions cannot be recorded just now");
        }
    }
    Ok(())
}

/// Does all that there is to do, unless another process is at it; how many sessions had expired.
pub async fn sweep(executor: &Executor) -> Result<usize, sqlx::Error> {
    let pool = executor.log().pool();
    // A connection of its own: the lock is the session's, and goes with it however this ends.
    let mut lock = bounded(PgConnection::connect_with(pool.connect_options().as_ref())).await?;
    let is_free = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, LOCK).fetch_one(&mut lock);
    if !bounded(is_free).await? {
        return lock.close().await.map(|()| 0);
    }
    let mut expired = 0;
    loop {
        let found = step(executor).await?;
        expired += found.recorded;
        // A batch of which nothing was recorded would be found again at once.
        if found.recorded == 0 || !found.is_full {
            break;
        }
    }
    revocation::forget(pool, Utc::now()).await?;
    bounded(lock.close()).await?;
    if expired > 0 {
        tracing::info!(expired, "sessions have expired");
    }
    Ok(expired)
}

struct Step {
    recorded: usize,
    is_full: bool,
}

/// Records the end of those sessions that expired longest ago.
async fn step(executor: &Executor) -> Result<Step, sqlx::Error> {
    let now = Utc::now().trunc_subsecs(6);
    let asked = sqlx::query!(
        "select session_id, tenant_id
         from log.open_sessions
         where expires_at <= $1
         order by expires_at
         limit $2",
        now,
        BATCH,
    )
    .fetch_all(executor.log().pool());
    let overdue = bounded(asked).await?;
    let is_full = i64::try_from(overdue.len()) == Ok(BATCH);
    let expiring = overdue
        .iter()
        .map(|row| expire(executor, AuthSessionId::new(row.session_id), TenantId::new(row.tenant_id), now));
    // Executed at once, they are appended together.
    let results = join_all(expiring).await;
    for problem in results.iter().filter_map(|result| result.as_ref().err()) {
        tracing::warn!(problem = problem.slug(), "that a session has expired was not recorded");
    }
    Ok(Step { recorded: results.iter().filter(|result| result.is_ok()).count(), is_full })
}

async fn expire(
    executor: &Executor,
    session_id: AuthSessionId,
    tenant_id: TenantId,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let context = &Context::of_the_system(tenant_id, now, Uuid::now_v7());
    executor
        .execute(context, "auth_session.expire", |work| {
            Box::pin(async move {
                let session = work.load::<AuthSession>(session_id).await?;
                let events = auth_session::decide(&session.state, context, Command::Expire)?;
                work.append::<AuthSession>(session_id, events);
                Ok(Reply::ok(session_id))
            })
        })
        .await
        .map(drop)
}
