//! Writing the log through its one door, `log.append` (`migrations/log/0003_append.sql`): a batch of commands in one
//! round trip and one transaction, each of which stands or falls alone.

use super::{
    LogError, bounded,
    side::{Side, SideRows},
};
use crate::{
    Json,
    envelope::{Recorded, StreamRef},
    ids::TenantId,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// What one command wants to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose streams these are.
    pub tenant_id: TenantId,
    /// The versions that the decision rests on: of every stream it writes, and of those that it only read.
    pub expected: Vec<(StreamRef, i64)>,
    /// The events, made by [`crate::envelope::Place::record`]; each stream's follow its expected version.
    pub events: Vec<Recorded>,
    /// What remembers the answer for a replay of the request.
    pub idempotency: Option<Idempotency>,
    /// What commits beside the events.
    pub side: Side,
}

/// Remembers a request's answer.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Who asked; nil where that is not known.
    pub actor_id: Uuid,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the request.
    pub request_hash: [u8; 32],
    /// What was answered, but for the position.
    pub response: Value,
}

/// What became of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log, up to this position; a command without events reached what was there.
    Committed {
        /// Position of its last event.
        position: i64,
    },
    /// Its idempotency key was used before; nothing was written.
    Replayed,
    /// A stream that it rests on has moved; nothing was written.
    Conflict,
    /// Somebody has a name that it claims; nothing was written.
    Taken {
        /// Index of the claim among the command's.
        claim: usize,
    },
}

/// Who is told that there is more to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// The relays that listen, whatever process they are of.
    Relays,
    /// Nobody: the relay that publishes is of this process, and hears of it in memory.
    Nobody,
}

/// Appends the commands in one transaction and tells what became of each, in order. No two of them may write the
/// same stream, claim the same name or carry the same idempotency key, nor may one read what another writes.
///
/// The database role may call `log.append`, and may not touch the log otherwise.
///
/// On an error nothing is known to be written; on one of the connection it may have been all the same.
pub async fn append(log: impl PgExecutor<'_>, commands: &[&Append], notify: Notify) -> Result<Vec<Outcome>, LogError> {
    let columns = Columns::of(commands);
    let asked = sqlx::query!(
        r#"select command as "command!", outcome as "outcome!", detail, last_position as "last_position!"
           from log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                           $20, $21, $22, $23)"#,
        i32::try_from(commands.len()).unwrap_or(i32::MAX),
        &columns.expected_command,
        &columns.expected_stream,
        &columns.expected_version,
        &columns.event_command,
        &columns.event_ids,
        &columns.event_tenant,
        &columns.event_stream_type as &[&str],
        &columns.event_stream,
        &columns.event_version,
        &columns.event_type as &[&str],
        &columns.event_data as &[&Json],
        &columns.event_metadata as &[&Json],
        &columns.event_recorded_at,
        &columns.event_leaf_hash as &[&[u8]],
        &columns.idempotency_command,
        &columns.idempotency_tenant,
        &columns.idempotency_actor,
        &columns.idempotency_key as &[&str],
        &columns.idempotency_request as &[&[u8]],
        &columns.idempotency_response as &[&Value],
        columns.side,
        notify == Notify::Relays,
    )
    .fetch_all(log);
    let answers = bounded(asked).await?;

    if answers.len() != commands.len() {
        return Err(LogError::Contract(format!("{} answers to {} commands", answers.len(), commands.len())));
    }
    commands
        .iter()
        .zip(answers)
        .map(|(command, answer)| {
            Ok(match answer.outcome.as_str() {
                "committed" => Outcome::Committed { position: answer.last_position },
                "replayed" => Outcome::Replayed,
                "conflict" => Outcome::Conflict,
                "taken" => {
                    let scope = answer.detail.unwrap_or_default();
                    let claim = command.side.claims.iter().position(|claim| claim.scope == scope);
                    Outcome::Taken { claim: claim.ok_or(LogError::Contract(format!("unclaimed scope {scope}")))? }
                }
                other => return Err(LogError::Contract(format!("outcome {other}"))),
            })
        })
        .collect()
}

/// The arguments of `log.append`: what belongs to one row stands at the same index.
#[derive(Default)]
struct Columns<'a> {
    expected_command: Vec<i32>,
    expected_stream: Vec<Uuid>,
    expected_version: Vec<i64>,
    event_command: Vec<i32>,
    event_ids: Vec<Uuid>,
    event_tenant: Vec<Uuid>,
    event_stream_type: Vec<&'a str>,
    event_stream: Vec<Uuid>,
    event_version: Vec<i64>,
    event_type: Vec<&'a str>,
    event_data: Vec<&'a Json>,
    event_metadata: Vec<&'a Json>,
    event_recorded_at: Vec<DateTime<Utc>>,
    event_leaf_hash: Vec<&'a [u8]>,
    idempotency_command: Vec<i32>,
    idempotency_tenant: Vec<Uuid>,
    idempotency_actor: Vec<Uuid>,
    idempotency_key: Vec<&'a str>,
    idempotency_request: Vec<&'a [u8]>,
    idempotency_response: Vec<&'a Value>,
    side: Option<Value>,
}

impl<'a> Columns<'a> {
    fn of(commands: &[&'a Append]) -> Self {
        let mut columns = Self::default();
        let mut side = SideRows::default();
        for (number, command) in (1..).zip(commands) {
            for (stream, version) in &command.expected {
                columns.expected_command.push(number);
                columns.expected_stream.push(stream.id);
                columns.expected_version.push(*version);
            }
            for event in &command.events {
                columns.event_command.push(number);
                columns.event_ids.push(event.event_id);
                columns.event_tenant.push(event.tenant_id.as_uuid());
                columns.event_stream_type.push(&event.stream.stream_type);
                columns.event_stream.push(event.stream.id);
                columns.event_version.push(event.version);
                columns.event_type.push(&event.event_type);
                columns.event_data.push(&event.data);
                columns.event_metadata.push(&event.metadata);
                columns.event_recorded_at.push(event.recorded_at);
                columns.event_leaf_hash.push(&event.leaf_hash);
            }
            if let Some(idempotency) = &command.idempotency {
                columns.idempotency_command.push(number);
                columns.idempotency_tenant.push(command.tenant_id.as_uuid());
                columns.idempotency_actor.push(idempotency.actor_id);
                columns.idempotency_key.push(&idempotency.key);
                columns.idempotency_request.push(&idempotency.request_hash);
                columns.idempotency_response.push(&idempotency.response);
            }
            side.add(number, command.tenant_id, &command.side);
        }
        columns.side = side.into_json();
        columns
    }
}
