//! Records what was refused, in the log: `registrar.refusal.recorded.v1`.
//!
//! Refusals of one kind and one caller are added up, and written once in a while: soon after the first of them, and then
//! once in a window. So the trail is timely, and nobody fills the log by being refused often: a process writes at most
//! [`MAX_KINDS`] such events in a window. What a process has added up and not written when it is killed is lost: up to a
//! second of first refusals, and the count of repeated ones.

use crate::{
    execute::{Actor, Context, Executor, Reply},
    metrics,
    state::network_of,
};
use chrono::{DateTime, Utc};
use events::{
    Personal,
    cloud_event::hex,
    ids::{AccountId, RefusalId, TenantId},
    refusal::{Refusal, RefusalEvent},
};
use std::{
    collections::HashMap,
    convert::Infallible,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Refusals that may wait to be added up.
const QUEUE: usize = 8_192;
/// Kinds of refusals, by caller and reason, that are told apart in a window.
const MAX_KINDS: usize = 1_000;
/// How long a first refusal waits for more of its kind.
const FIRST: Duration = Duration::from_secs(1);

/// Something was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// In which organisation.
    pub tenant_id: TenantId,
    /// What, as in `course.publish`.
    pub command: &'static str,
    /// Why: the problem's name.
    pub problem: &'static str,
    /// Who asked.
    pub actor: Option<Actor>,
    /// The organisation that they are of, where they acted in another.
    pub actor_tenant_id: Option<TenantId>,
    /// Whose account somebody wanted into, where nobody signed in.
    pub account_id: Option<AccountId>,
    /// From where.
    pub address: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Takes refusals to be recorded; cheap to clone.
#[derive(Clone, Default)]
pub struct Refusals(Option<mpsc::Sender<Refused>>);

/// The other end of [`Refusals`].
pub struct Recorder {
    waiting: mpsc::Receiver<Refused>,
    window: Duration,
    kinds: HashMap<Kind, Tally>,
}

/// What is added up. Whoever has a network of addresses is one caller, as to the limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    tenant_id: TenantId,
    command: &'static str,
    problem: &'static str,
    account_id: Option<AccountId>,
    network: Option<String>,
}

#[derive(Clone)]
struct Tally {
    /// Since it was last written; 0 when all is written.
    count: u32,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    actor: Option<Actor>,
    actor_tenant_id: Option<TenantId>,
    /// The first one's. It may be personal data, and is kept as such where somebody's key seals it.
    address: Option<String>,
    due: Instant,
}

impl Refusals {
    /// What takes refusals, and what records them once in a `window`. A window of nothing records none.
    pub fn new(window: Duration) -> (Self, Recorder) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let refusals = Self((!window.is_zero()).then_some(queue));
        (refusals, Recorder { waiting, window, kinds: HashMap::new() })
    }

    /// Something was refused. When too much is refused at once, it is only counted, in
    /// `registrar_refusals_unrecorded_total`.
    pub fn record(&self, refused: Refused) {
        if let Some(queue) = &self.0
            && queue.try_send(refused).is_err()
        {
            metrics::refusal_unrecorded();
        }
    }
}

impl Recorder {
    /// Records until the stop, and then what is left.
    pub async fn run(mut self, executor: Executor, stop: CancellationToken) -> Result<(), Infallible> {
        let mut tick = tokio::time::interval(FIRST);
        let mut open = true;
        loop {
            tokio::select! {
                refused = self.waiting.recv(), if open => match refused {
                    Some(refused) => self.add(refused, Instant::now()),
                    None => open = false,
                },
                _ = tick.tick() => self.write(&executor, Instant::now()).await,
                () = stop.cancelled() => break,
            }
        }
        self.waiting.close();
        while let Ok(refused) = self.waiting.try_recv() {
            self.add(refused, Instant::now());
        }
        for tally in self.kinds.values_mut() {
            tally.due = Instant::now();
        }
        self.write(&executor, Instant::now()).await;
        Ok(())
    }

    fn add(&mut self, refused: Refused, now: Instant) {
        let Refused { tenant_id, command, problem, actor, actor_tenant_id, account_id, address, at } = refused;
        let account_id = actor.map(|actor| actor.account_id).or(account_id);
        let network = address.as_deref().map(network);
        let mut kind = Kind { tenant_id, command, problem, account_id, network };
        let mut fresh =
            Tally { count: 0, first_at: at, last_at: at, actor, actor_tenant_id, address, due: now + FIRST };
        // Too many to tell apart: at first it is no longer told from where, and then only what was refused, and how often.
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&kind) {
            kind.network = None;
            fresh.address = None;
        }
        if self.kinds.len() >= MAX_KINDS + MAX_KINDS / 2 && !self.kinds.contains_key(&kind) {
            kind.account_id = None;
            fresh.actor = None;
        }
        if self.kinds.len() >= 2 * MAX_KINDS && !self.kinds.contains_key(&kind) {
            metrics::refusal_unrecorded();
            return;
        }
        let tally = self.kinds.entry(kind).or_insert_with(|| fresh.clone());
        if tally.count == 0 {
            *tally = Tally { due: tally.due, ..fresh };
        }
        tally.count = tally.count.saturating_add(1);
        tally.last_at = at;
    }

    /// What is due is taken out to be written; what has not come again for a window is forgotten.
    fn take_due(&mut self, now: Instant) -> Vec<(Kind, Tally)> {
        let mut due = Vec::new();
        self.kinds.retain(|_, tally| tally.count > 0 || now < tally.due);
        for (kind, tally) in self.kinds.iter_mut().filter(|(_, tally)| tally.count > 0 && tally.due <= now) {
            let next = Tally { count: 0, due: now + self.window, ..tally.clone() };
            due.push((kind.clone(), std::mem::replace(tally, next)));
        }
        due
    }

    async fn write(&mut self, executor: &Executor, now: Instant) {
        let due = self.take_due(now);
        let writing = due.into_iter().map(|(kind, tally)| record(executor, kind, tally));
        for outcome in futures::future::join_all(writing).await {
            if let Err(problem) = outcome {
                tracing::error!(problem = problem.slug(), "a refusal could not be recorded");
                metrics::refusal_unrecorded();
            }
        }
    }
}

async fn record(executor: &Executor, kind: Kind, tally: Tally) -> Result<(), ops::problem::Problem> {
    let Kind { tenant_id, command, problem, account_id, network } = kind;
    let id = RefusalId::new(Uuid::now_v7());
    let origin = network.as_deref().map(|network| origin(executor, network));
    let address = tally.address;
    let recorded = &RefusalEvent::Recorded {
        command: command.to_owned(),
        problem: problem.to_owned(),
        account_id,
        address: account_id.zip(address).map(|(account_id, address)| Personal::new(account_id, address)),
        origin,
        count: tally.count,
        first_at: tally.first_at,
        last_at: tally.last_at,
    };
    let mut context = Context::of_the_system(tenant_id, tally.last_at, Uuid::now_v7());
    (context.actor, context.actor_tenant_id) = (tally.actor, tally.actor_tenant_id);
    let context = &context;
    executor
        .execute(context, "refusal.record", |work| {
            Box::pin(async move {
                work.append::<Refusal>(id, vec![recorded.clone()]);
                Ok(Reply::ok(id))
            })
        })
        .await
        .map(drop)
}

/// Of an address, what its caller has many of.
fn network(address: &str) -> String {
    address.parse().map_or_else(|_| address.to_owned(), |address| network_of(address).to_string())
}

/// The first 64 bits of a keyed digest, in hexadecimal: enough to see that two are the same.
fn origin(executor: &Executor, network: &str) -> String {
    let digest = executor.log().keyring().claim_digest("origin", network);
    hex(&digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::tenant::DEFAULT_TENANT;

    const WINDOW: Duration = Duration::from_mins(1);

    fn recorder() -> Recorder {
        Refusals::new(WINDOW).1
    }

    fn refused(address: &str) -> Refused {
        Refused {
            tenant_id: DEFAULT_TENANT,
            command: "auth_session.log_in",
            problem: "wrong-credentials",
            actor: None,
            actor_tenant_id: None,
            account_id: None,
            address: Some(address.to_owned()),
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn counts(due: Vec<(Kind, Tally)>) -> Vec<u32> {
        due.into_iter().map(|(_, tally)| tally.count).collect()
    }

    #[test]
    fn the_first_is_told_soon_and_the_rest_once_in_a_window() {
        let (mut recorder, start) = (recorder(), Instant::now());
        recorder.add(refused("192.0.2.1"), start);
        assert!(recorder.take_due(start).is_empty(), "it waits for more");
        assert_eq!(counts(recorder.take_due(start + FIRST)), [1]);
        for _ in 0..500 {
            recorder.add(refused("192.0.2.1"), start + FIRST);
        }
        assert!(recorder.take_due(start + WINDOW).is_empty());
        assert_eq!(counts(recorder.take_due(start + FIRST + WINDOW)), [500]);
        recorder.take_due(start + FIRST + 2 * WINDOW);
        assert!(recorder.kinds.is_empty(), "what does not come again is forgotten");
    }

    #[test]
    fn whoever_has_a_network_of_addresses_is_one_caller() {
        let (mut recorder, start) = (recorder(), Instant::now());
        for host in 0..300 {
            recorder.add(refused(&format!("2001:db8:1:2::{host:x}")), start);
        }
        recorder.add(refused("2001:db8:1:3::1"), start);
        let mut counts = counts(recorder.take_due(start + FIRST));
        counts.sort_unstable();
        assert_eq!(counts, [1, 300]);
    }

    #[test]
    fn an_attack_from_everywhere_stays_bounded_and_every_try_is_counted() {
        let (mut recorder, start) = (recorder(), Instant::now());
        for number in 0..5_000 {
            recorder.add(refused(&format!("10.0.{}.{}", number / 256, number % 256)), start);
        }
        let counts = counts(recorder.take_due(start + FIRST));
        assert_eq!(counts.len(), MAX_KINDS + 1);
        assert_eq!(counts.iter().sum::<u32>(), 5_000);
    }
}
