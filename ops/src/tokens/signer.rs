//! Issuing tokens.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use uuid::Uuid;

use super::{Claims, Grant, Jwk, Jwks, KeyError};
use crate::config::Secret;

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError(#[from] jsonwebtoken::errors::Error);

/// Issues tokens. Clones share the key, which can be replaced by another while they sign.
#[derive(Clone)]
pub struct Signer {
    key: Arc<RwLock<Arc<Key>>>,
    issuer: Arc<str>,
    audience: Arc<str>,
    lifetime: Duration,
}

struct Key {
    private: EncodingKey,
    public: Jwk,
}

impl Key {
    fn from_pem(pem: &Secret) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem.expose().trim()).map_err(KeyError::Private)?;
        let der = key.to_pkcs8_der().map_err(KeyError::Private)?;
        Ok(Self { private: EncodingKey::from_ed_der(der.as_bytes()), public: Jwk::from_key(&key.verifying_key()) })
    }
}

impl Signer {
    /// A signer with a private key in PKCS#8 PEM; its tokens live for `lifetime`.
    pub fn from_pem(pem: &Secret, issuer: &str, audience: &str, lifetime: Duration) -> Result<Self, KeyError> {
        let key = Arc::new(RwLock::new(Arc::new(Key::from_pem(pem)?)));
        Ok(Self { key, issuer: issuer.into(), audience: audience.into(), lifetime })
    }

    /// Signs with another key from now on.
    pub fn replace_key(&self, pem: &Secret) -> Result<(), KeyError> {
        let key = Arc::new(Key::from_pem(pem)?);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    fn key(&self) -> Arc<Key> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token that is good from `now` on, and what it says.
    pub fn issue(&self, grant: Grant, now: DateTime<Utc>) -> Result<(String, Claims), SignError> {
        let iat = now.timestamp();
        let claims = Claims {
            iss: self.issuer.to_string(),
            aud: self.audience.to_string(),
            sub: grant.account_id,
            tid: grant.tenant_id,
            sid: grant.session_id,
            role: grant.role,
            scope: grant.scope,
            iat,
            exp: iat.saturating_add_unsigned(self.lifetime.as_secs()),
            jti: Uuid::now_v7(),
        };
        let key = self.key();
        let header = Header { kid: Some(key.public.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok((jsonwebtoken::encode(&header, &claims, &key.private)?, claims))
    }

    /// How long a token lives.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The key set that verifies what this signs.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.key().public.clone()] }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("kid", &self.key().public.kid).finish_non_exhaustive()
    }
}
