//! The keys of the people in the log: one data key for each, wrapped by the master key in `log.subject_keys`.

#![expect(clippy::disallowed_methods, reason = "keys and nonces are random by their nature; no decision rests on them")]

use super::{LogError, bounded};
use crate::{
    ids::AccountId,
    personal::{self, DataKey, SealError},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use quick_cache::sync::Cache;
use serde_json::Value;
use sha2::Sha256;
use sqlx::PgPool;
use std::sync::Arc;
use uuid::Uuid;

/// How many people's keys a process keeps open.
const CACHED_KEYS: usize = 100_000;

/// The 256-bit key that wraps all others. Whoever has it and the database reads everything; keep them apart.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// The text is no master key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 random bytes in base64; make one with: openssl rand -base64 32")]
pub struct InvalidMasterKey;

impl MasterKey {
    /// Reads standard base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, InvalidMasterKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidMasterKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidMasterKey)
    }

    /// A key for one purpose, so that no key serves two.
    fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose.as_bytes())
    }

    fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.mac_of(&[message])
    }

    fn mac_of(&self, message: &[&[u8]]) -> [u8; 32] {
        // HMAC pads a key that is shorter than the hash's block with zeros (RFC 2104, section 2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        for piece in message {
            mac.update(piece);
        }
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Opens, makes and remembers people's keys. Clones share them.
#[derive(Clone)]
pub struct Keyring(Arc<Keys>);

struct Keys {
    pool: PgPool,
    wrapping: DataKey,
    files: DataKey,
    claims: MasterKey,
    open: Cache<AccountId, DataKey>,
}

impl Keyring {
    /// A keyring over `log.subject_keys` of the database.
    pub fn new(pool: PgPool, master: &MasterKey) -> Self {
        Self(Arc::new(Keys {
            pool,
            wrapping: DataKey::new(&master.derive("registrar subject key wrapping v1")),
            files: DataKey::new(&master.derive("registrar files v1")),
            claims: MasterKey(master.derive("registrar claim digests v1")),
            open: Cache::new(CACHED_KEYS),
        }))
    }

    /// Has the subjects' keys at hand for [`Self::find`]. Those who have none, or whose key was destroyed, stay without.
    pub async fn load(&self, subjects: impl IntoIterator<Item = AccountId>) -> Result<(), LogError> {
        let missing: Vec<Uuid> =
            subjects.into_iter().filter(|subject| self.0.open.get(subject).is_none()).map(AccountId::as_uuid).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query!(
            "select subject_id, wrapped_key
             from log.subject_keys
             where subject_id = any($1)",
            &missing
        )
        .fetch_all(&self.0.pool);
        let rows = bounded(rows).await?;
        for row in rows {
            let subject = AccountId::new(row.subject_id);
            let key = self.0.wrapping.open(subject, &row.wrapped_key)?;
            let key: [u8; 32] = key.try_into().map_err(|_| SealError::Damaged)?;
            self.0.open.insert(subject, DataKey::new(&key));
        }
        Ok(())
    }

    /// The subject's key, where it is at hand.
    pub fn find(&self, subject: AccountId) -> Option<DataKey> {
        self.0.open.get(&subject)
    }

    /// Makes a key for a new subject: the key, and its wrapped form for the row that commits with the first event.
    pub fn generate(&self, subject: AccountId) -> Result<(DataKey, Vec<u8>), SealError> {
        let key: [u8; 32] = rand::random();
        let wrapped = self.0.wrapping.seal(subject, rand::random(), &key)?;
        Ok((DataKey::new(&key), wrapped))
    }

    /// Remembers a key whose row was committed.
    pub fn remember(&self, subject: AccountId, key: DataKey) {
        self.0.open.insert(subject, key);
    }

    /// Seals all personal data in `json`, with keys at hand and with `fresh` ones that are not committed yet.
    pub fn seal(&self, json: &mut Value, fresh: &[(AccountId, DataKey)]) -> Result<(), SealError> {
        let find = |subject| {
            let fresh = fresh.iter().find(|(of, _)| *of == subject).map(|(_, key)| key.clone());
            fresh.or_else(|| self.find(subject))
        };
        personal::seal(json, &find, &mut rand::random)
    }

    /// Seals a text for somebody, with a key at hand or a fresh one.
    pub fn seal_text(
        &self,
        subject: AccountId,
        text: &str,
        fresh: &[(AccountId, DataKey)],
    ) -> Result<Vec<u8>, SealError> {
        let fresh = fresh.iter().find(|(of, _)| *of == subject).map(|(_, key)| key.clone());
        let key = fresh.or_else(|| self.find(subject)).ok_or(SealError::NoKey(subject))?;
        key.seal(subject, rand::random(), text.as_bytes())
    }

    /// Opens what [`Self::seal_text`] made, with a key at hand.
    pub fn open_text(&self, subject: AccountId, sealed: &[u8]) -> Result<String, SealError> {
        let key = self.find(subject).ok_or(SealError::NoKey(subject))?;
        String::from_utf8(key.open(subject, sealed)?).map_err(|_| SealError::Damaged)
    }

    /// Opens all personal data in `json` whose keys are at hand. What does not open stays sealed.
    pub fn open(&self, json: &mut Value) {
        if let Err(error) = personal::open(json, &|subject| self.find(subject)) {
            tracing::error!(%error, "personal data in the log do not open with their subject's key");
        }
    }

    /// Seals a part of a file that lies beside the log for a while; `file` names the file.
    pub fn seal_file(&self, file: Uuid, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.files.seal(AccountId::new(file), rand::random(), plain)
    }

    /// Opens what [`Self::seal_file`] made.
    pub fn open_file(&self, file: Uuid, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.files.open(AccountId::new(file), sealed)
    }

    /// What a request said, kept to tell it from another with the same `Idempotency-Key`: a keyed digest (HMAC-SHA-256) of
    /// its pieces, one after the other. Where one ends must be told by themselves.
    pub fn request_digest(&self, pieces: &[&[u8]]) -> [u8; 32] {
        self.0.claims.mac_of(&[&[b"request\0".as_slice()], pieces].concat())
    }

    /// What stands for a claimed name in `log.claims`: a keyed digest (HMAC-SHA-256), for names may be personal data.
    pub fn claim_digest(&self, scope: &str, name: &str) -> Vec<u8> {
        self.0.claims.mac(format!("{scope}\0{name}").as_bytes()).to_vec()
    }
}
