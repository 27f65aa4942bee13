//! The canonical form of JSON (RFC 8785): one text for what says the same, so that a hash can be taken of it.

use serde::ser::Error as _;
use serde_json::{Error, Value};
use std::ops::Range;

/// Writes the canonical form of a value. Members are sorted by their names already; for names in ASCII that is the
/// order of RFC 8785, and `serde_json` writes texts and integers as it does. Whatever is less plain is left to the
/// library.
pub(crate) fn write(json: &Value, canonical: &mut Vec<u8>) -> Result<(), Error> {
    match json {
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(canonical, json),
        Value::Number(number) if number.as_i64().is_some_and(|number| number.unsigned_abs() < 1 << 53) => {
            serde_json::to_writer(canonical, json)
        }
        Value::Object(members) if members.keys().all(|name| name.is_ascii()) => {
            canonical.push(b'{');
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 {
                    canonical.push(b',');
                }
                serde_json::to_writer(&mut *canonical, name)?;
                canonical.push(b':');
                write(value, canonical)?;
            }
            canonical.push(b'}');
            Ok(())
        }
        Value::Array(items) => {
            canonical.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    canonical.push(b',');
                }
                write(item, canonical)?;
            }
            canonical.push(b']');
            Ok(())
        }
        Value::Number(_) | Value::Object(_) => {
            canonical.append(&mut serde_json_canonicalizer::to_vec(json)?);
            Ok(())
        }
    }
}

/// The canonical text of a value.
pub(crate) fn of_value(json: &Value) -> Result<String, Error> {
    let mut canonical = Vec::with_capacity(256);
    write(json, &mut canonical)?;
    String::from_utf8(canonical).map_err(Error::custom)
}

/// The canonical text of what `serde_json` wrote, which has no spaces. Where it is plain, it is put in order as it stands;
/// else it is read first.
pub(crate) fn of_written(text: &str) -> Result<String, Error> {
    let mut sorter =
        Sorter { text: text.as_bytes(), at: 0, sorted: Vec::with_capacity(text.len()), members: Vec::new() };
    if sorter.value().is_some() && sorter.at == text.len() {
        return String::from_utf8(sorter.sorted).map_err(Error::custom);
    }
    of_value(&serde_json::from_str(text)?)
}

/// Puts the members of objects in order. Every step answers `None` where the text is not plain: names in ASCII without
/// escapes, and integers of at most fifteen digits.
struct Sorter<'a> {
    text: &'a [u8],
    at: usize,
    sorted: Vec<u8>,
    /// Of the objects that are being read, the outermost first.
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    name: &'a [u8],
    /// Where it stands in what is sorted.
    place: Range<usize>,
}

impl<'a> Sorter<'a> {
    fn value(&mut self) -> Option<()> {
        match self.text.get(self.at)? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.integer(),
            _ => ["null", "true", "false"].iter().find_map(|word| self.word(word.as_bytes())),
        }
    }

    fn object(&mut self) -> Option<()> {
        self.token(b'{')?;
        let (outer, from) = (self.members.len(), self.sorted.len());
        let mut in_order = true;
        if self.text.get(self.at) != Some(&b'}') {
            loop {
                let start = self.sorted.len();
                let name = self.string().filter(|name| name.iter().all(|byte| byte.is_ascii() && *byte != b'\\'))?;
                self.token(b':')?;
                self.value()?;
                in_order &= self.members[outer..].last().is_none_or(|last| last.name < name);
                self.members.push(Member { name, place: start..self.sorted.len() });
                if self.token(b',').is_none() {
                    break;
                }
            }
        }
        if !in_order {
            self.sort(outer, from);
        }
        self.members.truncate(outer);
        self.token(b'}')
    }

    /// Sorts the members of an object that was read, which stand from there on.
    fn sort(&mut self, outer: usize, from: usize) {
        let unsorted = self.sorted.split_off(from);
        let members = &mut self.members[outer..];
        members.sort_unstable_by_key(|member| member.name);
        for (place, member) in members.iter().enumerate() {
            if place > 0 {
                self.sorted.push(b',');
            }
            self.sorted.extend_from_slice(&unsorted[member.place.start - from..member.place.end - from]);
        }
    }

    fn array(&mut self) -> Option<()> {
        self.token(b'[')?;
        if self.text.get(self.at) != Some(&b']') {
            loop {
                self.value()?;
                if self.token(b',').is_none() {
                    break;
                }
            }
        }
        self.token(b']')
    }

    /// A text, and what stands between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let text = self.text.get(self.at..).filter(|text| text.first() == Some(&b'"'))?;
        let mut end = 1;
        loop {
            match text.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.copy(&text[..=end]);
        Some(&text[1..end])
    }

    fn integer(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = rest.get(..sign + digits)?;
        let is_plain = (1..=15).contains(&digits) && number != b"-0";
        let goes_on = rest.get(number.len()).is_some_and(|next| matches!(next, b'.' | b'e' | b'E'));
        (is_plain && !goes_on).then(|| self.copy(number))
    }

    fn word(&mut self, word: &'a [u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.copy(word))
    }

    fn token(&mut self, token: u8) -> Option<()> {
        let next = self.text.get(self.at..=self.at)?;
        (next == [token]).then(|| self.copy(next))
    }

    fn copy(&mut self, text: &[u8]) {
        self.sorted.extend_from_slice(text);
        self.at += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// JSON as texts: members in any order, names and texts that are awkward, numbers of every size.
    fn written() -> impl Strategy<Value = String> {
        let name = prop_oneof![4 => "[a-cA-C_ !#]{0,3}", 1 => any::<String>()];
        let quoted = |text: String| Value::from(text).to_string();
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|bool| bool.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            (-99_i64..99).prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| json!(number).to_string()),
            any::<String>().prop_map(quoted),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let members = proptest::collection::vec((name.clone(), inner.clone()), 0..4);
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                members.prop_map(move |mut members| {
                    let mut names = std::collections::BTreeSet::new();
                    members.retain(|(name, _)| names.insert(name.clone()));
                    let members = members.into_iter().map(|(name, value)| format!("{}:{value}", quoted(name)));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_sorted_as_text_is_what_the_library_makes_of_it(text in written()) {
            let value: Value = serde_json::from_str(&text).unwrap();
            let expected = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(of_written(&text).unwrap(), expected.clone());
            prop_assert_eq!(of_value(&value).unwrap(), expected);
        }
    }

    #[test]
    fn plain_text_is_not_read_and_written_again() {
        let text = r#"{"b":[{"z":"\"","a":-1}],"ab":{},"a":null,"":true}"#;
        let mut sorter = Sorter { text: text.as_bytes(), at: 0, sorted: Vec::new(), members: Vec::new() };
        assert_eq!(sorter.value(), Some(()));
        assert_eq!(String::from_utf8(sorter.sorted).unwrap(), r#"{"":true,"a":null,"ab":{},"b":[{"a":-1,"z":"\""}]}"#);
    }
}
