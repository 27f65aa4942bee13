//! What every aggregate is: a stream type, its events, and a state that folds them.

use crate::event::Event;
use serde::Serialize;
use uuid::Uuid;

/// A consistency boundary: one stream of events, folded into one state.
///
/// `evolve` is total: what is in the log has happened, so no state may refuse it.
pub trait Aggregate: Default + Clone + Send + Sync + 'static {
    /// The stream type as it is stored, and as it stands in subjects and type names.
    const STREAM_TYPE: &'static str;
    /// The stream's id.
    type Id: Copy + Into<Uuid>;
    /// What can happen to it.
    type Event: Serialize + Into<Event> + Send;

    /// Folds one event into the state.
    fn evolve(&mut self, event: &Self::Event);

    /// The aggregate's own event, where `event` is one.
    fn own(event: Event) -> Option<Self::Event>;
}
