//! The secrets of a local instance: drawn once, private files under `keys/`, handed to the processes by path.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose};
use ops::tokens;

use super::{Error, files, project::Instance};

/// The files that the processes read their secrets from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Wraps the keys of the persons in the log.
    pub master_key: PathBuf,
    /// Signs access tokens.
    pub signing_key: PathBuf,
    /// The public half of it.
    pub jwks: PathBuf,
    /// Lets the first account be made.
    pub bootstrap_token: PathBuf,
}

impl Keys {
    /// The instance's keys, drawn where they are missing.
    pub fn prepare(instance: &Instance) -> Result<Self, Error> {
        let folder = instance.path("keys");
        files::folder(&folder, 0o700)?;
        Self::draw(&folder)
    }

    /// The keys in a folder, drawn where they are missing.
    pub fn draw(folder: &Path) -> Result<Self, Error> {
        let keys = Self {
            master_key: folder.join("master.key"),
            signing_key: folder.join("signing.pem"),
            jwks: folder.join("jwks.json"),
            bootstrap_token: folder.join("bootstrap.token"),
        };
        if !keys.master_key.exists() {
            let key: [u8; 32] = rand::random();
            files::write_private(&keys.master_key, general_purpose::STANDARD.encode(key).as_bytes())?;
        }
        if !keys.bootstrap_token.exists() {
            files::write_private(&keys.bootstrap_token, password().as_bytes())?;
        }
        // The public half is written last, so it tells that the pair is whole.
        if !keys.jwks.exists() {
            let unusable = |source| Error::Key { path: keys.signing_key.clone(), source };
            let pem = tokens::generate_signing_key_pem().map_err(unusable)?;
            let signer = tokens::Signer::from_pem(&pem, "registrar", "registrar", std::time::Duration::from_mins(1));
            let jwks = signer.map_err(unusable)?.jwks();
            files::write_private(&keys.signing_key, pem.expose().as_bytes())?;
            files::write_json(&keys.jwks, &jwks)?;
        }
        Ok(keys)
    }

    /// The bootstrap token itself.
    pub fn read_bootstrap_token(&self) -> Result<String, Error> {
        std::fs::read_to_string(&self.bootstrap_token).map_err(files::failed("read", &self.bootstrap_token))
    }
}

/// A password of 192 random bits, in characters that need no quoting in URLs, SQL and shells.
pub fn password() -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}
