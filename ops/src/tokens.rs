//! Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), checked without asking anyone.
//!
//! The command API signs; every process verifies with the public key set. What a role may do is left to the processes.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::config::Secret;

/// How far the clocks of two machines may differ.
const LEEWAY_SECONDS: u64 = 5;
/// A longer token is not ours.
const MAX_TOKEN_BYTES: usize = 4096;
/// How many verified tokens a process remembers.
const REMEMBERED_TOKENS: usize = 20_000;

/// What a token allows at all, before roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// Everything that the role may do.
    Full,
    /// Only to set a password: the account signed in with a temporary one.
    SetPassword,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is meant for.
    pub aud: String,
    /// The account.
    pub sub: Uuid,
    /// The tenant.
    pub tid: Uuid,
    /// The session.
    pub sid: Uuid,
    /// The account's role.
    pub role: String,
    /// What the token allows at all.
    pub scope: TokenScope,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    pub jti: Uuid,
}

/// Whom a token is issued to, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The session.
    pub session_id: Uuid,
    /// The account's role.
    pub role: String,
    /// What the token allows at all.
    pub scope: TokenScope,
}

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

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError(#[from] jsonwebtoken::errors::Error);

/// Why a token is refused. The caller is told only that it is.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token of ours.
    #[error("the token is too long")]
    TooLong,
    /// No such key.
    #[error("the token names no key of ours")]
    UnknownKey,
    /// Malformed, forged, foreign or expired.
    #[error("the token is not valid")]
    Invalid(#[from] jsonwebtoken::errors::Error),
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
}

impl Jwk {
    fn from_key(key: &VerifyingKey) -> Self {
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)),
            x,
            alg: Some("EdDSA".to_owned()),
            usage: Some("sig".to_owned()),
        }
    }

    fn decoding_key(&self) -> Result<DecodingKey, KeyError> {
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
}

/// A new Ed25519 private key in PKCS#8 PEM.
pub fn generate_signing_key_pem() -> Result<Secret, KeyError> {
    let key = SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(KeyError::Private)?;
    Ok(Secret::new(pem.as_str()))
}

/// Issues tokens.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    public: Jwk,
    issuer: Arc<str>,
    audience: Arc<str>,
    lifetime: Duration,
}

impl Signer {
    /// A signer with a private key in PKCS#8 PEM; its tokens live for `lifetime`.
    pub fn from_pem(pem: &Secret, issuer: &str, audience: &str, lifetime: Duration) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem.expose().trim()).map_err(KeyError::Private)?;
        let der = key.to_pkcs8_der().map_err(KeyError::Private)?;
        Ok(Self {
            key: EncodingKey::from_ed_der(der.as_bytes()),
            public: Jwk::from_key(&key.verifying_key()),
            issuer: issuer.into(),
            audience: audience.into(),
            lifetime,
        })
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
        let header = Header { kid: Some(self.public.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok((jsonwebtoken::encode(&header, &claims, &self.key)?, claims))
    }

    /// How long a token lives.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The key set that verifies what this signs.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.public.clone()] }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

/// Verifies tokens, and remembers those it has verified until they end. Clones share the memory.
#[derive(Clone)]
pub struct Verifier(Arc<Verification>);

struct Verification {
    keys: HashMap<String, DecodingKey>,
    rules: Validation,
    verified: Cache<[u8; 32], Arc<Claims>>,
}

impl Verifier {
    /// A verifier for tokens of `issuer` that are meant for `audience`.
    pub fn from_jwks(jwks: &Jwks, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let keys: HashMap<_, _> =
            jwks.keys.iter().map(|key| Ok((key.kid.clone(), key.decoding_key()?))).collect::<Result<_, KeyError>>()?;
        if keys.is_empty() || keys.len() != jwks.keys.len() {
            return Err(KeyError::Public);
        }
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.required_spec_claims = HashSet::from(["iss", "aud", "sub", "exp"].map(str::to_owned));
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.leeway = LEEWAY_SECONDS;
        Ok(Self(Arc::new(Verification { keys, rules, verified: Cache::new(REMEMBERED_TOKENS) })))
    }

    /// What a good token says. A session that has ended is not noticed before the token ends.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let Verification { keys, rules, verified } = &*self.0;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = verified.get(&digest).filter(|claims| claims.exp > Utc::now().timestamp()) {
            return Ok(claims);
        }
        let header = jsonwebtoken::decode_header(token)?;
        let key = header.kid.and_then(|kid| keys.get(&kid)).ok_or(TokenError::UnknownKey)?;
        let claims = Arc::new(jsonwebtoken::decode::<Claims>(token, key, rules)?.claims);
        verified.insert(digest, claims.clone());
        Ok(claims)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").field("kids", &self.0.keys.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
