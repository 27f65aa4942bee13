//! Writing the log through its one door, `log.append` (`migrations/log/0003_append.sql`): a batch of commands in one
//! round trip and one transaction. Where some are refused, the others are sent again without them, so that each stands or
//! falls alone.

use super::{
    LogError, bounded,
    side::{Side, SideRows},
};
use crate::{Canonical, Json, envelope::StreamRef, ids::TenantId};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::{Builder, Uuid};

/// What one command wants to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose streams these are.
    pub tenant_id: TenantId,
    /// The versions that the decision rests on: of every stream it writes, and of those that it only read.
    pub expected: Vec<(StreamRef, i64)>,
    /// The events, made by [`crate::envelope::Place::record`]; each stream's stand together and follow its expected
    /// version.
    pub events: Vec<Canonical>,
    /// What remembers the answer for a replay of the request.
    pub idempotency: Option<Idempotency>,
    /// What commits beside the events.
    pub side: Side,
}

/// Remembers a request's answer.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// See [`idempotency_id`].
    pub idempotency_id: Uuid,
    /// Keyed digest of the request: see [`super::Keyring::request_digest`].
    pub request_hash: [u8; 32],
    /// What was answered, but for the position.
    pub response: Json,
}

/// Names a request by the organisation in which it is made, who makes it (nil where that is not known), and its
/// `Idempotency-Key`: the beginning of their SHA-256, as a `UUIDv8` (RFC 9562, section 5.8).
pub fn idempotency_id(tenant_id: TenantId, actor_id: Uuid, key: &str) -> Uuid {
    let hash = Sha256::new().chain_update(tenant_id.as_uuid()).chain_update(actor_id).chain_update(key).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// What became of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log, up to this position; a command without events reached what was there.
    Committed {
        /// Position of its last event.
        position: i64,
    },
    /// Its request was carried out before; nothing was written.
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
/// same stream, claim the same name or be the same request, nor may one read what another writes.
///
/// The database role may call `log.append`, and may not touch the log otherwise.
///
/// On an error nothing is known to be written, nor what was refused before it; on one of the connection it may have been
/// written all the same.
pub async fn append(log: &mut PgConnection, commands: &[&Append], notify: Notify) -> Result<Vec<Outcome>, LogError> {
    let mut outcomes = vec![None; commands.len()];
    loop {
        let open: Vec<usize> = (0..commands.len()).filter(|index| outcomes[*index].is_none()).collect();
        if open.is_empty() {
            return Ok(outcomes.into_iter().flatten().collect());
        }
        let batch: Vec<&Append> = open.iter().map(|index| commands[*index]).collect();
        match append_all(&mut *log, &batch, notify).await? {
            Appended::Behind(head) => {
                let mut position = head;
                for (index, command) in open.into_iter().zip(batch) {
                    position += count(&command.events);
                    outcomes[index] = Some(Outcome::Committed { position });
                }
            }
            Appended::Without(refused) => {
                for (number, outcome) in refused {
                    outcomes[open[number]].get_or_insert(outcome);
                }
            }
        }
    }
}

/// What became of a batch.
enum Appended {
    /// All is in, right behind this position.
    Behind(i64),
    /// Nothing is, because of these commands, by their index; what counts first of each stands first.
    Without(Vec<(usize, Outcome)>),
}

async fn append_all(log: &mut PgConnection, commands: &[&Append], notify: Notify) -> Result<Appended, LogError> {
    let columns = Columns::of(commands);
    let asked = sqlx::query!(
        r#"select command, outcome as "outcome!", detail, last_position
           from log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"#,
        &columns.expected_command,
        &columns.expected_stream,
        &columns.expected_version,
        &columns.event_expected,
        &columns.event_ids,
        &columns.event_tenant,
        &columns.event_stream_type as &[&str],
        &columns.event_version,
        &columns.event_type as &[&str],
        &columns.event_data as &[&Json],
        &columns.event_metadata as &[&Json],
        &columns.event_recorded_at,
        &columns.event_leaf_hash as &[&[u8]],
        &columns.idempotency_command,
        &columns.idempotency_ids,
        &columns.idempotency_hash as &[&[u8]],
        &columns.idempotency_response as &[&Json],
        &columns.idempotency_events,
        columns.side,
        notify == Notify::Relays,
    )
    .fetch_all(log);
    let answers = bounded(asked).await?;

    if let [answer] = &*answers
        && let ("appended", Some(head)) = (answer.outcome.as_str(), answer.last_position)
    {
        return Ok(Appended::Behind(head));
    }
    let refused = answers.into_iter().map(|answer| {
        let index = answer.command.and_then(|number| usize::try_from(number - 1).ok());
        let (index, command) = index.and_then(|index| Some((index, commands.get(index)?))).ok_or_else(|| {
            LogError::Contract(format!("an answer to command {:?} of {}", answer.command, commands.len()))
        })?;
        let outcome = match answer.outcome.as_str() {
            "replayed" => Outcome::Replayed,
            "conflict" => Outcome::Conflict,
            "taken" => {
                let scope = answer.detail.unwrap_or_default();
                let claim = command.side.claims.iter().position(|claim| claim.scope == scope);
                Outcome::Taken { claim: claim.ok_or(LogError::Contract(format!("unclaimed scope {scope}")))? }
            }
            other => return Err(LogError::Contract(format!("outcome {other}"))),
        };
        Ok((index, outcome))
    });
    let refused: Vec<_> = refused.collect::<Result<_, _>>()?;
    if refused.is_empty() {
        return Err(LogError::Contract("neither what was appended nor what was refused".to_owned()));
    }
    Ok(Appended::Without(refused))
}

fn count(events: &[Canonical]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}

/// The arguments of `log.append`: what belongs to one row stands at the same index.
#[derive(Default)]
struct Columns<'a> {
    expected_command: Vec<i32>,
    expected_stream: Vec<Uuid>,
    expected_version: Vec<i64>,
    event_expected: Vec<i32>,
    event_ids: Vec<Uuid>,
    event_tenant: Vec<Uuid>,
    event_stream_type: Vec<&'a str>,
    event_version: Vec<i64>,
    event_type: Vec<&'a str>,
    event_data: Vec<&'a Json>,
    event_metadata: Vec<&'a Json>,
    event_recorded_at: Vec<DateTime<Utc>>,
    event_leaf_hash: Vec<&'a [u8]>,
    idempotency_command: Vec<i32>,
    idempotency_ids: Vec<Uuid>,
    idempotency_hash: Vec<&'a [u8]>,
    idempotency_response: Vec<&'a Json>,
    idempotency_events: Vec<i64>,
    side: Option<Value>,
}

impl<'a> Columns<'a> {
    fn of(commands: &[&'a Append]) -> Self {
        let mut columns = Self::default();
        let mut side = SideRows::default();
        let mut events = 0;
        for (number, command) in (1..).zip(commands) {
            let before = columns.expected_stream.len();
            for (stream, version) in &command.expected {
                columns.expected_command.push(number);
                columns.expected_stream.push(stream.id);
                columns.expected_version.push(*version);
            }
            for Canonical { recorded: event, .. } in &command.events {
                // Of a stream that is not expected at any version there is none, and PostgreSQL will say so.
                let expected = command.expected.iter().position(|(stream, _)| stream.id == event.stream.id);
                let expected = expected.and_then(|place| i32::try_from(before + place + 1).ok());
                columns.event_expected.push(expected.unwrap_or_default());
                columns.event_ids.push(event.event_id);
                columns.event_tenant.push(event.tenant_id.as_uuid());
                columns.event_stream_type.push(&event.stream.stream_type);
                columns.event_version.push(event.version);
                columns.event_type.push(&event.event_type);
                columns.event_data.push(&event.data);
                columns.event_metadata.push(&event.metadata);
                columns.event_recorded_at.push(event.recorded_at);
                columns.event_leaf_hash.push(&event.leaf_hash);
            }
            events += count(&command.events);
            if let Some(idempotency) = &command.idempotency {
                columns.idempotency_command.push(number);
                columns.idempotency_ids.push(idempotency.idempotency_id);
                columns.idempotency_hash.push(&idempotency.request_hash);
                columns.idempotency_response.push(&idempotency.response);
                columns.idempotency_events.push(events);
            }
            side.add(number, command.tenant_id, &command.side);
        }
        columns.side = side.into_json();
        columns
    }
}
