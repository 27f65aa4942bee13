//! Personal data in events, sealed with its subject's own key.
//!
//! In the log, `Personal<T>` is `{"subject": "<uuid>", "sealed": "<base64url>"}`: XChaCha20-Poly1305
//! (draft-irtf-cfrg-xchacha) over the value's JSON, a random 24-byte nonce in front, the subject's id as associated
//! data, base64url without padding. Destroying the subject's key erases the person; the event still replays, its hash
//! still proves, and the value reads as [`Personal::Unreadable`].
//!
//! An event made in memory holds its values in the clear. [`seal`] and [`open`] walk an event's JSON, so that no event
//! has to list its personal fields, and a new field cannot be forgotten.

use crate::{Json, ids::AccountId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeSet};

const NONCE_BYTES: usize = 24;

/// A value that belongs to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Personal<T> {
    /// The value, and whose it is.
    Known {
        /// Whose it is.
        subject: AccountId,
        /// The value.
        value: T,
    },
    /// The subject's key is not to be had: the person was erased, or this reader has no keys.
    Unreadable {
        /// Whose it is.
        subject: AccountId,
    },
}

impl<T> Personal<T> {
    /// A value of `subject`'s.
    pub const fn new(subject: AccountId, value: T) -> Self {
        Self::Known { subject, value }
    }

    /// Whose it is.
    pub const fn subject(&self) -> AccountId {
        match self {
            Self::Known { subject, .. } | Self::Unreadable { subject } => *subject,
        }
    }

    /// The value, unless it was erased.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unreadable { .. } => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct InTheClear<T> {
    subject: AccountId,
    clear: T,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored<T> {
    Clear(InTheClear<T>),
    Sealed { subject: AccountId },
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known { subject, value } => InTheClear { subject: *subject, clear: value }.serialize(serializer),
            Self::Unreadable { .. } => Err(serde::ser::Error::custom("what cannot be read cannot be written again")),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Personal<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Clear(InTheClear { subject, clear }) => Self::Known { subject, value: clear },
            Stored::Sealed { subject } => Self::Unreadable { subject },
        })
    }
}

/// The schema is that of the stored, sealed form.
impl<T> JsonSchema for Personal<T> {
    fn schema_name() -> Cow<'static, str> {
        "Personal".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Personal data: JSON sealed with XChaCha20-Poly1305 under its subject's key, nonce in front, base64url.",
            "type": "object",
            "properties": {
                "subject": {"type": "string", "format": "uuid"},
                "sealed": {"type": "string", "pattern": "^[A-Za-z0-9_-]{54,}$"},
            },
            "required": ["subject", "sealed"],
            "additionalProperties": false,
        })
    }
}

/// The key that seals one person's data: 256 bits.
#[derive(Clone)]
pub struct DataKey(XChaCha20Poly1305);

impl DataKey {
    /// Takes the key's bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals `plain` for `subject`: nonce ‖ ciphertext ‖ tag. Each call needs a fresh random `nonce`.
    pub fn seal(&self, subject: AccountId, nonce: [u8; NONCE_BYTES], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let subject_id = subject.as_uuid();
        let payload = Payload { msg: plain, aad: subject_id.as_bytes() };
        let ciphertext = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Failed(subject))?;
        Ok([nonce.as_slice(), &ciphertext].concat())
    }

    /// Opens what [`Self::seal`] made.
    pub fn open(&self, subject: AccountId, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Failed(subject))?;
        let subject_id = subject.as_uuid();
        let payload = Payload { msg: ciphertext, aad: subject_id.as_bytes() };
        self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Failed(subject))
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Why personal data could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// There is no key for the subject.
    #[error("there is no key for the personal data of {0}")]
    NoKey(AccountId),
    /// The key does not fit, or the data were changed.
    #[error("the personal data of {0} cannot be sealed or opened with that key")]
    Failed(AccountId),
    /// The sealed text is damaged.
    #[error("sealed personal data are not base64url of JSON")]
    Damaged,
}

/// Whether a text of JSON could hold personal data. One that does not say so holds none.
pub(crate) fn may_be_in(json: &str) -> bool {
    json.contains(r#""subject""#)
}

/// Whose personal data, sealed or in the clear, the JSON holds.
pub fn subjects(json: &Json) -> BTreeSet<AccountId> {
    let mut found = BTreeSet::new();
    if !may_be_in(json.get()) {
        return found;
    }
    visit(&json.value(), &mut |object| {
        found.extend(subject_of(object));
    });
    found
}

/// Seals every value in the clear. `key` finds a subject's key, `nonce` draws a random nonce.
pub fn seal(
    json: &mut Value,
    key: &impl Fn(AccountId) -> Option<DataKey>,
    nonce: &mut impl FnMut() -> [u8; NONCE_BYTES],
) -> Result<(), SealError> {
    visit_mut(json, &mut |object| {
        let (Some(subject), Some(clear)) = (subject_of(object), object.get("clear")) else {
            return Ok(());
        };
        let key = key(subject).ok_or(SealError::NoKey(subject))?;
        let sealed = key.seal(subject, nonce(), clear.to_string().as_bytes())?;
        object.remove("clear");
        object.insert("sealed".to_owned(), URL_SAFE_NO_PAD.encode(sealed).into());
        Ok(())
    })
}

/// Opens every sealed value whose subject has a key; the others stay sealed, and read as unreadable.
pub fn open(json: &mut Value, key: &impl Fn(AccountId) -> Option<DataKey>) -> Result<(), SealError> {
    visit_mut(json, &mut |object| {
        let (Some(subject), Some(sealed)) = (subject_of(object), object.get("sealed").and_then(Value::as_str)) else {
            return Ok(());
        };
        let Some(key) = key(subject) else { return Ok(()) };
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealError::Damaged)?;
        let clear = serde_json::from_slice(&key.open(subject, &sealed)?).map_err(|_| SealError::Damaged)?;
        object.remove("sealed");
        object.insert("clear".to_owned(), clear);
        Ok(())
    })
}

/// An object is personal data when it has exactly a subject, and a value that is either sealed or in the clear.
fn subject_of(object: &Map<String, Value>) -> Option<AccountId> {
    if object.len() != 2 || !(object.contains_key("clear") || object.contains_key("sealed")) {
        return None;
    }
    AccountId::deserialize(object.get("subject")?).ok()
}

fn visit(json: &Value, each: &mut impl FnMut(&Map<String, Value>)) {
    match json {
        Value::Object(object) => {
            each(object);
            object.values().for_each(|value| visit(value, each));
        }
        Value::Array(values) => values.iter().for_each(|value| visit(value, each)),
        _ => {}
    }
}

fn visit_mut<E>(json: &mut Value, each: &mut impl FnMut(&mut Map<String, Value>) -> Result<(), E>) -> Result<(), E> {
    match json {
        Value::Object(object) => {
            each(object)?;
            object.values_mut().try_for_each(|value| visit_mut(value, each))
        }
        Value::Array(values) => values.iter_mut().try_for_each(|value| visit_mut(value, each)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    const ADA: AccountId = AccountId::new(Uuid::from_u128(7));

    fn ada_only(subject: AccountId) -> Option<DataKey> {
        (subject == ADA).then(|| DataKey::new(&[1; 32]))
    }

    #[test]
    fn what_was_sealed_opens_to_the_same_value() {
        let original = json!({"deep": [{"email": Personal::new(ADA, "ada@example.org".to_owned())}]});
        let mut json = original.clone();
        seal(&mut json, &ada_only, &mut || [9; 24]).unwrap();
        assert!(!json.to_string().contains("ada@example.org"));
        assert_eq!(subjects(&Json::of(&json).unwrap()), BTreeSet::from([ADA]));
        open(&mut json, &ada_only).unwrap();
        assert_eq!(json, original);
    }

    #[test]
    fn nothing_is_stored_in_the_clear_for_want_of_a_key() {
        let mut json = json!(Personal::new(AccountId::new(Uuid::from_u128(8)), "bob"));
        assert!(matches!(seal(&mut json, &ada_only, &mut || [9; 24]), Err(SealError::NoKey(_))));
    }

    #[test]
    fn without_its_key_a_value_is_unreadable_and_nothing_fails() {
        let mut json = json!(Personal::new(ADA, "ada"));
        seal(&mut json, &ada_only, &mut || [9; 24]).unwrap();
        open(&mut json, &|_| None).unwrap();
        let read: Personal<String> = serde_json::from_value(json).unwrap();
        assert_eq!(read, Personal::Unreadable { subject: ADA });
    }

    #[test]
    fn one_persons_data_do_not_open_as_anothers() {
        let mut json = json!(Personal::new(ADA, "ada"));
        seal(&mut json, &ada_only, &mut || [9; 24]).unwrap();
        json["subject"] = json!(Uuid::from_u128(8));
        let opened = open(&mut json, &|_| Some(DataKey::new(&[1; 32])));
        assert!(matches!(opened, Err(SealError::Failed(_))));
    }
}
