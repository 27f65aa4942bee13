//! What a rebuild found and did, for people and, as JSON, for scripts.

use super::seconds;
use serde::Serialize;
use std::time::Duration;

/// One rebuild, or verification, of some projections.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Positions of the log that were replayed.
    pub events: i64,
    /// How long that took.
    pub replay_seconds: f64,
    /// How long it took to make keys and indexes.
    pub index_seconds: f64,
    /// Positions by the time of replay and indexing.
    pub events_per_second: f64,
    /// Whether every comparison that was made found the same.
    pub equal: bool,
    /// Each projection.
    pub projections: Vec<Outcome>,
}

impl Report {
    pub(super) fn new(projections: Vec<Outcome>, events: i64, replayed: Duration, indexed: Duration) -> Self {
        let equal = projections.iter().all(|outcome| outcome.comparison.as_ref().is_none_or(|found| found.equal));
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = events as f64 / (replayed + indexed).as_secs_f64();
        Self {
            events,
            replay_seconds: seconds(replayed),
            index_seconds: seconds(indexed),
            events_per_second: rate.round(),
            equal,
            projections,
        }
    }
}

/// What became of one projection.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Its name.
    pub projection: &'static str,
    /// The position that the rebuilt tables reflect.
    pub position: i64,
    /// How it compares; absent where the live view was behind the rebuilt one, so that there was nothing to compare.
    pub comparison: Option<Comparison>,
    /// How long comparing took.
    pub compare_seconds: f64,
    /// How long it took to swap the rebuilt tables in, where they were.
    pub swap_seconds: Option<f64>,
}

impl Outcome {
    pub(super) fn new(
        projection: &'static str,
        position: i64,
        comparison: Option<Comparison>,
        compared: Duration,
        swapped: Option<Duration>,
    ) -> Self {
        let (compare_seconds, swap_seconds) = (seconds(compared), swapped.map(seconds));
        Self { projection, position, comparison, compare_seconds, swap_seconds }
    }
}

/// Live and rebuilt at the same position.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Whether all of it is the same.
    pub equal: bool,
    /// Streams that stand aside in the live view, and in the rebuilt one.
    pub parked_streams: [i64; 2],
    /// Each table.
    pub tables: Vec<TableComparison>,
}

impl Comparison {
    pub(super) fn new(tables: Vec<TableComparison>, parked_live: i64, parked_rebuilt: i64) -> Self {
        let equal = parked_live == parked_rebuilt && tables.iter().all(|table| table.equal);
        Self { equal, parked_streams: [parked_live, parked_rebuilt], tables }
    }
}

/// One table.
#[derive(Debug, Clone, Serialize)]
pub struct TableComparison {
    /// Its name.
    pub table: &'static str,
    /// Whether both hold the same rows.
    pub equal: bool,
    /// The live one.
    pub live: TableState,
    /// The rebuilt one.
    pub rebuilt: TableState,
}

impl TableComparison {
    pub(super) fn new(table: &'static str, live: TableState, rebuilt: TableState) -> Self {
        Self { table, equal: live == rebuilt, live, rebuilt }
    }
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableState {
    /// How many rows.
    pub rows: i64,
    /// The sum of the rows' hashes, as a decimal number.
    pub checksum: String,
}
