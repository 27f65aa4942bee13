//! The keys of this process's tokens: made at start, and read again when their files change (`registrar keys rotate`).
//!
//! A new key is public before it signs, and a retired one verifies what it signed: the set of the signing key's file and
//! the set beside it are taken together, so that whichever of the two files changes first, no token is refused.

use crate::config::{Config, KeyFiles};
use ops::{
    config::{ConfigError, Secret, optional_secret},
    tokens::{self, Jwks, KeyError, Signer, Verifier},
};
use std::{convert::Infallible, path::PathBuf};
use tokio_util::sync::CancellationToken;

/// Why keys could not be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// What is in it is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What signs and what verifies, as configured.
pub fn start(config: &Config) -> Result<(Signer, Verifier), KeyError> {
    let (issuer, audience) = (&config.token_issuer, &config.token_audience);
    let signer = Signer::from_pem(&config.signing_key, issuer, audience, config.access_token_lifetime)?;
    let jwks = signer.jwks().and(config.jwks.clone().unwrap_or_default());
    let verifier = Verifier::from_jwks(&jwks, issuer, audience)?;
    Ok((signer, verifier))
}

/// Reads the keys again whenever one of their files changes, until the stop.
pub async fn follow(
    config: &Config,
    signer: Signer,
    verifier: Verifier,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let (files, jwks) = (config.keys.clone(), config.jwks.clone());
    let paths: Vec<PathBuf> = files.signing_key.iter().chain(&files.jwks).cloned().collect();
    if paths.is_empty() {
        return Ok(());
    }
    tokens::watch_files(paths, stop, move || reload(&files, jwks.as_ref(), &signer, &verifier)).await
}

fn reload(files: &KeyFiles, given: Option<&Jwks>, signer: &Signer, verifier: &Verifier) -> Result<(), ReloadError> {
    let further = match read("JWKS", files.jwks.as_ref())? {
        Some(document) => Jwks::parse(document.expose())?,
        None => given.cloned().unwrap_or_default(),
    };
    if let Some(pem) = read("SIGNING_KEY", files.signing_key.as_ref())? {
        signer.replace_key(&pem)?;
    }
    Ok(verifier.replace_keys(&signer.jwks().and(further))?)
}

fn read(name: &'static str, path: Option<&PathBuf>) -> Result<Option<Secret>, ConfigError> {
    optional_secret(name, None, path.and_then(|path| path.to_str()))
}
