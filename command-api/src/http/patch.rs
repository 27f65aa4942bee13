//! Members of a body that changes something: one that is absent leaves what it names as it is (RFC 7396).

use serde::{Deserialize, Deserializer};

/// Tells a member that is there from one that is absent, with `#[serde(default, deserialize_with = "present")]`. On an
/// `Option<T>` null is refused; on an `Option<Option<T>>` it is `Some(None)`, which takes the thing away.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(member: D) -> Result<Option<T>, D::Error> {
    T::deserialize(member).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::option_option, reason = "absent, null and a value are three things")]
    #[derive(Debug, PartialEq, Deserialize)]
    struct Changes {
        #[serde(default, deserialize_with = "present")]
        title: Option<String>,
        #[serde(default, deserialize_with = "present")]
        description: Option<Option<String>>,
    }

    #[test]
    fn absent_is_not_null() {
        let read = serde_json::from_str::<Changes>;
        assert_eq!(read("{}").unwrap(), Changes { title: None, description: None });
        assert_eq!(read(r#"{"description": null}"#).unwrap(), Changes { title: None, description: Some(None) });
        assert!(read(r#"{"title": null}"#).is_err());
    }
}
