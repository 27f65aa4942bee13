//! Rules for text that any request may use: `#[validate(custom(function = not_blank))]`.
//!
//! Rules of a domain, such as what a strong password is, stand with the domain.

use std::borrow::Cow;

use url::Url;
use validator::ValidationError;

/// The longest URL that is stored.
pub const MAX_URL_CHARS: usize = 2048;

/// Refuses text that is empty or only white space, as `blank`.
pub fn not_blank(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() {
        return Err(refusal("blank", "must not be blank"));
    }
    Ok(())
}

/// Refuses what is not an absolute http or https URL with a host, at most 2048 characters, as `url`.
pub fn http_url(text: &str) -> Result<(), ValidationError> {
    let readable = || Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if text.chars().count() <= MAX_URL_CHARS && text.trim() == text && readable() {
        return Ok(());
    }
    Err(refusal("url", "must be an absolute http or https URL of at most 2048 characters"))
}

/// A refusal with its code and its words, for rules of one's own.
#[must_use]
pub fn refusal(code: &'static str, message: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(Cow::Borrowed(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_text_is_refused() {
        assert!(not_blank(" a ").is_ok());
        for blank in ["", " ", "\t\n", "\u{2003}"] {
            assert_eq!(not_blank(blank).unwrap_err().code, "blank");
        }
    }

    #[test]
    fn a_url_is_absolute_and_bounded() {
        assert!(http_url("https://a.example/x?y#z").is_ok());
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL_CHARS));
        for bad in ["", "a.example", "/path", "javascript:alert(1)", "ftp://a.example", "http://", " https://a", &long]
        {
            assert_eq!(http_url(bad).unwrap_err().code, "url", "{bad}");
        }
    }
}
