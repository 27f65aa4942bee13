//! Log-ins that fail: counted for each account, which is locked for a while when too many failed in a row.
//!
//! The count stands in the log database, so that it is one for all processes and outlives them. It is made after the
//! answer, so that whether there is an account does not show in how long the answer takes. A session that begins
//! forgives what failed before it.

use crate::{
    domain::account::{self, Command},
    execute::{Context, Executor, Reply},
};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use events::{
    account::Account,
    ids::{AccountId, TenantId},
    log::bounded,
};
use ops::problem::Problem;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Failures that may wait to be counted. More are not counted, and told in the log; each has cost a password
/// verification before, of which far fewer are done in the time.
const QUEUE: usize = 1_024;

/// When an account is locked, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures in a row that lock an account; 0 locks none.
    pub failures: u32,
    /// How long the lock lasts, and how long a failure counts.
    pub lasts: TimeDelta,
}

struct Failure {
    tenant_id: TenantId,
    account_id: AccountId,
}

/// Takes failures to be counted; cheap to clone.
#[derive(Clone)]
pub struct Failures(mpsc::Sender<Failure>);

impl Failures {
    /// What takes them, and the task that counts them, which ends at the stop.
    pub fn start(
        executor: Executor,
        policy: Policy,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = Result<(), Infallible>>) {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let counting = async move {
            loop {
                let failure: Failure = tokio::select! {
                    biased;
                    Some(failure) = waiting.recv() => failure,
                    () = stop.cancelled() => return Ok(()),
                };
                if let Err(problem) = count(&executor, policy, &failure).await {
                    tracing::error!(problem = problem.slug(), "a log-in that failed could not be counted");
                }
            }
        };
        (Self(queue), counting)
    }

    /// A log-in to the account has failed.
    pub fn count(&self, tenant_id: TenantId, account_id: AccountId) {
        if self.0.try_send(Failure { tenant_id, account_id }).is_err() {
            tracing::error!("too many log-ins failed at once: one is not counted");
        }
    }
}

async fn count(executor: &Executor, policy: Policy, failure: &Failure) -> Result<(), Problem> {
    if policy.failures == 0 {
        return Ok(());
    }
    let now = Utc::now().trunc_subsecs(6);
    let failures = add(executor, policy, failure, now).await?;
    if failures >= i64::from(policy.failures) {
        let failures = u32::try_from(failures).unwrap_or(u32::MAX);
        lock(executor, failure, failures, now + policy.lasts, now).await?;
        forgive(executor, failure.account_id).await?;
    }
    Ok(())
}

/// How many have failed in a row, this one included. Those too long ago do not count.
async fn add(executor: &Executor, policy: Policy, failure: &Failure, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let failures = sqlx::query_scalar!(
        "insert into log.login_failures as known (account_id, tenant_id, failures, last_at)
         values ($1, $2, 1, $3)
         on conflict (account_id) do update
         set failures = case when known.last_at < $4 then 1 else known.failures + 1 end,
             last_at = excluded.last_at
         returning failures",
        failure.account_id.as_uuid(),
        failure.tenant_id.as_uuid(),
        now,
        now - policy.lasts,
    )
    .fetch_one(executor.log().pool());
    Ok(bounded(failures).await?.into())
}

async fn forgive(executor: &Executor, account_id: AccountId) -> Result<(), sqlx::Error> {
    let forgiven = sqlx::query!("delete from log.login_failures where account_id = $1", account_id.as_uuid())
        .execute(executor.log().pool());
    bounded(forgiven).await?;
    Ok(())
}

async fn lock(
    executor: &Executor,
    failure: &Failure,
    failures: u32,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let id = failure.account_id;
    let context = &Context::of_the_system(failure.tenant_id, now, Uuid::now_v7());
    executor
        .execute(context, "account.lock", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(id).await?;
                let events = account::decide(&account.state, context, Command::Lock { failures, until })?;
                work.append::<Account>(id, events);
                Ok(Reply::ok(id))
            })
        })
        .await
        .map(drop)
}
