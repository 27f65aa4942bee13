//! The keys that sign and verify: an Ed25519 private key in PEM, and the public key set (RFC 7517).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{EncodePrivateKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{LEEWAY, MAX_LIFETIME};
use crate::config::Secret;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not an Ed25519 private key in PKCS#8 PEM.
    #[error("the signing key is not an Ed25519 private key in PKCS#8 PEM")]
    Private(#[source] ed25519_dalek::pkcs8::Error),
    /// The key set is not a JSON Web Key Set.
    #[error("the key set is not a JSON Web Key Set (RFC 7517)")]
    Document(#[from] serde_json::Error),
    /// The key set has no key, or one that is not an Ed25519 public key with its id.
    #[error("the key set must hold Ed25519 public keys (kty OKP, crv Ed25519, RFC 8037), each with its own kid")]
    Public,
}

/// A public key (RFC 7517, RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The public key, base64url.
    pub x: String,
    /// The key's RFC 7638 thumbprint.
    pub kid: String,
    /// Always `EdDSA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Always `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// When another key took its place, in seconds since 1970: it verifies what it signed before, and nothing after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<i64>,
}

impl Jwk {
    pub(super) fn from_key(key: &VerifyingKey) -> Self {
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)),
            x,
            alg: Some("EdDSA".to_owned()),
            usage: Some("sig".to_owned()),
            retired: None,
        }
    }

    pub(super) fn decoding_key(&self) -> Result<DecodingKey, KeyError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&self.x).map_err(|_| KeyError::Public)?;
        let key = VerifyingKey::try_from(bytes.as_slice()).map_err(|_| KeyError::Public)?;
        let usable = self.kty == "OKP" && self.crv == "Ed25519" && !self.kid.is_empty() && !key.is_weak();
        usable.then(|| DecodingKey::from_ed_der(&bytes)).ok_or(KeyError::Public)
    }
}

/// The public keys that tokens are verified with: `/.well-known/jwks.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    /// The keys; during a change of keys there are two.
    pub keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads a key set.
    pub fn parse(document: &str) -> Result<Self, KeyError> {
        Ok(serde_json::from_str(document)?)
    }

    /// This set and those keys of another that it does not have.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let missing = other.keys.into_iter().filter(|key| self.keys.iter().all(|known| known.kid != key.kid));
        let missing: Vec<Jwk> = missing.collect();
        self.keys.extend(missing);
        self
    }

    /// Retires every key but the named one at `now`, and drops those that were retired so long ago that whatever they
    /// signed has ended.
    pub fn retire_others(&mut self, kid: &str, now: i64) {
        let longest = i64::try_from((MAX_LIFETIME + LEEWAY).as_secs()).unwrap_or(i64::MAX);
        for key in self.keys.iter_mut().filter(|key| key.kid != kid) {
            key.retired.get_or_insert(now);
        }
        self.keys.retain(|key| key.retired.is_none_or(|retired| now.saturating_sub(retired) <= longest));
    }
}

/// A new Ed25519 private key in PKCS#8 PEM.
pub fn generate_signing_key_pem() -> Result<Secret, KeyError> {
    let key = SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(KeyError::Private)?;
    Ok(Secret::new(pem.as_str()))
}
