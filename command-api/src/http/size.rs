//! How large the parts of a body may be together.

use ops::validate::refusal;
use serde::Serialize;
use validator::ValidationError;

/// An event is one message on the bus, and NATS takes none above 1 MiB unless told otherwise: this leaves room for what
/// surrounds the parts.
const MAX_BYTES: usize = 768 * 1024;

/// Refuses parts that would not fit into one event.
pub(super) fn fits_an_event<T: Serialize>(parts: &[T]) -> Result<(), ValidationError> {
    if serde_json::to_vec(parts).is_ok_and(|json| json.len() <= MAX_BYTES) {
        return Ok(());
    }
    Err(refusal("size", "must be at most 786432 bytes of JSON together"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_measured_as_they_are_written() {
        // Quotation marks and brackets count.
        assert!(fits_an_event(&["x".repeat(MAX_BYTES - 4)]).is_ok());
        assert_eq!(fits_an_event(&["x".repeat(MAX_BYTES - 3)]).unwrap_err().code, "size");
        // A quotation mark within is written as two characters.
        assert!(fits_an_event(&["\"".repeat(MAX_BYTES / 2)]).is_err());
    }
}
