//! `keys`: the secrets of an installation that is not `up`'s, such as one of containers.

use std::path::PathBuf;

use clap::Args;

use crate::local::{Error, console, files, keys::Keys};

/// Draws the master key, the signing key with its public half, and the bootstrap token, each into a file that only its
/// owner reads. A file that is there already stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  registrar keys ./secrets

The processes read them by MASTER_KEY_FILE, SIGNING_KEY_FILE, JWKS_FILE and BOOTSTRAP_TOKEN_FILE. Keep a copy of the
master key where the database's copies are not: without it no personal data in the log can be read.")]
pub struct DrawKeys {
    /// The folder of the files, made where it is missing
    folder: PathBuf,
}

impl DrawKeys {
    /// Draws what is missing and names the files.
    pub fn run(&self) -> Result<(), Error> {
        if !self.folder.is_dir() {
            files::folder(&self.folder, 0o700)?;
        }
        let Keys { master_key, signing_key, jwks, bootstrap_token } = Keys::draw(&self.folder)?;
        for path in [master_key, signing_key, jwks, bootstrap_token] {
            console::plain(&path.display().to_string());
        }
        Ok(())
    }
}
