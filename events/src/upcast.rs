//! Old stored JSON becomes today's event here, at the edge, so that `evolve` and every projection see one shape.
//!
//! Stored events are never rewritten. When an event's shape changes, its type name gets the next version, and the step
//! from the old name and data to the new ones is one more arm below; steps chain from version to version.

use serde_json::Value;
use std::borrow::Cow;

/// The types whose data [`to_current`] lifts.
const OUTDATED: [&str; 0] = [];

/// Whether data of this type are of an older shape.
pub(crate) fn is_outdated(event_type: &str) -> bool {
    OUTDATED.contains(&event_type)
}

/// The current type name and data of a stored event.
pub(crate) fn to_current<'a>(event_type: &'a str, data: Cow<'a, Value>) -> (Cow<'a, str>, Cow<'a, Value>) {
    // Every type is in its first version: there is nothing to lift yet.
    (Cow::Borrowed(event_type), data)
}
