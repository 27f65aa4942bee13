//! What projections are fed: log entries, decoded once for all of them, in batches.

use chrono::{DateTime, Utc};
use events::{Decoded, Event, Recorded, ids::AccountId, personal};
use std::{borrow::Cow, collections::BTreeSet};
use uuid::Uuid;

/// One event on its way to the projections.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are readable, and each view follows one pointer the less")]
pub enum Entry {
    /// Its content is open.
    Readable(Decoded),
    /// Its content is not of the shape that its type promises, or its type is not known to this version.
    Unreadable {
        /// As it is stored.
        recorded: Box<Recorded>,
        /// Why it cannot be read.
        reason: String,
    },
}

impl Entry {
    /// The event as it is stored.
    pub fn recorded(&self) -> &Recorded {
        match self {
            Self::Readable(decoded) => &decoded.recorded,
            Self::Unreadable { recorded, .. } => recorded,
        }
    }

    /// Whose personal data it holds.
    pub fn subjects(&self) -> Cow<'_, BTreeSet<AccountId>> {
        match self {
            Self::Readable(decoded) => Cow::Borrowed(&decoded.subjects),
            Self::Unreadable { recorded, .. } => Cow::Owned(personal::subjects(&recorded.data)),
        }
    }

    /// Its place in the log.
    pub fn position(&self) -> i64 {
        self.recorded().position
    }
}

/// Tenant and id: what a row of a view is found by.
pub type Key = (Uuid, Uuid);

/// Entries in log order, to be applied together.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    entries: &'a [&'a Entry],
    is_bulk: bool,
}

/// One event as a projection looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Fact<'a> {
    /// Whose it is.
    pub tenant_id: Uuid,
    /// The stream's id.
    pub id: Uuid,
    /// Its place in the stream.
    pub version: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: &'a Event,
}

impl<'a> Fact<'a> {
    fn of(decoded: &'a Decoded) -> Self {
        let Decoded { recorded, event, metadata, .. } = decoded;
        Self {
            tenant_id: recorded.tenant_id.as_uuid(),
            id: recorded.stream.id,
            version: recorded.version,
            at: metadata.occurred_at.unwrap_or(recorded.recorded_at),
            event,
        }
    }

    /// What the stream's row is found by.
    pub const fn key(&self) -> Key {
        (self.tenant_id, self.id)
    }
}

impl<'a> Batch<'a> {
    /// A batch of entries that are in log order.
    pub const fn new(entries: &'a [&'a Entry]) -> Self {
        Self { entries, is_bulk: false }
    }

    /// A batch of a replay into tables that nobody reads yet.
    pub const fn in_bulk(entries: &'a [&'a Entry]) -> Self {
        Self { entries, is_bulk: true }
    }

    /// Whether its rows may be copied in, which tables with row-level security do not take.
    pub const fn is_bulk(self) -> bool {
        self.is_bulk
    }

    /// The entries as they stand in the log, readable or not.
    pub fn entries(self) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().copied()
    }

    /// What happened, in order.
    pub fn facts(self) -> impl Iterator<Item = Fact<'a>> {
        self.entries().filter_map(|entry| match entry {
            Entry::Readable(decoded) => Some(Fact::of(decoded)),
            Entry::Unreadable { .. } => None,
        })
    }

    /// The keys of the streams of this type that the batch touches: what has to be loaded before it is folded.
    pub fn streams(self, stream_type: &str) -> Keys {
        let touched = self.entries().map(Entry::recorded).filter(|recorded| recorded.stream.stream_type == stream_type);
        let keys: BTreeSet<Key> = touched.map(|recorded| (recorded.tenant_id.as_uuid(), recorded.stream.id)).collect();
        keys.into_iter().collect()
    }
}

/// Keys as two arrays of equal length, to be joined with by `unnest`.
#[derive(Debug, Default)]
pub struct Keys {
    /// The tenants.
    pub tenants: Vec<Uuid>,
    /// The ids.
    pub ids: Vec<Uuid>,
}

impl Keys {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl FromIterator<Key> for Keys {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let (tenants, ids) = keys.into_iter().unzip();
        Self { tenants, ids }
    }
}
