//! One rebuild of a view at a time: an advisory lock in the read database, held by a connection of its own, so that it
//! goes with the process. What readers are told, `rebuilding`, is set while it is held.

use super::RebuildError;
use crate::projections::Projection;
use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};

/// The locks of some projections.
pub(super) struct Guard(PgConnection);

impl Guard {
    /// Takes the locks of all of them, or none.
    pub(super) async fn take(options: &PgConnectOptions, projections: &[Projection]) -> Result<Self, RebuildError> {
        let mut connection = PgConnection::connect_with(options).await?;
        for projection in projections {
            let is_ours = sqlx::query_scalar!(
                r#"select pg_try_advisory_lock(hashtextextended('registrar rebuild ' || $1::text, 0)) as "is_ours!""#,
                projection.name,
            )
            .fetch_one(&mut connection)
            .await?;
            if !is_ours {
                return Err(RebuildError::Busy(projection.name.to_owned()));
            }
        }
        Ok(Self(connection))
    }

    /// With the session its locks go in any case; a moment later, where they are not let go of first.
    pub(super) async fn release(mut self) {
        let _ = sqlx::query!("select pg_advisory_unlock_all() as done").fetch_one(&mut self.0).await;
        let _ = self.0.close().await;
    }
}

/// Tells readers that the projections are being rebuilt. A paused one stays paused, and says so.
pub(super) async fn say_rebuilding(read: &PgPool, projections: &[Projection]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update read.projections set state = 'rebuilding' where state = 'running' and name = any($1)",
        &names(projections)
    )
    .execute(read)
    .await?;
    Ok(())
}

/// Tells readers that it is over.
pub(super) async fn say_running(read: &PgPool, projections: &[Projection]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update read.projections set state = 'running' where state = 'rebuilding' and name = any($1)",
        &names(projections)
    )
    .execute(read)
    .await?;
    Ok(())
}

/// Takes `rebuilding` back where nobody is at it any more: whoever was has died.
pub async fn released(read: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update read.projections
         set state = 'running'
         where state = 'rebuilding'
           and pg_try_advisory_xact_lock(hashtextextended('registrar rebuild ' || name, 0))"
    )
    .execute(read)
    .await?;
    Ok(())
}

fn names(projections: &[Projection]) -> Vec<String> {
    projections.iter().map(|projection| projection.name.to_owned()).collect()
}
