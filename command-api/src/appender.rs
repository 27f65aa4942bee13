//! Group commit: one task per process gathers the commands that wait and appends them in one transaction, in one round
//! trip where none is refused. A serialised log costs its lock once per batch, not once per command, and no command
//! waits for a timer: a batch is whatever came while the one before it was being written.

use crate::{metrics, tail::Tail};
use events::{
    Canonical,
    log::{self, Append, LogError, Notify, Outcome},
};
use ops::database::{Kept, RESTS_AFTER};
use sqlx::PgPool;
use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use uuid::Uuid;

/// Commands that may wait to be appended; beyond that, callers wait to be allowed to wait.
const QUEUE: usize = 4_096;
/// Commands in one transaction.
const MAX_BATCH: usize = 256;

/// Why a command was not appended, or is not known to be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The process is stopping.
    #[error("the process is stopping and takes no more commands")]
    Stopping,
    /// The log failed. When its connection broke, the command may have been recorded all the same.
    #[error("the log could not be written")]
    Log(#[source] Arc<LogError>),
}

struct Waiting {
    append: Append,
    answer: oneshot::Sender<Result<Outcome, AppendError>>,
}

/// Hands commands to the task that appends; cheap to clone.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Waiting>,
    appended: Appended,
}

/// How many commands this process has had appended that no password was hashed for. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Appended(Arc<AtomicU64>);

impl Appended {
    /// So many, until now.
    pub fn others(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add_others(&self, commands: u64) {
        self.0.fetch_add(commands, Ordering::Relaxed);
    }
}

/// Whether a password was hashed for it: it begins a session, or sets a password.
fn hashed_a_password(command: &Append) -> bool {
    !command.side.sessions.is_empty() || !command.side.credentials.is_empty()
}

impl Appender {
    /// Starts the task. It ends when the last `Appender` is dropped and all that waited is answered. `head` learns
    /// every position that is reached, `tail` the events.
    pub fn start(pool: PgPool, head: watch::Sender<i64>, tail: Tail) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let appended = Appended::default();
        let log = Log { connection: Kept::new(pool), head, tail, appended: appended.clone() };
        let task = tokio::spawn(run(log, waiting));
        (Self { queue, appended }, task)
    }

    /// How much is appended.
    pub fn appended(&self) -> Appended {
        self.appended.clone()
    }

    /// Appends one command, together with whichever others are waiting.
    pub async fn append(&self, append: Append) -> Result<Outcome, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Waiting { append, answer }).await.map_err(|_| AppendError::Stopping)?;
        answered.await.map_err(|_| AppendError::Stopping)?
    }
}

/// Where commands go, and who learns of it.
struct Log {
    connection: Kept,
    head: watch::Sender<i64>,
    tail: Tail,
    appended: Appended,
}

async fn run(mut log: Log, mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = VecDeque::new();
    let mut arrived = Vec::with_capacity(MAX_BATCH);
    loop {
        if waiting.is_empty() {
            match timeout(RESTS_AFTER, queue.recv_many(&mut arrived, MAX_BATCH)).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(_) => {
                    log.connection.release();
                    continue;
                }
            }
        } else {
            while waiting.len() + arrived.len() < MAX_BATCH
                && let Ok(more) = queue.try_recv()
            {
                arrived.push(more);
            }
        }
        waiting.extend(arrived.drain(..));
        metrics::append_queue(queue.len() + waiting.len());
        let batch = take_independent(&mut waiting);
        append(&mut log, batch).await;
    }
}

/// Takes, in order, the commands whose answers cannot hang on one another. The rest stay, in order: whoever touches
/// what a waiting command touches waits behind it.
fn take_independent(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut batch = Vec::with_capacity(waiting.len());
    let mut touched = Touched::default();
    for command in std::mem::take(waiting) {
        if touched.admits(&command.append) {
            batch.push(command);
        } else {
            waiting.push_back(command);
        }
    }
    batch
}

/// What the commands of a batch, and those passed over, read and write.
#[derive(Default)]
struct Touched {
    written: HashSet<Uuid>,
    read: HashSet<Uuid>,
    names: HashSet<Vec<u8>>,
}

impl Touched {
    /// Whether the command touches nothing that one before it touches; only reading the same stream is no touching.
    fn admits(&mut self, command: &Append) -> bool {
        let written = command.events.iter().map(|event| event.recorded.stream.id);
        let streams = command.expected.iter().map(|(stream, _)| stream.id);
        let names: Vec<Vec<u8>> = names_of(command);

        let independent = streams.clone().all(|id| !self.written.contains(&id))
            && written.clone().all(|id| !self.read.contains(&id))
            && names.iter().all(|name| !self.names.contains(name));

        self.read.extend(streams.filter(|id| written.clone().all(|written| written != *id)));
        self.written.extend(written);
        self.names.extend(names);
        independent
    }
}

fn names_of(command: &Append) -> Vec<Vec<u8>> {
    let claims = command.side.claims.iter().map(|claim| claim.digest.clone());
    let releases = command.side.releases.iter().map(|(_, digest)| digest.clone());
    let request = command.idempotency.iter().map(|request| request.idempotency_id.as_bytes().to_vec());
    // Whoever begins a session and whoever ends all of them do not meet in one batch.
    let begun = command.side.sessions.iter().map(|session| session.account_id);
    let known = command.side.known_sessions.iter().map(|(account_id, _)| *account_id);
    let sessions = begun.chain(known).map(|account_id| account_id.as_uuid().as_bytes().to_vec());
    claims.chain(releases).chain(request).chain(sessions).collect()
}

async fn append(log: &mut Log, batch: Vec<Waiting>) {
    let started = Instant::now();
    let commands: Vec<&Append> = batch.iter().map(|waiting| &waiting.append).collect();
    let notify = if log.tail.is_wanted() { Notify::Nobody } else { Notify::Relays };
    match write(&mut log.connection, &commands, notify).await {
        Ok(outcomes) => {
            metrics::appended(commands.len(), started.elapsed());
            let others = commands.iter().filter(|command| !hashed_a_password(command)).count();
            log.appended.add_others(others as u64);
            let mut committed = Vec::new();
            for (Waiting { append, answer }, outcome) in batch.into_iter().zip(outcomes) {
                if let Outcome::Committed { position } = outcome {
                    committed.extend(placed(append.events, position));
                }
                // Whoever asked may have gone; the command stands all the same.
                let _ = answer.send(Ok(outcome));
            }
            if let Some(position) = committed.last().map(|last: &Canonical| last.recorded.position) {
                log.tail.extend(committed);
                log.head.send_if_modified(|head| std::mem::replace(head, position.max(*head)) < position);
            }
        }
        // One command that PostgreSQL will not take must not fail its neighbours: each is tried alone.
        Err(error) if batch.len() > 1 && !error.is_transient() => {
            tracing::warn!(%error, commands = batch.len(), "a batch was refused whole; its commands are tried alone");
            for waiting in batch {
                Box::pin(append(log, vec![waiting])).await;
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for waiting in batch {
                let _ = waiting.answer.send(Err(AppendError::Log(error.clone())));
            }
        }
    }
}

/// The connection is kept where all went well; else the pool finds out what is left of it.
async fn write(kept: &mut Kept, commands: &[&Append], notify: Notify) -> Result<Vec<Outcome>, LogError> {
    let mut connection = kept.take().await?;
    let outcomes = log::append(&mut connection, commands, notify).await?;
    kept.keep(connection);
    Ok(outcomes)
}

/// A command's events stand one after the other, the last at `position`.
fn placed(events: Vec<Canonical>, position: i64) -> impl Iterator<Item = Canonical> {
    let before = position - i64::try_from(events.len()).unwrap_or(i64::MAX);
    (before + 1..).zip(events).map(|(position, mut event)| {
        event.recorded.position = position;
        event
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::{
        Event, Json, Metadata, Place, StreamRef,
        category::CategoryEvent,
        log::{Claim, Idempotency, Side, idempotency_id},
        tenant::DEFAULT_TENANT,
    };

    fn stream(id: u128) -> StreamRef {
        StreamRef { stream_type: "category".into(), id: Uuid::from_u128(id) }
    }

    /// A command that reads and writes the streams of these ids.
    fn command(reads: &[u128], writes: &[u128]) -> Append {
        let event = Event::Category(CategoryEvent::Created { name: String::new(), description: None });
        let record = |id: &u128| {
            let recorded_at = chrono::DateTime::UNIX_EPOCH;
            Place { event_id: Uuid::nil(), tenant_id: DEFAULT_TENANT, stream: stream(*id), version: 1, recorded_at }
                .record(&event, &Metadata::default(), |_| Ok(()))
                .unwrap()
        };
        Append {
            tenant_id: DEFAULT_TENANT,
            expected: reads.iter().chain(writes).map(|id| (stream(*id), 0)).collect(),
            events: writes.iter().map(record).collect(),
            idempotency: None,
            side: Side::default(),
        }
    }

    fn with_key(key: &str) -> Append {
        let idempotency = Idempotency {
            idempotency_id: idempotency_id(DEFAULT_TENANT, Uuid::nil(), key),
            request_hash: [0; 32],
            response: Json::of(&()).unwrap(),
        };
        Append { idempotency: Some(idempotency), ..command(&[], &[]) }
    }

    fn claiming(digest: u8, id: u128) -> Append {
        let claim = Claim { scope: "name", digest: vec![digest], stream: stream(id) };
        Append { side: Side { claims: vec![claim], ..Side::default() }, ..command(&[], &[id]) }
    }

    /// The numbers of the commands that go into the first batch.
    fn first_batch(commands: &[Append]) -> Vec<usize> {
        let mut touched = Touched::default();
        commands.iter().enumerate().filter(|(_, command)| touched.admits(command)).map(|(number, _)| number).collect()
    }

    #[test]
    fn one_command_per_stream_goes_into_a_batch() {
        assert_eq!(first_batch(&[command(&[], &[1]), command(&[], &[1]), command(&[], &[2])]), [0, 2]);
    }

    #[test]
    fn many_may_read_the_same_stream() {
        assert_eq!(first_batch(&[command(&[9], &[1]), command(&[9], &[2])]), [0, 1]);
    }

    #[test]
    fn nobody_reads_what_another_writes() {
        assert_eq!(first_batch(&[command(&[], &[9]), command(&[9], &[1])]), [0]);
        assert_eq!(first_batch(&[command(&[9], &[1]), command(&[], &[9])]), [0]);
    }

    #[test]
    fn nobody_overtakes_a_command_that_waits_for_the_same_stream() {
        // The second waits for stream 1 and wants 2 as well; the third must not have 2 before it.
        assert_eq!(first_batch(&[command(&[], &[1]), command(&[], &[1, 2]), command(&[], &[2])]), [0]);
    }

    #[test]
    fn a_name_and_a_key_are_wanted_once_per_batch() {
        assert_eq!(first_batch(&[claiming(7, 1), claiming(7, 2), claiming(8, 3)]), [0, 2]);
        assert_eq!(first_batch(&[with_key("a"), with_key("a"), with_key("b")]), [0, 2]);
    }
}
