//! What a person logs in with: an e-mail address or a user name, each normalised once, at the door, so that what was
//! claimed at registration is what is looked up at log-in. And what they are called.

use std::fmt;
use unicode_normalization::UnicodeNormalization;
use validator::ValidateEmail;

/// Longest e-mail address, in bytes: what an SMTP path leaves for it (RFC 5321, section 4.5.3.1.3).
pub const EMAIL_MAX_BYTES: usize = 254;
/// Length of a user name, in characters.
pub const USERNAME_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=64;

/// Longest given or family name, in characters of the form that is kept.
pub const NAME_MAX_CHARACTERS: usize = 100;

/// An e-mail address: trimmed, NFC, lower case, and of the form that HTML's `<input type=email>` accepts.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// A user name: NFC, lower case, 3 to 64 letters, digits, dots, underscores and hyphens. It cannot hold an `@`, so no
/// user name is anybody's e-mail address.
#[derive(Clone, PartialEq, Eq)]
pub struct Username(String);

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an e-mail address of at most {EMAIL_MAX_BYTES} bytes")]
pub struct InvalidEmail;

/// The text is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 3 to 64 letters, digits, dots, underscores and hyphens")]
pub struct InvalidUsername;

/// The text is no name of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// There is nothing in it.
    #[error("must not be blank")]
    Blank,
    /// It does not fit in a line.
    #[error("must not contain control characters")]
    Control,
    /// It is too long.
    #[error("must be at most {NAME_MAX_CHARACTERS} characters")]
    TooLong,
}

/// A given or family name as it is kept: without space around it, in NFC, its case as it was written.
pub fn person_name(text: &str) -> Result<String, InvalidName> {
    let name: String = text.trim().nfc().collect();
    if name.is_empty() {
        Err(InvalidName::Blank)
    } else if name.chars().any(char::is_control) {
        Err(InvalidName::Control)
    } else if name.chars().count() > NAME_MAX_CHARACTERS {
        Err(InvalidName::TooLong)
    } else {
        Ok(name)
    }
}

impl Email {
    /// Normalises and checks.
    pub fn try_new(text: &str) -> Result<Self, InvalidEmail> {
        let email: String = text.trim().nfc().collect::<String>().to_lowercase();
        if email.len() <= EMAIL_MAX_BYTES && email.validate_email() { Ok(Self(email)) } else { Err(InvalidEmail) }
    }

    /// The normalised address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Username {
    /// Normalises and checks.
    pub fn try_new(text: &str) -> Result<Self, InvalidUsername> {
        // Lower case first: it may take a composed character apart, and what is compared has to be composed.
        let username: String = text.trim().to_lowercase().nfc().collect();
        let is_allowed = |character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-');
        if USERNAME_CHARACTERS.contains(&username.chars().count()) && username.chars().all(is_allowed) {
            Ok(Self(username))
        } else {
            Err(InvalidUsername)
        }
    }

    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Both are personal data: a log line that happens to print one must not show it.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_one_address_however_it_is_typed() {
        for typed in ["ada@example.org", " Ada@Example.ORG ", "ADA@EXAMPLE.ORG\n"] {
            assert_eq!(Email::try_new(typed).unwrap().as_str(), "ada@example.org", "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let too_long = format!("{}@{}.example", "a".repeat(60), "b.".repeat(100));
        for typed in ["", "ada", "ada@", "@example.org", "a b@example.org", "ada@exa mple.org", too_long.as_str()] {
            assert_eq!(Email::try_new(typed), Err(InvalidEmail), "{typed:?}");
        }
    }

    #[test]
    fn a_user_name_ignores_case_and_how_its_letters_are_composed() {
        let composed = Username::try_new("Zo\u{eb}.1").unwrap();
        assert_eq!(composed, Username::try_new("ZOE\u{308}.1").unwrap());
        assert_eq!(composed.as_str(), "zo\u{eb}.1");
    }

    #[test]
    fn a_name_is_one_line_of_at_most_a_hundred_characters_as_they_are_kept() {
        assert_eq!(
            person_name(" Zoe\u{308} O\u{2019}Neill-\u{5d0}\u{1f680} ").unwrap(),
            "Zo\u{eb} O\u{2019}Neill-\u{5d0}\u{1f680}"
        );
        assert_eq!(person_name(&"e\u{301}".repeat(100)).unwrap().chars().count(), 100);
        for (wrong, error) in [
            (" \u{2003}", InvalidName::Blank),
            ("Ada\nLovelace", InvalidName::Control),
            ("Ada\u{0}", InvalidName::Control),
            (&"a".repeat(101), InvalidName::TooLong),
        ] {
            assert_eq!(person_name(wrong), Err(error), "{wrong:?}");
        }
    }

    #[test]
    fn a_user_name_is_short_and_plain() {
        let too_long = "a".repeat(65);
        for typed in ["", "ab", "ada lovelace", "ada@example.org", "ada/1", "ada\u{0}x", too_long.as_str()] {
            assert_eq!(Username::try_new(typed), Err(InvalidUsername), "{typed:?}");
        }
        assert!(Username::try_new(&"a".repeat(64)).is_ok());
    }
}
