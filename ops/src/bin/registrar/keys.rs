//! `keys`: the secrets of an installation that is not `up`'s, such as one of containers; `keys rotate` gives it another
//! signing key while it runs.

use std::{path::PathBuf, time::Duration};

use chrono::Utc;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use crate::local::{
    Error, console, files,
    keys::{Keys, Rotation},
};

/// Draws the master key, the signing key with its public half, and the bootstrap token, each into a file that only its
/// owner reads. A file that is there already stays as it is.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  registrar keys ./secrets           draw what is missing
  registrar keys rotate ./secrets    another signing key

The processes read them by MASTER_KEY_FILE, SIGNING_KEY_FILE, JWKS_FILE and BOOTSTRAP_TOKEN_FILE. Keep a copy of the
master key where the database's copies are not: without it no personal data in the log can be read."
)]
pub struct DrawKeys {
    /// The folder of the files, made where it is missing
    #[arg(required = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give the processes another signing key while they run; nobody has to log in again
    Rotate(Rotate),
}

/// Draws a signing key, makes its public half known, waits until every process knows it, and then lets it sign. The key
/// before it is retired: it verifies what it signed, until that has expired.
#[derive(Debug, Args)]
#[command(
    after_help = "The command API (SIGNING_KEY_FILE, JWKS_FILE) and the query API (JWKS_FILE) look at these files every
second; nothing is restarted. Where processes have copies of the files on other machines, copy jwks.json there while this
waits, and signing.pem afterwards. A rotation that was cut short goes on where it was."
)]
struct Rotate {
    /// The folder of the files
    folder: PathBuf,
    /// How long the processes have to learn the new key before it signs, in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=86_400))]
    wait: u64,
}

impl DrawKeys {
    /// Draws what is missing and names the files, or rotates.
    pub async fn run(&self) -> Result<(), Error> {
        match (&self.action, &self.folder) {
            (Some(Action::Rotate(rotate)), _) => rotate.run().await,
            (None, Some(folder)) => draw(folder),
            (None, None) => Ok(()),
        }
    }
}

fn draw(folder: &std::path::Path) -> Result<(), Error> {
    if !folder.is_dir() {
        files::folder(folder, 0o700)?;
    }
    let Keys { master_key, signing_key, jwks, bootstrap_token } = Keys::draw(folder)?;
    for path in [master_key, signing_key, jwks, bootstrap_token] {
        console::plain(&path.display().to_string());
    }
    Ok(())
}

impl Rotate {
    async fn run(&self) -> Result<(), Error> {
        let rotation = Rotation::begin(&self.folder)?;
        console::say(&format!("{} is known; it signs in {} s", rotation.kid(), self.wait));
        let progress = ProgressBar::new(self.wait);
        for _ in 0..self.wait {
            tokio::time::sleep(Duration::from_secs(1)).await;
            progress.inc(1);
        }
        progress.finish_and_clear();
        let kid = rotation.kid().to_owned();
        rotation.finish(Utc::now().timestamp())?;
        console::say(&format!("{kid} signs; the key before it verifies what it signed, for an hour at most"));
        Ok(())
    }
}
