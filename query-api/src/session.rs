//! One read-only transaction on a connection: of one moment, within one tenant and within bounds.
//!
//! It begins and ends in one round trip each, with all that it needs to be told: under load that is most of what a query
//! costs.

use ops::database::bounded;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row, pool::PoolConnection, raw_sql};
use uuid::Uuid;

/// The longest that one statement may take: a request that was given up must not go on in the database.
const STATEMENT_TIMEOUT: &str = "15s";

/// How statements are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plans {
    /// For each statement's values, because a plan for any values cannot leave out the filters that were not given.
    ForValues,
    /// Once, by keys. The tables may be empty then, so that everything is looked up by an index, whatever their size.
    Once,
}

impl Plans {
    /// `plan_cache_mode` and `enable_seqscan`.
    const fn settings(self) -> (&'static str, &'static str) {
        match self {
            Self::ForValues => ("force_custom_plan", "on"),
            Self::Once => ("force_generic_plan", "off"),
        }
    }
}

/// Binds a connection to a tenant, for single statements without a transaction. It stays bound, so nobody else may use it.
pub(crate) async fn bind(connection: &mut PgConnection, tenant_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select set_config('registrar.tenant_id', $1, false) as tenant_id,
                set_config('statement_timeout', $2, false) as statement_timeout,
                set_config('plan_cache_mode', 'force_generic_plan', false) as plan_cache_mode,
                set_config('enable_seqscan', 'off', false) as enable_seqscan",
        tenant_id.to_string(),
        STATEMENT_TIMEOUT,
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// A connection with the transaction on it.
#[derive(Debug)]
pub(crate) struct Session {
    /// There until the end.
    connection: Option<PoolConnection<Postgres>>,
    position: i64,
}

impl Session {
    /// Begins, and reads the position that the transaction reflects: the lowest of the projections'. No name stands for
    /// every projection.
    pub(crate) async fn begin(
        connection: PoolConnection<Postgres>,
        tenant_id: Uuid,
        projections: &[&'static str],
        plans: Plans,
    ) -> Result<Self, sqlx::Error> {
        let mut session = Self { connection: Some(connection), position: 0 };
        // Nothing of it comes from a caller but the tenant's id, which is a UUID.
        let begun = raw_sql(AssertSqlSafe(beginning(tenant_id, projections, plans)));
        let row = begun.fetch_one(session.connection()).await?;
        session.position = row.try_get(0)?;
        Ok(session)
    }

    /// Where statements are executed.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("the connection goes only with the session"),
        }
    }

    /// The position that it reflects.
    pub(crate) const fn position(&self) -> i64 {
        self.position
    }

    /// Ends the transaction, and gives the connection back to whoever wants to keep it.
    pub(crate) async fn end(mut self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        raw_sql("commit").execute(self.connection()).await?;
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => unreachable!("the connection goes only with the session"),
        }
    }
}

/// Whoever finds nothing, or goes away, leaves the transaction open: it is ended behind them.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            tokio::spawn(async move {
                if bounded(raw_sql("rollback").execute(&mut *connection)).await.is_err() {
                    connection.close_on_drop();
                }
            });
        }
    }
}

fn beginning(tenant_id: Uuid, projections: &[&'static str], plans: Plans) -> String {
    let (plan_cache_mode, enable_seqscan) = plans.settings();
    let names = projections.join(",");
    format!(
        "begin isolation level repeatable read read only;
         select read.enter('{tenant_id}', '{{{names}}}', '{STATEMENT_TIMEOUT}', '{plan_cache_mode}', '{enable_seqscan}')"
    )
}
