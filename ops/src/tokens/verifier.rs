//! Verifying tokens: the signature once, that the session goes on each time.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::{Claims, EndedSessions, Jwks, KeyError, LEEWAY, MAX_LIFETIME};

/// A longer token is not ours.
const MAX_TOKEN_BYTES: usize = 4096;
/// How many verified tokens a process remembers.
const REMEMBERED_TOKENS: usize = 20_000;

/// Why a token is refused. The caller is told only that it is.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token of ours.
    #[error("the token is too long")]
    TooLong,
    /// No such key, or one that was retired before the token was issued.
    #[error("the token names no key of ours")]
    UnknownKey,
    /// Malformed, forged, foreign or expired.
    #[error("the token is not valid")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    /// It claims a longer life than any token has.
    #[error("the token would live too long")]
    TooLongLived,
    /// Its session has ended.
    #[error("the session of the token has ended")]
    SessionEnded,
    /// This process has just started, and does not know yet which sessions have ended.
    #[error("which sessions have ended is not known yet")]
    SessionsUnknown,
}

/// Verifies tokens, and remembers those it has verified until they end. Clones share the memory.
#[derive(Clone)]
pub struct Verifier(Arc<Verification>);

struct Verification {
    keys: RwLock<Arc<Keys>>,
    rules: Validation,
    verified: Cache<[u8; 32], Arc<Claims>>,
    ended: EndedSessions,
}

struct Keys {
    set: Jwks,
    by_id: HashMap<String, Key>,
}

struct Key {
    public: DecodingKey,
    retired: Option<i64>,
}

impl Keys {
    fn new(set: &Jwks) -> Result<Self, KeyError> {
        let mut by_id = HashMap::new();
        for jwk in &set.keys {
            by_id.insert(jwk.kid.clone(), Key { public: jwk.decoding_key()?, retired: jwk.retired });
        }
        if by_id.is_empty() || by_id.len() != set.keys.len() {
            return Err(KeyError::Public);
        }
        Ok(Self { set: set.clone(), by_id })
    }
}

impl Verifier {
    /// A verifier for tokens of `issuer` that are meant for `audience`.
    pub fn from_jwks(jwks: &Jwks, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.required_spec_claims = HashSet::from(["iss", "aud", "sub", "exp"].map(str::to_owned));
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.leeway = LEEWAY.as_secs();
        Ok(Self(Arc::new(Verification {
            keys: RwLock::new(Arc::new(Keys::new(jwks)?)),
            rules,
            verified: Cache::new(REMEMBERED_TOKENS),
            ended: EndedSessions::default(),
        })))
    }

    /// Verifies with another key set from now on. What an earlier one verified is forgotten.
    pub fn replace_keys(&self, jwks: &Jwks) -> Result<(), KeyError> {
        let keys = Arc::new(Keys::new(jwks)?);
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.0.verified.clear();
        Ok(())
    }

    /// The key set that it verifies with.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.keys().set.clone()
    }

    /// The sessions whose tokens it refuses.
    #[must_use]
    pub fn ended_sessions(&self) -> &EndedSessions {
        &self.0.ended
    }

    fn keys(&self) -> Arc<Keys> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a good token says, of a session that goes on.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let Verification { rules, verified, ended, .. } = &*self.0;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = verified.get(&digest).filter(|claims| claims.exp > Utc::now().timestamp());
        let claims = if let Some(claims) = known {
            claims
        } else {
            let claims = Arc::new(self.decode(token, rules)?);
            verified.insert(digest, claims.clone());
            claims
        };
        if ended.contains(claims.sid) {
            return Err(TokenError::SessionEnded);
        }
        if ended.is_awaited() { Err(TokenError::SessionsUnknown) } else { Ok(claims) }
    }

    #[cfg(test)]
    pub(super) fn remember(&self, token: &str, claims: Claims) {
        self.0.verified.insert(Sha256::digest(token).into(), Arc::new(claims));
    }

    fn decode(&self, token: &str, rules: &Validation) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token)?;
        let keys = self.keys();
        let key = header.kid.and_then(|kid| keys.by_id.get(&kid)).ok_or(TokenError::UnknownKey)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.public, rules)?.claims;
        let lifetime = claims.exp.saturating_sub(claims.iat);
        if u64::try_from(lifetime).is_ok_and(|seconds| seconds > MAX_LIFETIME.as_secs()) {
            return Err(TokenError::TooLongLived);
        }
        if key.retired.is_some_and(|retired| claims.iat > retired.saturating_add_unsigned(LEEWAY.as_secs())) {
            return Err(TokenError::UnknownKey);
        }
        Ok(claims)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").field("kids", &self.keys().by_id.keys()).finish_non_exhaustive()
    }
}
