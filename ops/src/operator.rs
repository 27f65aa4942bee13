//! Whom the operator's command acts as: nobody's account, in the role `operator`, above all others.
//!
//! Whoever holds the signing key can be anyone; this makes them someone whom the log names as what they are.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::tokens::{Grant, SignError, Signer, TokenScope};

/// Who the log says it was: `actorid` of what the operator's command did.
pub const OPERATOR_ID: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000);
/// The tenant of an installation that serves one organisation.
pub const DEFAULT_TENANT_ID: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);
/// The role that no account has.
pub const OPERATOR_ROLE: &str = "operator";

/// A token for the operator in a tenant, for as long as the signer's tokens live.
pub fn token(signer: &Signer, tenant_id: Uuid, now: DateTime<Utc>) -> Result<String, SignError> {
    let grant = Grant {
        account_id: OPERATOR_ID,
        tenant_id,
        // Names this one run of the command in the log.
        session_id: Uuid::now_v7(),
        role: OPERATOR_ROLE.to_owned(),
        scope: TokenScope::Full,
    };
    signer.issue(grant, now).map(|(token, _)| token)
}
