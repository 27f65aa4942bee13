//! What is written to people.

use super::MailError;
use chrono::{DateTime, Utc};
use lettre::message::{
    Body, Mailbox,
    header::{ContentTransferEncoding, ContentType},
};
use ops::config::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A letter to one person, as it waits to be sent. It may hold a secret, and is stored sealed only.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// How to set another password in place of a forgotten one.
    ForgottenPassword {
        /// To this address.
        to: String,
        /// What sets it, once.
        token: String,
        /// For how long, in minutes.
        minutes: i64,
    },
    /// The password was changed by somebody who had such a token: the person, or a thief of their mail.
    PasswordWasReset {
        /// To this address.
        to: String,
    },
    /// How to make an account that somebody was invited to.
    Invitation {
        /// To this address.
        to: String,
        /// What makes it, once.
        token: String,
        /// Until when.
        expires_at: DateTime<Utc>,
    },
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// Where the frontend's pages are that letters lead to. `{token}` stands where the token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// The page that sets another password.
    pub reset_password: String,
    /// The page that makes an account.
    pub register: String,
}

/// A message as it leaves. Printing it shows nothing.
pub struct Message {
    /// Names the message to whoever it passes: the same when it is sent a second time.
    pub id: String,
    /// The recipient's address.
    pub to: String,
    /// What it is about.
    pub subject: &'static str,
    /// Plain text.
    pub body: Secret,
}

impl Letter {
    /// Writes it out.
    pub fn compose(&self, id: String, links: &Links) -> Message {
        match self {
            Self::ForgottenPassword { to, token, minutes } => Message {
                id,
                to: to.clone(),
                subject: "Set a new password",
                body: Secret::new(format!(
                    "Somebody, most likely you, said that they forgot the password of this address.\n\n\
                     Set a new one here within {minutes} minutes:\n\n{}\n\n\
                     It was not you? Then there is nothing to do: your password stays as it is.\n",
                    links.reset_password.replace("{token}", token),
                )),
            },
            Self::PasswordWasReset { to } => Message {
                id,
                to: to.clone(),
                subject: "Your password was changed",
                body: Secret::new(
                    "A new password was set for this address, and everyone who was logged in with it was logged out.\n\n\
                     It was not you? Then somebody can read your mail: secure it, and ask for a new password again.\n",
                ),
            },
            Self::Invitation { to, token, expires_at } => Message {
                id,
                to: to.clone(),
                subject: "You are invited",
                body: Secret::new(format!(
                    "You are invited to make an account with this address.\n\n\
                     Make it here until {}:\n\n{}\n\n\
                     You do not know what this is about? Then there is nothing to do: without you there is no account.\n",
                    expires_at.format("%-d %B %Y, %H:%M UTC"),
                    links.register.replace("{token}", token),
                )),
            },
        }
    }
}

impl Message {
    /// The message as RFC 5322 has it.
    pub(super) fn to_mail(&self, from: &Mailbox) -> Result<lettre::Message, MailError> {
        let to = self.to.parse().map_err(MailError::Recipient)?;
        lettre::Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject)
            .message_id(Some(format!("<{}@registrar>", self.id)))
            .header(ContentType::TEXT_PLAIN)
            .body(encode(self.body.expose()))
            .map_err(MailError::Message)
    }
}

/// As it stands, where it may travel so (RFC 5322, section 2.1.1): a link stays in one piece for whoever reads the letter
/// as it came, as one does in the development outbox. Whatever else is encoded.
fn encode(text: &str) -> Body {
    let travels = text.is_ascii() && !text.contains(['\0', '\r']) && text.lines().all(|line| line.len() <= 998);
    if travels {
        Body::dangerous_pre_encoded(text.replace('\n', "\r\n").into_bytes(), ContentTransferEncoding::SevenBit)
    } else {
        Body::new(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links {
            reset_password: "https://learn.example/reset#{token}".to_owned(),
            register: "https://learn.example/register#{token}".to_owned(),
        }
    }

    fn forgotten(to: &str) -> Letter {
        Letter::ForgottenPassword { to: to.to_owned(), token: "t0ken".to_owned(), minutes: 30 }
    }

    #[test]
    fn the_letter_leads_to_the_page_with_the_token() {
        let message = forgotten("ada@example.org").compose("7".to_owned(), &links());
        assert!(message.body.expose().contains("https://learn.example/reset#t0ken\n"), "{}", message.body.expose());
        assert!(message.body.expose().contains("within 30 minutes"));
    }

    #[test]
    fn an_invitation_leads_to_the_page_with_the_token_and_says_until_when() {
        let (to, token) = ("ada@example.org".to_owned(), "t0ken".to_owned());
        let letter = Letter::Invitation { to, token, expires_at: DateTime::UNIX_EPOCH };
        let message = letter.compose("7".to_owned(), &links());
        assert!(message.body.expose().contains("https://learn.example/register#t0ken\n"), "{}", message.body.expose());
        assert!(message.body.expose().contains("until 1 January 1970, 00:00 UTC"));
    }

    #[test]
    fn a_letter_is_never_printed() {
        let letter = forgotten("ada@example.org");
        assert_eq!(format!("{letter:?}"), "Letter(…)");
        assert_eq!(format!("{}", letter.compose("7".to_owned(), &links()).body), "[redacted]");
    }

    #[test]
    fn an_address_writes_no_headers_of_its_own() {
        let from: Mailbox = "Registrar <no-reply@example.org>".parse().unwrap();
        let injected = forgotten("ada@example.org\r\nBcc: eve@example.org").compose("7".to_owned(), &links());
        assert!(matches!(injected.to_mail(&from), Err(MailError::Recipient(_))));
    }
}
