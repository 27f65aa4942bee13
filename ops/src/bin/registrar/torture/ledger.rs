//! What became of every command, as its client was told: the model that the log is held against.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// Breaches that are told in full; the rest are counted.
const MOST_TOLD: usize = 40;

/// One command whose fate is known.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it wanted, for people.
    pub kind: &'static str,
    /// The id that all its tries carried and that its events carry.
    pub correlation_id: Uuid,
    /// What its client was told at last.
    pub fate: Fate,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was carried out.
    Acknowledged(Acknowledged),
    /// It was refused: nothing of it may be in the log.
    Refused,
}

/// What was promised about a command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// How many events it has.
    pub events: usize,
    /// The position of the last of them; where it has none, one that was reached.
    pub position: i64,
    /// The stream that the answer names, where it names one.
    pub stream: Option<Uuid>,
    /// That stream's version.
    pub version: i64,
}

/// How tries that did not tell a command's fate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// No connection, or one that broke.
    Broken,
    /// No answer in time.
    Slow,
    /// 503, 408, 429, or 409 for a moment.
    Busy,
}

impl Doubt {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Slow => "timed out",
            Self::Busy => "told to try again",
        }
    }
}

/// Everything that the run has learnt, shared by all its tasks.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

/// The numbers of a ledger, for the report.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// Commands carried out, those answered by a replay included.
    pub acknowledged: usize,
    /// Of these, answered by a replay: the first try had been carried out unheard.
    pub replayed: usize,
    /// Commands refused.
    pub refused: usize,
    /// Tries that told nothing, by how they ended.
    pub doubts: BTreeMap<Doubt, usize>,
    /// Queries answered.
    pub queries: usize,
    /// Queries that were not.
    pub queries_unanswered: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    counts: Counts,
    breaches: Vec<String>,
    untold: usize,
    reached: i64,
}

impl Ledger {
    /// Writes down a command's fate.
    pub fn enter(&self, entry: Entry, is_replay: bool) {
        let mut inner = self.inner();
        match &entry.fate {
            Fate::Acknowledged(told) => {
                inner.counts.acknowledged += 1;
                inner.counts.replayed += usize::from(is_replay);
                inner.reached = inner.reached.max(told.position);
            }
            Fate::Refused => inner.counts.refused += 1,
        }
        inner.entries.push(entry);
    }

    /// A try ended without an answer that tells anything.
    pub fn doubt(&self, doubt: Doubt) {
        *self.inner().counts.doubts.entry(doubt).or_default() += 1;
    }

    /// A query was answered, or not.
    pub fn query(&self, is_answered: bool) {
        let mut inner = self.inner();
        if is_answered {
            inner.counts.queries += 1;
        } else {
            inner.counts.queries_unanswered += 1;
        }
    }

    /// A promise was broken.
    pub fn breach(&self, what: impl Into<String>) {
        let mut inner = self.inner();
        if inner.breaches.len() < MOST_TOLD {
            inner.breaches.push(what.into());
        } else {
            inner.untold += 1;
        }
    }

    /// The highest position that any client was told.
    pub fn reached(&self) -> i64 {
        self.inner().reached
    }

    /// All commands whose fate is known.
    pub fn entries(&self) -> Vec<Entry> {
        self.inner().entries.clone()
    }

    /// The numbers.
    pub fn counts(&self) -> Counts {
        self.inner().counts.clone()
    }

    /// The broken promises.
    pub fn breaches(&self) -> Vec<String> {
        let inner = self.inner();
        let mut breaches = inner.breaches.clone();
        if inner.untold > 0 {
            breaches.push(format!("and {} more", inner.untold));
        }
        breaches
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
