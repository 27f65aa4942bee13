//! How a command is carried out: load and fold the streams it asks for, decide, append, and answer.
//!
//! A decision rests on folded streams that this process remembers, and takes what it does not remember to be new, so it
//! may rest on a stale state. That can cost a retry, never a wrong append: the log takes a command only while every
//! stream that it read or writes is as it was read. And it never costs a wrong refusal: what is refused from memory is
//! decided once more on the log. So most commands read nothing before they are appended.

mod answer;
mod cache;
mod context;
mod preload;
mod secrets;
mod work;

pub use answer::{Answer, Reply};
pub use context::{Actor, Context, IdempotencyKey, Import};
pub use secrets::{StoredRefreshToken, StoredResetToken};
pub use work::{Loaded, Work};

use crate::{
    appender::{AppendError, Appender},
    metrics::{self, CommandOutcome},
    refusals::{Refusals, Refused},
};
use cache::Cache;
use context::InFlight;
use events::{
    Aggregate, Json,
    ids::AccountId,
    log::{Idempotency, LogError, LogReader, Outcome, bounded},
};
use futures::future::BoxFuture;
use ops::problem::{self, Problem};
use std::{sync::Arc, time::Instant};
use uuid::Uuid;

/// How often a command is decided before its caller is told that others were faster.
const MAX_ATTEMPTS: usize = 10;
/// Seconds after which a client may try again when the log cannot be written.
const RETRY_AFTER: u64 = 2;

/// A decision under way: `|work| Box::pin(async move { … })`. It is boxed because the compiler cannot see yet that the
/// future of an async closure may move between threads (rust-lang/rust#110338), which a handler's has to.
pub type Deciding<'w> = BoxFuture<'w, Result<Reply, Problem>>;

/// Carries out commands; clones share everything.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

struct Shared {
    log: LogReader,
    appender: Appender,
    cache: Cache,
    in_flight: InFlight,
    refusals: Refusals,
}

impl Executor {
    /// An executor over the log.
    pub fn new(log: LogReader, appender: Appender) -> Self {
        Self::recording(log, appender, Refusals::default())
    }

    /// An executor over the log that records what it refuses.
    pub fn recording(log: LogReader, appender: Appender, refusals: Refusals) -> Self {
        let (cache, in_flight) = (Cache::default(), InFlight::default());
        Self(Arc::new(Shared { log, appender, cache, in_flight, refusals }))
    }

    /// A stream as it is remembered, or, where `trust_cache` is false, as the log has it. Nothing is asserted by that.
    pub async fn peek<A: events::Aggregate>(
        &self,
        context: &Context,
        id: A::Id,
        trust_cache: bool,
    ) -> Result<Loaded<A>, Problem> {
        Work::new(self, context, trust_cache).load(id).await
    }

    /// Records that somebody was refused, where no decision was made. `account_id` is whom they wanted to be.
    pub fn refused(&self, context: &Context, command: &'static str, problem: &Problem, account_id: Option<AccountId>) {
        self.0.refusals.record(Refused {
            tenant_id: context.tenant_id,
            command,
            problem: problem.slug(),
            actor: context.actor,
            actor_tenant_id: context.actor_tenant_id,
            account_id,
            address: context.address.clone(),
            at: context.now,
        });
    }

    /// The log that it decides on.
    pub fn log(&self) -> &LogReader {
        &self.0.log
    }

    /// A stream as the log has it now, for whoever only looks.
    pub async fn look<A: Aggregate>(&self, context: &Context, id: A::Id) -> Result<Loaded<A>, Problem> {
        Work::new(self, context, false).load::<A>(id).await
    }

    /// Carries out one command. `decide` loads what it needs, decides, and puts events into the [`Work`]; it may run
    /// several times and must change nothing else. `command` names it in metrics and logs, as in `course.publish`.
    pub async fn execute<'a, D>(
        &'a self,
        context: &'a Context,
        command: &'static str,
        decide: D,
    ) -> Result<Answer, Problem>
    where
        D: for<'w> Fn(&'w mut Work<'a>) -> Deciding<'w> + Sync,
    {
        let started = Instant::now();
        let result = self.carry_out(context, command, decide).await;
        let outcome = match &result {
            Ok(answer) if answer.is_replayed() => CommandOutcome::Replayed,
            Ok(_) => CommandOutcome::Appended,
            Err(problem) if problem.status().is_server_error() => CommandOutcome::Failed,
            Err(_) => CommandOutcome::Refused,
        };
        metrics::answered(command, outcome, started.elapsed());
        if let Err(problem) = &result
            && problem.status().is_client_error()
        {
            self.refused(context, command, problem, None);
        }
        result
    }

    async fn carry_out<'a, D>(
        &'a self,
        context: &'a Context,
        command: &'static str,
        decide: D,
    ) -> Result<Answer, Problem>
    where
        D: for<'w> Fn(&'w mut Work<'a>) -> Deciding<'w> + Sync,
    {
        let request = Request::of(context);
        let _in_flight = match &request {
            Some(request) => Some(self.0.in_flight.enter(request.id).ok_or(problem::IDEMPOTENCY_IN_FLIGHT)?),
            None => None,
        };
        let mut trust_cache = true;
        for _ in 0..MAX_ATTEMPTS {
            let mut work = Work::new(self, context, trust_cache);
            let reply = match decide(&mut work).await {
                Ok(reply) => reply,
                Err(_) if work.rests_on_cache() => {
                    trust_cache = false;
                    continue;
                }
                Err(refusal) => return Box::pin(self.find_replay(request)).await?.ok_or(refusal),
            };
            match self.append(request, work, reply).await? {
                Appended::Answer(answer) => return Ok(answer),
                Appended::Moved => {
                    metrics::retried(command);
                    trust_cache = false;
                }
            }
        }
        Err(problem::CONFLICT.into())
    }

    async fn append(&self, request: Option<Request>, work: Work<'_>, reply: Reply) -> Result<Appended, Problem> {
        let mut finished = work.finish().await.map_err(|error| failed(&error))?;
        let version = finished.version_of(reply.stream());
        if let Some(Request { id, hash }) = request {
            let response = reply.to_record(version).map_err(|error| Problem::internal(&error))?;
            finished.append.idempotency = Some(Idempotency { idempotency_id: id, request_hash: hash, response });
        }
        let taken = std::mem::take(&mut finished.taken);
        match self.0.appender.append(finished.append).await {
            Ok(Outcome::Committed { position }) => {
                self.0.cache.extend(finished.folded);
                for (subject, key) in finished.fresh_keys {
                    self.0.log.keyring().remember(subject, key);
                }
                Ok(Appended::Answer(reply.answer(version, position)))
            }
            Ok(Outcome::Conflict) => Ok(Appended::Moved),
            Ok(Outcome::Taken { claim }) => Err(taken.into_iter().nth(claim).unwrap_or(problem::CONFLICT.into())),
            Ok(Outcome::Replayed) => {
                Box::pin(self.find_replay(request)).await?.map(Appended::Answer).ok_or_else(|| problem::CONFLICT.into())
            }
            Err(AppendError::Stopping) => Err(Problem::unavailable("This process is stopping.", RETRY_AFTER)),
            Err(AppendError::Log(error)) => Err(failed(&error)),
        }
    }

    /// The first answer to this request, where it was answered before.
    async fn find_replay(&self, request: Option<Request>) -> Result<Option<Answer>, Problem> {
        let Some(request) = request else { return Ok(None) };
        let found = sqlx::query!(
            r#"select request_hash, response as "response: Json", position
               from log.idempotency
               where idempotency_id = $1"#,
            request.id,
        )
        .fetch_optional(self.0.log.pool());
        match bounded(found).await? {
            None => Ok(None),
            Some(first) if first.request_hash == request.hash => {
                let answer = Answer::replayed(&first.response, first.position);
                Ok(Some(answer.map_err(|error| Problem::internal(&error))?))
            }
            Some(_) => Err(problem::IDEMPOTENCY_KEY_REUSED.into()),
        }
    }
}

/// A request that is carried out once.
#[derive(Clone, Copy)]
struct Request {
    id: Uuid,
    hash: [u8; 32],
}

impl Request {
    /// None where it came without a key.
    fn of(context: &Context) -> Option<Self> {
        Some(Self { id: context.idempotency_id()?, hash: context.idempotency.as_ref()?.request_hash })
    }
}

enum Appended {
    Answer(Answer),
    /// A stream moved since it was read: decide again.
    Moved,
}

/// A fault of the log, as its caller sees it: one that passes is 503, and the command may have been recorded.
fn failed(error: &LogError) -> Problem {
    if error.is_transient() {
        ops::telemetry::error(error, "the log cannot be reached");
        Problem::unavailable(
            "The log cannot be reached. Whether the command was recorded is not known: repeat it with the same \
             Idempotency-Key.",
            RETRY_AFTER,
        )
    } else {
        Problem::internal(error)
    }
}
