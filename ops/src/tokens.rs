//! Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), checked without asking anyone.
//!
//! The command API signs; every process verifies with the public key set (`keys`), and refuses tokens of sessions that
//! have ended (`ended`). Keys change while processes run (`reload`). What a role may do is left to the processes.
//!
//! A token lives for [`MAX_LIFETIME`] at most, whoever signed it. All that outlives a token is bounded by that: how long
//! an ended session is remembered, and how long a retired key verifies.

mod ended;
mod keys;
mod reload;
mod signer;
mod verifier;

pub use ended::{EndedSessions, REMEMBERED};
pub use keys::{Jwk, Jwks, KeyError, generate_signing_key_pem};
pub use reload::watch_files;
pub use signer::{SignError, Signer};
pub use verifier::{TokenError, Verifier};

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A token that would live longer is not accepted.
pub const MAX_LIFETIME: Duration = Duration::from_hours(1);
/// How far the clocks of two machines may differ.
pub const LEEWAY: Duration = Duration::from_secs(5);

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

#[cfg(test)]
mod tests;
