//! Mail in development: each message is a file in a folder, as any mail program opens it.

use super::{MailError, Mailer, Message};
use futures::{FutureExt, future::BoxFuture};
use lettre::message::Mailbox;
use std::path::PathBuf;

/// Writes messages into a folder. Who can read it can set passwords: it is no way to send mail in production.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    from: Mailbox,
}

impl Folder {
    /// A folder, made where it is missing.
    pub const fn new(path: PathBuf, from: Mailbox) -> Self {
        Self { path, from }
    }

    async fn write(&self, message: &Message) -> Result<(), MailError> {
        let mail = message.to_mail(&self.from)?.formatted();
        let failed = |error| MailError::Folder(self.path.clone(), error);
        tokio::fs::create_dir_all(&self.path).await.map_err(failed)?;
        // Ids are made of their time first, so that names sort as mail came. Nobody sees half a message.
        let (half, whole) = (format!(".{}", message.id), format!("{}.eml", message.id));
        tokio::fs::write(self.path.join(&half), mail).await.map_err(failed)?;
        tokio::fs::rename(self.path.join(half), self.path.join(whole)).await.map_err(failed)
    }
}

impl Mailer for Folder {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), MailError>> {
        self.write(message).boxed()
    }
}
