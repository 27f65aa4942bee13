//! The end of the log as this process wrote it, kept for the relay: what was just appended need not be read again to be
//! published. It is bounded, and a hint like every waking: what it lacks, the log has.

use events::Canonical;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Events that are kept; those before them are read from the log.
const CAPACITY: usize = 4_096;

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    is_wanted: bool,
    events: VecDeque<Arc<Canonical>>,
}

impl Tail {
    /// Whether events are kept: a process that does not publish keeps none.
    pub(crate) fn want(&self, is_wanted: bool) {
        let mut kept = self.kept();
        kept.is_wanted = is_wanted;
        kept.events = VecDeque::new();
    }

    /// Whether the relay of this process publishes.
    pub(crate) fn is_wanted(&self) -> bool {
        self.kept().is_wanted
    }

    /// Keeps what was appended, in the order of its positions. Behind a gap, which another process has filled, it
    /// begins anew.
    pub(crate) fn extend(&self, appended: impl IntoIterator<Item = Canonical>) {
        let mut kept = self.kept();
        if !kept.is_wanted {
            return;
        }
        for event in appended {
            if kept.events.back().is_some_and(|last| last.recorded.position + 1 != event.recorded.position) {
                kept.events.clear();
            }
            if kept.events.len() == CAPACITY {
                kept.events.pop_front();
            }
            kept.events.push_back(Arc::new(event));
        }
    }

    /// At most `max` events that follow the position; `None` where the one right behind it is not here. What lies before
    /// them is let go.
    pub(crate) fn take_after(&self, position: i64, max: usize) -> Option<Vec<Arc<Canonical>>> {
        let mut kept = self.kept();
        while kept.events.front().is_some_and(|first| first.recorded.position <= position) {
            kept.events.pop_front();
        }
        (kept.events.front()?.recorded.position == position + 1)
            .then(|| kept.events.iter().take(max).cloned().collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::{Event, Metadata, Place, StreamRef, category::CategoryEvent, tenant::DEFAULT_TENANT};
    use uuid::Uuid;

    fn at(position: i64) -> Canonical {
        let place = Place {
            event_id: Uuid::nil(),
            tenant_id: DEFAULT_TENANT,
            stream: StreamRef { stream_type: "category".into(), id: Uuid::nil() },
            version: 1,
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        };
        let event = Event::Category(CategoryEvent::Created { name: String::new(), description: None });
        let mut event = place.record(&event, &Metadata::default(), |_| Ok(())).unwrap();
        event.recorded.position = position;
        event
    }

    fn positions(tail: &Tail, after: i64) -> Option<Vec<i64>> {
        tail.take_after(after, 3).map(|events| events.iter().map(|event| event.recorded.position).collect())
    }

    #[test]
    fn what_follows_a_position_is_given_without_a_gap_or_not_at_all() {
        let tail = Tail::default();
        tail.want(true);
        tail.extend((1..=5).map(at));
        assert_eq!(positions(&tail, 0), Some(vec![1, 2, 3]));
        assert_eq!(positions(&tail, 3), Some(vec![4, 5]));
        assert_eq!(positions(&tail, 5), None);
        tail.extend((8..=9).map(at));
        assert_eq!(positions(&tail, 5), None);
        assert_eq!(positions(&tail, 7), Some(vec![8, 9]));
    }

    #[test]
    fn it_is_bounded_and_empty_where_nobody_publishes() {
        let tail = Tail::default();
        tail.extend([at(1)]);
        assert_eq!(positions(&tail, 0), None);
        tail.want(true);
        tail.extend((1..=i64::try_from(CAPACITY).unwrap() + 1).map(at));
        assert_eq!(positions(&tail, 0), None);
        assert_eq!(positions(&tail, 1), Some(vec![2, 3, 4]));
        tail.want(false);
        assert_eq!(positions(&tail, 1), None);
    }
}
