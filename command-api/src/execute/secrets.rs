//! Looking up what lies beside the log and is nobody's to see: password hashes, tokens, open sessions.

use super::Executor;
use chrono::{DateTime, Utc};
use events::{
    ids::{AccountId, AuthSessionId, TenantId},
    log::bounded,
};
use ops::problem::Problem;

/// A refresh token that somebody presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRefreshToken {
    /// The session that it belongs to, still open.
    pub session_id: AuthSessionId,
    /// Whose session that is.
    pub account_id: AccountId,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// When the token is worth nothing any more.
    pub expires_at: DateTime<Utc>,
    /// Whether it was exchanged for the next one already.
    pub used: bool,
}

/// A token that sets a forgotten password anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResetToken {
    /// Whose password it sets.
    pub account_id: AccountId,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// When the token is worth nothing any more.
    pub expires_at: DateTime<Utc>,
}

impl Executor {
    /// The reset token with this SHA-256, unless it was used or another one was sent.
    pub async fn find_reset_token(&self, token_hash: &[u8; 32]) -> Result<Option<StoredResetToken>, Problem> {
        let row = sqlx::query!(
            "select account_id, tenant_id, expires_at
             from log.reset_tokens
             where token_hash = $1",
            token_hash,
        )
        .fetch_optional(self.0.log.pool());
        Ok(bounded(row).await?.map(|row| StoredResetToken {
            account_id: AccountId::new(row.account_id),
            tenant_id: TenantId::new(row.tenant_id),
            expires_at: row.expires_at,
        }))
    }

    /// The account's password hash (PHC string).
    pub async fn find_credential(&self, account: AccountId) -> Result<Option<String>, Problem> {
        let phc = sqlx::query_scalar!("select phc from log.credentials where account_id = $1", account.as_uuid())
            .fetch_optional(self.0.log.pool());
        Ok(bounded(phc).await?)
    }

    /// The refresh token with this SHA-256, unless its session has ended.
    pub async fn find_refresh_token(&self, token_hash: &[u8; 32]) -> Result<Option<StoredRefreshToken>, Problem> {
        let row = sqlx::query!(
            "select t.session_id, s.account_id, s.tenant_id, t.expires_at, t.used
             from log.refresh_tokens t
             join log.open_sessions s using (session_id)
             where t.token_hash = $1",
            token_hash,
        )
        .fetch_optional(self.0.log.pool());
        Ok(bounded(row).await?.map(|row| StoredRefreshToken {
            session_id: AuthSessionId::new(row.session_id),
            account_id: AccountId::new(row.account_id),
            tenant_id: TenantId::new(row.tenant_id),
            expires_at: row.expires_at,
            used: row.used,
        }))
    }

    /// The account's sessions that have not ended. A decision that ends them takes [`super::Work::load_sessions`].
    pub async fn open_sessions(&self, account: AccountId) -> Result<Vec<AuthSessionId>, Problem> {
        let ids = sqlx::query_scalar!(
            "select session_id
             from log.open_sessions
             where account_id = $1
             order by session_id",
            account.as_uuid(),
        )
        .fetch_all(self.0.log.pool());
        let ids = bounded(ids).await?;
        Ok(ids.into_iter().map(AuthSessionId::new).collect())
    }
}
