//! From JSON text or query pairs to a validated value, or to every field that is wrong.
//!
//! serde stops at the first error. To name them all, a wrong member is recorded, mended with a stand-in of another type,
//! and the value is decoded again; what was decoded with stand-ins is never given out.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};
use serde_path_to_error::{Path, Segment};
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::problem::{FieldError, MALFORMED_JSON, Problem};

/// As many wrong fields as one answer names.
const MAX_ERRORS: usize = 32;
/// A larger body gets its first decoding error only: decoding it again and again would cost too much.
const MAX_MENDED_BYTES: usize = 64 * 1024;
/// Bounds the decodings of one body together with the number of stand-ins.
const MAX_MENDINGS: usize = 48;
const MAX_DETAIL_CHARS: usize = 240;

/// Parses and validates a JSON body: 400 `malformed-json`, or 422 with every field that is wrong. A repeated key and a
/// NUL character, which PostgreSQL cannot store, are wrong too.
pub fn decode_json<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Result<T, Problem> {
    let mut errors = Vec::new();
    let mut value =
        parse(bytes, &mut errors).map_err(|error| Problem::new(MALFORMED_JSON).detail(error.to_string()))?;
    // serde would take an array for the members in their order, and an empty one for none of them.
    if !value.is_object() {
        return Err(Problem::invalid_field("", "invalid", "must be an object"));
    }
    // Most bodies are right, and where they are wrong need not be followed then.
    let decoded = match T::deserialize(&value) {
        Ok(decoded) => Some(decoded),
        Err(_) if bytes.len() <= MAX_MENDED_BYTES => decode_mending::<T>(&mut value, &mut errors),
        Err(_) => attempt::<T>(&value).map_err(|error| errors.push(error)).ok(),
    };
    if let Some(found) = decoded.as_ref().and_then(|decoded| decoded.validate().err()) {
        let whole = errors.is_empty();
        let mut broken = Vec::new();
        collect(&found, "", whole, &mut broken);
        errors.extend(
            broken.into_iter().filter(|error| whole || !is_covered(&error.pointer, &errors)).collect::<Vec<_>>(),
        );
    }
    finish(decoded, errors)
}

/// Reads and validates query parameters, each at most once.
pub(crate) fn decode_query<T: DeserializeOwned + Validate>(pairs: Vec<(String, String)>) -> Result<T, Problem> {
    let mut errors = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
            errors.push(FieldError::new(query_pointer(name), "duplicate", "is given more than once"));
        }
        if name.contains('\0') || value.contains('\0') {
            errors.push(FieldError::new(query_pointer(name), "invalid", "must not contain a NUL character"));
        }
    }
    if !errors.is_empty() {
        return finish(None::<T>, errors);
    }
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let deserializer = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(encoded.as_bytes()));
    let decoded = match serde_path_to_error::deserialize::<_, T>(deserializer) {
        Ok(decoded) => decoded,
        Err(error) => {
            let error = field_error(error.path(), &error.inner().to_string());
            return finish(None, vec![FieldError { pointer: format!("/query{}", error.pointer), ..error }]);
        }
    };
    if let Err(found) = decoded.validate() {
        collect(&found, "/query", true, &mut errors);
    }
    finish(Some(decoded), errors)
}

fn query_pointer(name: &str) -> String {
    format!("/query/{}", escape(name))
}

fn finish<T>(decoded: Option<T>, mut errors: Vec<FieldError>) -> Result<T, Problem> {
    match decoded {
        Some(decoded) if errors.is_empty() => Ok(decoded),
        _ => {
            errors.sort_by(|a, b| (&a.pointer, &a.code).cmp(&(&b.pointer, &b.code)));
            errors.truncate(MAX_ERRORS);
            Err(Problem::invalid(errors))
        }
    }
}

fn decode_mending<T: DeserializeOwned>(value: &mut Value, errors: &mut Vec<FieldError>) -> Option<T> {
    for _ in 0..MAX_MENDINGS {
        let error = match attempt::<T>(value) {
            Ok(decoded) => return Some(decoded),
            Err(error) => error,
        };
        let mended = mend::<T>(value, &error);
        if !is_covered(&error.pointer, errors) {
            errors.push(error);
        }
        if !mended {
            break;
        }
    }
    None
}

fn attempt<T: DeserializeOwned>(value: &Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| field_error(error.path(), &error.inner().to_string()))
}

/// Takes an unknown member away, or puts a stand-in where one is missing or wrong; whether decoding then gets further.
fn mend<T: DeserializeOwned>(value: &mut Value, error: &FieldError) -> bool {
    let Some((parent, member)) = error.pointer.rsplit_once('/') else { return false };
    let member = member.replace("~1", "/").replace("~0", "~");
    if error.code == "unknown" {
        let object = value.pointer_mut(parent).and_then(Value::as_object_mut);
        return object.and_then(|object| object.remove(&member)).is_some();
    }
    let mut stand_ins = vec![
        Value::Null,
        json!("1970-01-01T00:00:00Z"),
        json!("00000000-0000-0000-0000-000000000000"),
        json!({}),
        json!([]),
        json!(false),
        json!(0),
        json!(""),
    ];
    while let Some(stand_in) = stand_ins.pop() {
        put(value, parent, &member, stand_in);
        match attempt::<T>(value) {
            Err(next) if next.pointer == error.pointer => stand_ins.extend(first_variant(&next.detail)),
            _ => return true,
        }
    }
    false
}

/// The first of the variants that serde names when it was given none of them.
fn first_variant(detail: &str) -> Option<Value> {
    let given_none = detail.strip_prefix("unknown variant ``")?;
    given_none.split('`').nth(1).map(Into::into)
}

fn put(value: &mut Value, parent: &str, member: &str, stand_in: Value) {
    match value.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.insert(member.to_owned(), stand_in);
        }
        Some(Value::Array(array)) => {
            if let Some(place) = member.parse().ok().and_then(|index: usize| array.get_mut(index)) {
                *place = stand_in;
            }
        }
        _ => {}
    }
}

/// Whether the place, or one that it stands in, is already known to be wrong.
fn is_covered(pointer: &str, errors: &[FieldError]) -> bool {
    errors.iter().any(|error| {
        pointer.strip_prefix(error.pointer.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn field_error(path: &Path, message: &str) -> FieldError {
    let pointer: String = path.iter().filter_map(segment).collect();
    let named = message.split('`').nth(1).unwrap_or_default();
    let detail: String = message.chars().take(MAX_DETAIL_CHARS).collect();
    if message.starts_with("missing field") {
        FieldError::new(format!("{pointer}/{}", escape(named)), "missing", "is required")
    } else if message.starts_with("unknown field") {
        FieldError::new(pointer, "unknown", detail)
    } else {
        FieldError::new(pointer, "invalid", detail)
    }
}

fn segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } | Segment::Enum { variant: key } => Some(format!("/{}", escape(key))),
        Segment::Unknown => None,
    }
}

/// A member's name in a pointer (RFC 6901, section 3).
fn escape(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1").into() } else { key.into() }
}

/// Flattens what `validator` found; rules over a whole object only where the whole object was readable.
fn collect(found: &ValidationErrors, parent: &str, whole: bool, errors: &mut Vec<FieldError>) {
    for (field, kind) in found.errors() {
        let over_object = field == "__all__";
        let pointer = if over_object { parent.to_owned() } else { format!("{parent}/{}", escape(field)) };
        match kind {
            ValidationErrorsKind::Field(found) if whole || !over_object => {
                errors.extend(found.iter().map(|error| FieldError::new(&pointer, &*error.code, describe(error))));
            }
            ValidationErrorsKind::Field(_) => {}
            ValidationErrorsKind::Struct(found) => collect(found, &pointer, whole, errors),
            ValidationErrorsKind::List(items) => {
                for (index, found) in items {
                    collect(found, &format!("{pointer}/{index}"), whole, errors);
                }
            }
        }
    }
}

fn describe(error: &ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let bound = |name: &str| error.params.get(name).map(ToString::to_string);
    let unit = if error.code == "length" { " characters or items" } else { "" };
    match (bound("equal"), bound("min"), bound("max")) {
        (Some(exact), ..) => format!("must be exactly {exact}{unit}"),
        (None, Some(least), Some(most)) => format!("must be between {least} and {most}{unit}"),
        (None, Some(least), None) => format!("must be at least {least}{unit}"),
        (None, None, Some(most)) => format!("must be at most {most}{unit}"),
        (None, None, None) => match &*error.code {
            "email" => "must be an e-mail address".to_owned(),
            "required" => "is required".to_owned(),
            _ => "is not valid".to_owned(),
        },
    }
}

/// Parses JSON and notes what serde's own value would hide: repeated keys, and NUL characters.
fn parse(bytes: &[u8], errors: &mut Vec<FieldError>) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { pointer: &mut String::new(), errors }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Strict<'a> {
    pointer: &'a mut String,
    errors: &'a mut Vec<FieldError>,
}

impl Strict<'_> {
    fn note(&mut self, code: &str, detail: &str) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError::new(self.pointer.as_str(), code, detail));
        }
    }

    fn check(&mut self, text: &str) {
        if text.contains('\0') {
            self.note("invalid", "must not contain a NUL character");
        }
    }

    fn below(&mut self) -> Strict<'_> {
        Strict { pointer: self.pointer, errors: self.errors }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<Value, E> {
        self.check(text);
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let (mut array, length) = (Vec::new(), self.pointer.len());
        loop {
            self.pointer.push('/');
            self.pointer.push_str(&array.len().to_string());
            let item = items.next_element_seed(self.below())?;
            self.pointer.truncate(length);
            match item {
                Some(item) => array.push(item),
                None => return Ok(array.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let (mut object, length) = (Map::new(), self.pointer.len());
        while let Some(key) = members.next_key::<String>()? {
            self.pointer.push('/');
            self.pointer.push_str(&escape(&key));
            self.check(&key);
            let value = members.next_value_seed(self.below())?;
            if object.insert(key, value).is_some() {
                self.note("duplicate", "is given more than once");
            }
            self.pointer.truncate(length);
        }
        Ok(object.into())
    }
}
