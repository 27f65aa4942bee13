//! Which passwords are good enough: long, hard to guess for somebody who knows the person, and nothing else (NIST
//! SP 800-63B, section 3.1.1.2: no composition rules). How they are hashed is left to `passwords`.
//!
//! A password is compared in the form of RFC 8265 (OpaqueString): every kind of space is a space, and characters are
//! composed (NFC), so that it is the same from every keyboard. Case and compatible characters stay different: NFKC would
//! make one of two that a person took care to tell apart.

use std::fmt;
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

/// Longest password, in bytes of its normal form. A longer one is refused, never cut.
pub const MAX_BYTES: usize = 1024;
/// What everyone who comes here knows.
const SERVICE: &str = "registrar";
/// The estimate that a password has to reach: "safely unguessable", the third of zxcvbn's four steps.
const MIN_SCORE: Score = Score::Three;

/// A password in NFC, so that it is the same from every keyboard. Printing it shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a password as it was typed.
    pub fn new(typed: &str) -> Self {
        let is_space = |character: char| character.is_whitespace() && !character.is_ascii();
        Self(typed.chars().map(|typed| if is_space(typed) { ' ' } else { typed }).nfc().collect())
    }

    /// What is hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What an installation asks of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Fewest characters.
    pub min_length: usize,
}

/// Why a password is not good enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too few characters.
    #[error("the password needs at least {min} characters")]
    TooShort {
        /// Fewest characters.
        min: usize,
    },
    /// Too many bytes.
    #[error("the password may have at most {MAX_BYTES} bytes")]
    TooLong,
    /// Without what everyone knows of the person there is not enough left.
    #[error("the password is little more than your name, your address or the name of this service")]
    TooPersonal,
    /// Easy to guess.
    #[error("the password is too easy to guess: {advice}")]
    TooGuessable {
        /// Why, and what would be better.
        advice: String,
    },
}

/// Decides whether `password` is good enough for a person about whom `known` is known: names, address, user name.
///
/// Takes some milliseconds of processor time; run it where hashing runs.
pub fn decide(policy: Policy, password: &Password, known: &[&str]) -> Result<(), Refusal> {
    if password.0.len() > MAX_BYTES {
        return Err(Refusal::TooLong);
    }
    if password.0.chars().count() < policy.min_length {
        return Err(Refusal::TooShort { min: policy.min_length });
    }
    let known = guesses_from(known);
    let estimate = zxcvbn(&password.0, &known);
    if estimate.score() >= MIN_SCORE {
        let rest = without(&password.0, &known);
        let is_enough = rest.len() == password.0.len() || zxcvbn(&rest, &[]).score() >= MIN_SCORE;
        return if is_enough { Ok(()) } else { Err(Refusal::TooPersonal) };
    }
    let advice = estimate.feedback().map(ToString::to_string).unwrap_or_default();
    let advice = if advice.is_empty() { "Add another word or two.".to_owned() } else { advice };
    Err(Refusal::TooGuessable { advice })
}

/// What is known as a whole and word by word: `ada.lovelace@example.org` also gives `ada`, `lovelace` and `example`.
fn guesses_from<'a>(known: &[&'a str]) -> Vec<&'a str> {
    let known = [known, &[SERVICE]].concat();
    let words = known.iter().flat_map(|text| text.split(|character: char| !character.is_alphanumeric()));
    let words = words.filter(|word| word.chars().count() > 2);
    let words: Vec<&'a str> = words.collect();
    known.iter().copied().chain(words).collect()
}

/// What is left of a password, in lower case, when every word that is known was taken out, the longest first.
fn without(password: &str, known: &[&str]) -> String {
    let mut words: Vec<String> = known.iter().map(|word| word.to_lowercase()).collect();
    words.retain(|word| word.chars().count() > 2);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.iter().fold(password.to_lowercase(), |rest, word| rest.replace(word.as_str(), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { min_length: 12 };
    const ADA: &[&str] = &["Augusta Ada", "Lovelace", "ada.lovelace@analytical.example", "enchantress"];

    fn decided(password: &str) -> Result<(), Refusal> {
        decide(POLICY, &Password::new(password), ADA)
    }

    #[test]
    fn a_long_uncommon_password_is_accepted_without_digits_or_symbols() {
        assert_eq!(decided("quietly herding purple walruses"), Ok(()));
    }

    #[test]
    fn a_short_password_is_refused_with_the_length_it_needs() {
        assert_eq!(decided("x9$kQ!m2#vB"), Err(Refusal::TooShort { min: 12 }));
    }

    #[test]
    fn length_is_counted_in_characters_of_the_normal_form() {
        // Eleven characters, typed as twenty-two code points.
        let decomposed = "e\u{301}".repeat(11);
        assert_eq!(decided(&decomposed), Err(Refusal::TooShort { min: 12 }));
    }

    #[test]
    fn the_same_password_from_another_keyboard_is_the_same_password() {
        assert_eq!(Password::new("caf\u{e9}"), Password::new("cafe\u{301}"));
    }

    #[test]
    fn a_password_of_more_than_1024_bytes_is_refused_and_one_of_1024_is_not_cut() {
        let long: String = ('a'..='z').cycle().zip('!'..='~').flat_map(|(a, b)| [a, b]).cycle().take(1024).collect();
        assert_eq!(decided(&long), Ok(()));
        assert_eq!(Password::new(&long).as_bytes().len(), 1024);
        assert_eq!(decided(&format!("{long}x")), Err(Refusal::TooLong));
    }

    #[test]
    fn a_common_password_is_refused_and_the_refusal_says_why() {
        let Err(Refusal::TooGuessable { advice }) = decided("password1234") else { panic!("accepted") };
        assert!(advice.contains("common password"), "{advice}");
    }

    #[test]
    fn what_is_known_of_the_person_does_not_make_a_password() {
        for personal in ["lovelaceaugusta", "ada.lovelace@analytical.example", "Enchantress1", "analyticalada1"] {
            assert!(matches!(decided(personal), Err(Refusal::TooGuessable { .. })), "{personal}");
        }
        for personal in ["enchantress-lovelace-augusta-9", "Registrar-Lovelace-Enchantress"] {
            assert_eq!(decided(personal), Err(Refusal::TooPersonal), "{personal}");
        }
        assert_eq!(decided("lovelace herding purple walruses"), Ok(()), "enough is left without the name");
    }

    #[test]
    fn every_kind_of_space_is_a_space() {
        assert_eq!(Password::new("a\u{3000}b\u{a0}c"), Password::new("a b c"));
    }

    #[test]
    fn printing_a_password_shows_nothing() {
        assert!(!format!("{:?}", Password::new("hunter2hunter2")).contains("hunter"));
    }
}
