//! JSON as its text. Most of what is stored and sent on is never looked into: reading it would only be undone by writing
//! it again.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny, ser::Error as _};
use serde_json::{Map, Value};
use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, types::Oid},
};
use std::{collections::BTreeMap, fmt};

/// PostgreSQL's types `json` and `json[]` (catalogue `pg_type`), which keep the text as it was written.
const JSON: PgTypeInfo = PgTypeInfo::with_oid(Oid(114));
const JSON_ARRAY: PgTypeInfo = PgTypeInfo::with_oid(Oid(199));

/// One value of JSON, as text.
#[derive(Debug, Clone)]
pub struct Json(Box<str>);

/// The members of an object.
pub(crate) enum Members<'a> {
    /// Texts all of them, and written without escapes: they need not be copied.
    Texts(BTreeMap<&'a str, &'a str>),
    /// Whatever they are.
    Values(Map<String, Value>),
}

impl Json {
    /// Takes text that has to be one value of JSON.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<IgnoredAny>(&text)?;
        Ok(Self(text.into()))
    }

    /// Takes text that is known to be one value of JSON.
    pub(crate) fn of_text(text: String) -> Self {
        Self(text.into())
    }

    /// Writes a value. What `serde_json` holds in a [`Value`] comes with the members of objects in order.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }

    /// What the text says; null where it is nested deeper than `serde_json` reads.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The members of an object; of anything else, none.
    pub(crate) fn members(&self) -> Members<'_> {
        let texts = serde_json::from_str(&self.0).map(Members::Texts);
        texts.unwrap_or_else(|_| Members::Values(serde_json::from_str(&self.0).unwrap_or_default()))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Two texts are equal when they say the same, however they are spelt.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.value() == other.value()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<Value>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Type<Postgres> for Json {
    fn type_info() -> PgTypeInfo {
        JSON
    }
}

impl PgHasArrayType for Json {
    fn array_type_info() -> PgTypeInfo {
        JSON_ARRAY
    }
}

impl Encode<'_, Postgres> for Json {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Json {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        // The same in both of the protocol's formats.
        Ok(Self(value.as_str()?.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_json_is_taken_in() {
        assert_eq!(Json::parse("{\"a\": [1, null]}".to_owned()).unwrap().value(), json!({"a": [1, null]}));
        for bad in ["", "{", "{} {}", "nul"] {
            assert!(Json::parse(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_says_the_same_is_equal_however_it_is_spelt() {
        let parse = |text: &str| Json::parse(text.to_owned()).unwrap();
        assert_eq!(parse(r#"{"a": 1, "b": "\u0041"}"#), parse(r#"{"b":"A","a":1}"#));
        assert_ne!(parse("[1,2]"), parse("[2,1]"));
    }
}
