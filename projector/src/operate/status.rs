//! `status`, `pause` and `resume`.

use super::{Form, OperateError, Operator, say};
use crate::projections::Projection;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::process::ExitCode;
use uuid::Uuid;

#[derive(Serialize)]
struct Status {
    log_head: i64,
    projections: Vec<ProjectionStatus>,
    parked_streams: Vec<ParkedStream>,
}

#[derive(Serialize)]
struct ProjectionStatus {
    name: String,
    state: String,
    position: i64,
    lag_events: i64,
    parked_streams: i64,
    updated_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct ParkedStream {
    projection: String,
    tenant_id: Uuid,
    stream: String,
    /// The event that could not be applied.
    position: i64,
    /// How many events stand aside with it, itself included.
    events: i64,
    reason: String,
    parked_at: DateTime<Utc>,
}

impl Operator {
    pub(super) async fn status(&self, form: Form) -> Result<ExitCode, OperateError> {
        let status = self.read_status().await?;
        if form.json {
            say(&serde_json::to_string_pretty(&status)?);
            return Ok(ExitCode::SUCCESS);
        }
        say(&format!("{:22} {:10} {:>12} {:>10} {:>7}", "projection", "state", "position", "behind", "parked"));
        for row in &status.projections {
            say(&format!(
                "{:22} {:10} {:>12} {:>10} {:>7}",
                row.name, row.state, row.position, row.lag_events, row.parked_streams
            ));
        }
        for row in &status.parked_streams {
            say(&format!(
                "parked: {} {} at {} with {} events since {}: {}",
                row.projection,
                row.stream,
                row.position,
                row.events,
                row.parked_at.format("%F %T"),
                row.reason
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn read_status(&self) -> Result<Status, OperateError> {
        let log_head = match self.log.head().await {
            Ok(head) => head,
            // Without the log, what the projector last saw of it.
            Err(_) => sqlx::query_scalar!("select position from read.log_head").fetch_one(&self.read).await?,
        };
        let projections = sqlx::query_as!(
            ProjectionStatus,
            r#"select name, state, position, greatest($1 - position, 0) as "lag_events!", updated_at,
                      (select count(*) from read.parked_streams where projection = name) as "parked_streams!"
               from read.projections
               order by name"#,
            log_head,
        )
        .fetch_all(&self.read)
        .await?;
        let parked_streams = sqlx::query_as!(
            ParkedStream,
            r#"select projection, tenant_id, stream_type || '/' || stream_id as "stream!", position, reason, parked_at,
                      (select count(*)
                       from read.parked_events e
                       where e.projection = s.projection
                         and e.stream_type = s.stream_type
                         and e.stream_id = s.stream_id) as "events!"
               from read.parked_streams s
               order by projection, position"#
        )
        .fetch_all(&self.read)
        .await?;
        Ok(Status { log_head, projections, parked_streams })
    }

    /// A batch that is being applied is finished first.
    pub(super) async fn set_state(&self, chosen: &[Projection], paused: bool) -> Result<ExitCode, OperateError> {
        let names: Vec<String> = chosen.iter().map(|projection| projection.name.to_owned()).collect();
        let (from, to): (&[&str], _) =
            if paused { (&["running", "rebuilding"], "paused") } else { (&["paused"], "running") };
        let changed = sqlx::query_scalar!(
            "update read.projections set state = $3 where name = any($1) and state = any($2) returning name",
            &names,
            from as _,
            to,
        )
        .fetch_all(&self.read)
        .await?;
        for name in names {
            let done = if changed.contains(&name) { "is" } else { "was" };
            say(&format!("{name} {done} {to}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}
