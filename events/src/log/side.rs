//! What commits beside the events and is not history: names, keys, secrets, and what is to be sent. `log.write_beside`
//! writes it (`migrations/log/0003_append.sql`).

use crate::{
    cloud_event::hex,
    envelope::StreamRef,
    ids::{AccountId, AuthSessionId, TenantId},
    tenant,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Rows that commit beside the events and are not history.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// Names that become a stream's own.
    pub claims: Vec<Claim>,
    /// Names that become free: scope and digest.
    pub releases: Vec<(&'static str, Vec<u8>)>,
    /// New people's wrapped keys.
    pub subject_keys: Vec<(AccountId, Vec<u8>)>,
    /// New password hashes (PHC strings).
    pub credentials: Vec<(AccountId, String)>,
    /// Sessions that begin.
    pub sessions: Vec<OpenSession>,
    /// Accounts all of whose sessions the decision knows: it is made anew when one has another session.
    pub known_sessions: Vec<(AccountId, Vec<AuthSessionId>)>,
    /// Sessions that end, and their refresh tokens with them.
    pub ended_sessions: Vec<AuthSessionId>,
    /// Accounts whose tokens to set another password with are worth nothing any more.
    pub voided_resets: Vec<AccountId>,
    /// Accounts' tokens to set another password with, each in place of the one before.
    pub reset_tokens: Vec<ResetToken>,
    /// Mail to be sent once this is committed.
    pub mails: Vec<OutgoingMail>,
    /// Sessions' new refresh tokens; those before them count as used.
    pub refresh_tokens: Vec<RefreshToken>,
}

/// A name that becomes a stream's own.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What kind of name.
    pub scope: &'static str,
    /// See [`super::Keyring::claim_digest`].
    pub digest: Vec<u8>,
    /// Whose it becomes.
    pub stream: StreamRef,
}

/// A session that begins.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The session.
    pub session_id: AuthSessionId,
    /// Whose it is.
    pub account_id: AccountId,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// A session's new refresh token.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    /// The session.
    pub session_id: AuthSessionId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// When it is worth nothing any more.
    pub expires_at: DateTime<Utc>,
}

/// A token that sets a forgotten password anew, once.
#[derive(Debug, Clone)]
pub struct ResetToken {
    /// The account.
    pub account_id: AccountId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// When it is worth nothing any more.
    pub expires_at: DateTime<Utc>,
}

/// A letter to a person, sealed with their own key.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// The letter.
    pub mail_id: Uuid,
    /// To whom.
    pub account_id: AccountId,
    /// What the command API makes a message of.
    pub sealed: Vec<u8>,
    /// When it is not worth sending any more.
    pub expires_at: DateTime<Utc>,
}

/// The rows of `log.write_beside`, which names their members.
#[derive(Default)]
pub(super) struct SideRows {
    claims: Vec<Value>,
    releases: Vec<Value>,
    subject_keys: Vec<Value>,
    credentials: Vec<Value>,
    sessions: Vec<Value>,
    known_sessions: Vec<Value>,
    ended_sessions: Vec<Value>,
    refresh_tokens: Vec<Value>,
    voided_resets: Vec<Value>,
    reset_tokens: Vec<Value>,
    mails: Vec<Value>,
}

impl SideRows {
    pub(super) fn add(&mut self, command: i32, tenant_id: TenantId, side: &Side) {
        self.claims.extend(side.claims.iter().map(|claim| {
            // Tenants are told apart by their names, and above them all stands the first superadmin: neither is a tenant's.
            let is_of_all = [tenant::SLUG_SCOPE, tenant::BOOTSTRAP_SCOPE].contains(&claim.scope);
            let tenant_id = if is_of_all { tenant::INSTALLATION } else { tenant_id };
            json!({
                "command": command, "tenant_id": tenant_id, "scope": claim.scope, "digest": bytea(&claim.digest),
                "stream_type": claim.stream.stream_type, "stream_id": claim.stream.id,
            })
        }));
        self.releases.extend(
            side.releases
                .iter()
                .map(|(scope, digest)| json!({"tenant_id": tenant_id, "scope": scope, "digest": bytea(digest)})),
        );
        self.subject_keys.extend(side.subject_keys.iter().map(|(subject_id, wrapped)| {
            json!({
                "subject_id": subject_id, "tenant_id": tenant_id, "wrapped_key": bytea(wrapped),
            })
        }));
        self.credentials.extend(
            side.credentials
                .iter()
                .map(|(account_id, phc)| json!({"account_id": account_id, "tenant_id": tenant_id, "phc": phc})),
        );
        self.sessions.extend(side.sessions.iter().map(|session| {
            json!({
                "session_id": session.session_id, "account_id": session.account_id,
                "tenant_id": tenant_id, "expires_at": session.expires_at,
            })
        }));
        self.known_sessions.extend(
            side.known_sessions.iter().map(
                |(account_id, sessions)| json!({"command": command, "account_id": account_id, "sessions": sessions}),
            ),
        );
        self.ended_sessions.extend(side.ended_sessions.iter().map(|session_id| json!({"session_id": session_id})));
        self.refresh_tokens.extend(side.refresh_tokens.iter().map(|token| {
            json!({
                "token_hash": bytea(&token.token_hash), "session_id": token.session_id,
                "expires_at": token.expires_at,
            })
        }));
        self.voided_resets.extend(side.voided_resets.iter().map(|account_id| json!({"account_id": account_id})));
        self.reset_tokens.extend(side.reset_tokens.iter().map(|token| {
            json!({
                "token_hash": bytea(&token.token_hash), "account_id": token.account_id,
                "tenant_id": tenant_id, "expires_at": token.expires_at,
            })
        }));
        self.mails.extend(side.mails.iter().map(|mail| {
            json!({
                "mail_id": mail.mail_id, "account_id": mail.account_id, "tenant_id": tenant_id,
                "sealed": bytea(&mail.sealed), "expires_at": mail.expires_at,
            })
        }));
    }

    /// The lists that have rows; `None` where there are none at all.
    pub(super) fn into_json(self) -> Option<Value> {
        let Self {
            claims,
            releases,
            subject_keys,
            credentials,
            sessions,
            known_sessions,
            ended_sessions,
            refresh_tokens,
            voided_resets,
            reset_tokens,
            mails,
        } = self;
        let all = [
            ("claims", claims),
            ("releases", releases),
            ("subject_keys", subject_keys),
            ("credentials", credentials),
            ("sessions", sessions),
            ("known_sessions", known_sessions),
            ("ended_sessions", ended_sessions),
            ("refresh_tokens", refresh_tokens),
            ("voided_resets", voided_resets),
            ("reset_tokens", reset_tokens),
            ("mails", mails),
        ];
        let some = all.into_iter().filter(|(_, rows)| !rows.is_empty());
        let some: Map<_, _> = some.map(|(name, rows)| (name.to_owned(), Value::Array(rows))).collect();
        (!some.is_empty()).then_some(Value::Object(some))
    }
}

/// PostgreSQL's hexadecimal text form of bytes.
fn bytea(bytes: &[u8]) -> String {
    format!("\\x{}", hex(bytes))
}
