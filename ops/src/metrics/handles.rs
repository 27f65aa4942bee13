//! Metrics that are counted thousands of times a second. Finding one by its name and labels takes longer than counting, so
//! what was found is kept at hand.

use std::{
    hash::Hash,
    sync::{LazyLock, OnceLock},
};

use papaya::HashMap;

/// Set when there is something to keep: before, counting is to no effect, and what is found then is not kept.
static RECORDER: OnceLock<()> = OnceLock::new();

/// From now on what is found counts.
pub(super) fn recorder_is_there() {
    let _ = RECORDER.set(());
}

/// Metrics of one kind, by what their labels say. There are as many as were asked for, so labels need bounds, as they do
/// anyway. For a `static`.
pub struct Handles<K, M>(LazyLock<HashMap<K, M>>);

impl<K: Hash + Eq, M> Handles<K, M> {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self(LazyLock::new(HashMap::new))
    }

    /// Counts with the metrics of these labels; `find` finds them the first time.
    pub fn with<T>(&self, labels: K, find: impl FnOnce(&K) -> M, count: impl FnOnce(&M) -> T) -> T {
        if RECORDER.get().is_none() {
            return count(&find(&labels));
        }
        let all = self.0.pin();
        if let Some(metrics) = all.get(&labels) {
            return count(metrics);
        }
        let metrics = find(&labels);
        count(all.get_or_insert(labels, metrics))
    }
}

impl<K, M> std::fmt::Debug for Handles<K, M> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handles").finish_non_exhaustive()
    }
}
