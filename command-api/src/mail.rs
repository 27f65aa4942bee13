//! Mail to people: what is written (`letter`), how it leaves (`smtp`, or a `folder` in development), and that it does
//! (`worker`).
//!
//! A command writes a [`Letter`] into its work; it commits with the command's events, sealed with its recipient's key,
//! and is sent afterwards, at least once, by whichever process comes first. What is secret in a letter stands nowhere
//! else: not in an event, not in a log line.

mod folder;
mod letter;
mod smtp;
mod worker;

pub use folder::Folder;
pub use letter::{Letter, Links, Message};
pub use smtp::{Smtp, SmtpConfig, Tls};
pub use worker::{Worker, deliver};

use futures::future::BoxFuture;
use std::{path::PathBuf, sync::Arc};

/// Where mail leaves.
pub trait Mailer: Send + Sync {
    /// Sends a message; when it answers, the message is out of our hands.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), MailError>>;
}

/// Why mail did not leave, or cannot.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The configured sender is none.
    #[error("MAIL_FROM is not a mailbox, such as Registrar <no-reply@example.org>")]
    Sender(#[source] lettre::address::AddressError),
    /// The recipient's address cannot be written to.
    #[error("the recipient's address is none that mail can be sent to")]
    Recipient(#[source] lettre::address::AddressError),
    /// The message cannot be put together.
    #[error("the message cannot be put together")]
    Message(#[source] lettre::error::Error),
    /// The certificate authority cannot be read.
    #[error("SMTP_CA_FILE cannot be used")]
    Authority(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Mail without encryption would leave this machine.
    #[error("SMTP_TLS=none is for a server on this machine: use starttls or implicit")]
    InTheClear,
    /// The server did not take it.
    #[error("the mail server did not take the message")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The folder cannot be written.
    #[error("the outbox {0} cannot be written")]
    Folder(PathBuf, #[source] std::io::Error),
}

/// Where mail is configured to leave.
#[derive(Debug, Clone)]
pub enum MailConfig {
    /// By a server.
    Smtp(SmtpConfig),
    /// Into a folder.
    Folder(PathBuf),
}

/// What sends the configured way; `from` is the sender.
pub fn mailer(config: &MailConfig, from: &str) -> Result<Arc<dyn Mailer>, MailError> {
    let from = from.parse().map_err(MailError::Sender)?;
    Ok(match config {
        MailConfig::Smtp(smtp) => Arc::new(Smtp::new(smtp, from)?),
        MailConfig::Folder(folder) => Arc::new(Folder::new(folder.clone(), from)),
    })
}
