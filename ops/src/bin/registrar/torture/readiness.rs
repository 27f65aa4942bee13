//! Whether readiness tells the truth: every process is asked again and again, and each answer is held against what it
//! must be just then.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    fault::Fault,
    ledger::Ledger,
    stage::{Process, ROLES, Stage},
};

const INTERVAL: Duration = Duration::from_millis(200);
/// How soon a process must have noticed that what it needs is gone.
const NOTICED: Duration = Duration::from_millis(3_500);
/// How long a process may say that it is not ready while nothing ails it: a busy machine makes one probe late.
const LAPSE: Duration = Duration::from_secs(3);

/// What a process must say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// That it is ready.
    Ready,
    /// That it is not.
    Unready,
    /// Either, or nothing.
    Anything,
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    must: Must,
    since: Instant,
}

/// What each process must say just now, shared by those who ask and those who bring faults about.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Rule>>>);

/// What was seen, for the report.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    /// Answers that were held against what they must be.
    pub answers: usize,
    /// Of these, rightly not ready.
    pub unready: usize,
}

impl Readiness {
    /// Everything is ready.
    pub fn new() -> Self {
        let now = Instant::now();
        let rules = ROLES.into_iter().map(|role| (role.name, Rule { must: Must::Ready, since: now }));
        Self(Arc::new(Mutex::new(rules.collect())))
    }

    /// These faults are about to begin, one after the other; filling a disk takes its time.
    pub fn prepare(&self, faults: &[Fault]) {
        self.set(|process| {
            let role = ROLES.into_iter().find(|role| role.name == process);
            let touches = |role| faults.iter().any(|fault| fault.confuses(role) || fault.makes_unready(role));
            if role.is_some_and(touches) { Must::Anything } else { Must::Ready }
        });
    }

    /// These faults have begun.
    pub fn begin(&self, faults: &[Fault]) {
        self.set(|process| {
            let role = ROLES.into_iter().find(|role| role.name == process);
            match role {
                Some(role) if faults.iter().any(|fault| fault.confuses(role)) => Must::Anything,
                Some(role) if faults.iter().any(|fault| fault.makes_unready(role)) => Must::Unready,
                _ => Must::Ready,
            }
        });
    }

    /// They have ended: whoever they touched may take its time, which others measure.
    pub fn end(&self) {
        let touched: BTreeMap<_, _> = self.rules().iter().map(|(name, rule)| (*name, rule.must)).collect();
        self.set(|process| match touched.get(process) {
            Some(Must::Ready) => Must::Ready,
            _ => Must::Anything,
        });
    }

    /// All have recovered.
    pub fn recovered(&self) {
        self.set(|_| Must::Ready);
    }

    fn set(&self, must: impl Fn(&str) -> Must) {
        let now = Instant::now();
        for (process, rule) in self.rules().iter_mut() {
            let must = must(process);
            if rule.must != must {
                *rule = Rule { must, since: now };
            }
        }
    }

    fn of(&self, process: &str) -> Rule {
        let unknown = Rule { must: Must::Anything, since: Instant::now() };
        self.rules().get(process).copied().unwrap_or(unknown)
    }

    fn rules(&self) -> MutexGuard<'_, BTreeMap<&'static str, Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks one process until this is dropped, and counts what it sees.
    pub async fn watch(&self, stage: &Stage<'_>, process: &Process, ledger: &Ledger, seen: &Mutex<Seen>) {
        let mut unready_since: Option<Instant> = None;
        let mut is_told = false;
        loop {
            let rule = self.of(process.role.name);
            let asked = Instant::now();
            let answer = stage.is_ready(process).await;
            // What was asked under one rule and answered under another says nothing.
            let is_settled = self.of(process.role.name).since == rule.since;
            match (rule.must, answer) {
                _ if !is_settled => unready_since = None,
                (Must::Anything, _) => unready_since = None,
                (Must::Ready, Some(true)) => {
                    (unready_since, is_told) = (None, false);
                    count(seen, false);
                }
                (Must::Ready, answer) => {
                    let since = *unready_since.get_or_insert(asked);
                    if since.elapsed() > LAPSE && !is_told {
                        is_told = true;
                        let said = if answer.is_some() { "said that it was not ready" } else { "did not answer" };
                        ledger.breach(format!("{} {said} for {LAPSE:?} while nothing ailed it", process.role.name));
                    }
                }
                (Must::Unready, Some(true)) if asked > rule.since + NOTICED => {
                    let needs = process.role.needs;
                    ledger.breach(format!(
                        "{} said that it was ready {:.1} s after {needs} was gone",
                        process.role.name,
                        (asked - rule.since).as_secs_f64()
                    ));
                }
                (Must::Unready, Some(false)) => count(seen, true),
                (Must::Unready, _) => {}
            }
            sleep(INTERVAL).await;
        }
    }
}

fn count(seen: &Mutex<Seen>, unready: bool) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.answers += 1;
    seen.unready += usize::from(unready);
}
