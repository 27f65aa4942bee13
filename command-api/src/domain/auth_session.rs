//! What may happen to a session: who may start one, how long it lives, and when its refresh token is a thief's.
//!
//! Whether a password or a token is the right one was found out before; tokens and their hashes never pass through here.

use crate::execute::Context;
use chrono::{DateTime, TimeDelta, Utc};
use events::{
    Personal,
    account::Account,
    auth_session::{AuthSession, AuthSessionEvent, EndReason, SessionScope},
    ids::{AccountId, AuthSessionId},
};

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From log-in or refresh to the end, unless refreshed again.
    pub full: TimeDelta,
    /// Of a session that can only set a password.
    pub set_password: TimeDelta,
}

/// What is known of a refresh token that somebody presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken {
    /// Whether it was exchanged before.
    pub was_used: bool,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// What somebody wants to do with a session.
#[derive(Debug, Clone, Copy)]
pub enum Command<'a> {
    /// Somebody has shown the right password of an account.
    LogIn {
        /// The account's id.
        account_id: AccountId,
        /// The account.
        account: &'a Account,
        /// How long sessions live.
        lifetimes: Lifetimes,
    },
    /// Somebody presents a refresh token of the session.
    Refresh {
        /// The session's account.
        account: &'a Account,
        /// What they present.
        token: PresentedToken,
        /// How long sessions live.
        lifetimes: Lifetimes,
    },
    /// It ends because of something that happened to its account.
    End {
        /// Why.
        reason: EndReason,
    },
    /// Its own person ends it, from this session or from another.
    EndOwn {
        /// Which.
        session_id: AuthSessionId,
    },
    /// Somebody who administers its account ends it.
    Revoke {
        /// The account that they name.
        account_id: AccountId,
        /// The account.
        account: &'a Account,
    },
    /// Nobody refreshed it in time.
    Expire,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One answer for every failure, so that nobody finds out which accounts there are.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// The account may not log in to the portal.
    #[error("this account has no access to the portal: ask an admin")]
    PortalAccessRevoked,
    /// The token is unknown, used, expired, or its session or account has ended.
    #[error("the refresh token is not valid: log in again")]
    InvalidRefreshToken,
    /// The session is over.
    #[error("the session has ended: log in again")]
    SessionEnded,
    /// There is no such session, or it is somebody else's.
    #[error("there is no such session")]
    NotFound,
    /// Sessions are revoked by those above their account.
    #[error("only an admin may do this, and only to accounts of roles below their own")]
    NotBelowOwn,
}

/// Decides what a command does to a session.
///
/// A refresh with a token that was used before is accepted as what it is, the sign of a theft: it ends the session. The
/// caller is refused all the same; see [`ends_by_reuse`].
pub fn decide(state: &AuthSession, context: &Context, command: Command<'_>) -> Result<Vec<AuthSessionEvent>, Refusal> {
    match command {
        Command::LogIn { account_id, account, lifetimes } => log_in(context, account_id, account, lifetimes),
        Command::Refresh { account, token, lifetimes } => refresh(state, context, account, token, lifetimes),
        Command::End { reason } => Ok(once(state, AuthSessionEvent::Ended { reason })),
        Command::EndOwn { session_id } => {
            let actor = context.actor.filter(|actor| state.account_id == Some(actor.account_id));
            let is_here = actor.ok_or(Refusal::NotFound)?.session_id == session_id;
            let reason = if is_here { EndReason::LoggedOut } else { EndReason::EndedByOwner };
            Ok(once(state, AuthSessionEvent::Ended { reason }))
        }
        Command::Revoke { account_id, account } => {
            check_above(context, account)?;
            if state.account_id == Some(account_id) {
                Ok(once(state, AuthSessionEvent::Revoked {}))
            } else {
                Err(Refusal::NotFound)
            }
        }
        Command::Expire if state.is_live(context.now) => Ok(Vec::new()),
        Command::Expire => Ok(once(state, AuthSessionEvent::Expired {})),
    }
}

/// Whether the events of a refresh mean that its token was used before, and the caller is to be turned away.
pub fn ends_by_reuse(events: &[AuthSessionEvent]) -> bool {
    events.iter().any(|event| matches!(event, AuthSessionEvent::Ended { reason: EndReason::RefreshTokenReused }))
}

/// Whether what is asked for in a session may still be done: an access token outlives the end of its session.
pub fn check_live(state: &AuthSession, context: &Context) -> Result<(), Refusal> {
    if state.is_live(context.now) { Ok(()) } else { Err(Refusal::SessionEnded) }
}

/// Whether the caller administers the account: an admin, over accounts of lower roles.
pub fn check_above(context: &Context, account: &Account) -> Result<(), Refusal> {
    let actor = context.actor.filter(|actor| actor.role.administers()).ok_or(Refusal::NotBelowOwn)?;
    let profile = account.profile.as_ref().ok_or(Refusal::NotFound)?;
    if profile.role < actor.role { Ok(()) } else { Err(Refusal::NotBelowOwn) }
}

/// A session ends once; one that never began does not end.
fn once(state: &AuthSession, end: AuthSessionEvent) -> Vec<AuthSessionEvent> {
    if state.account_id.is_none() || state.has_ended { Vec::new() } else { vec![end] }
}

/// Whether any password would let somebody into the account: it is there, active and not locked, and its temporary
/// password has not expired. Where it would not, the right one is answered as a wrong one is.
pub fn may_try(account: &Account, context: &Context) -> bool {
    let has_expired = account.temporary_until.is_some_and(|end| end <= context.now);
    account.profile.is_some() && account.is_active && !has_expired && !account.is_locked(context.now)
}

fn log_in(
    context: &Context,
    account_id: AccountId,
    account: &Account,
    lifetimes: Lifetimes,
) -> Result<Vec<AuthSessionEvent>, Refusal> {
    if !may_try(account, context) {
        return Err(Refusal::WrongCredentials);
    }
    if !account.portal_access {
        return Err(Refusal::PortalAccessRevoked);
    }
    let (scope, lifetime) = if account.must_set_password() {
        (SessionScope::SetPassword, lifetimes.set_password)
    } else {
        (SessionScope::Full, lifetimes.full)
    };
    Ok(vec![AuthSessionEvent::Started {
        account_id,
        scope,
        expires_at: context.now + lifetime,
        address: context.address.clone().map(|address| Personal::new(account_id, address)),
        agent: context.agent.clone().map(|agent| Personal::new(account_id, agent)),
    }])
}

fn refresh(
    state: &AuthSession,
    context: &Context,
    account: &Account,
    token: PresentedToken,
    lifetimes: Lifetimes,
) -> Result<Vec<AuthSessionEvent>, Refusal> {
    if state.has_ended {
        return Err(Refusal::InvalidRefreshToken);
    }
    // Before all else: a thief who comes late is still a thief.
    if token.was_used {
        return Ok(vec![AuthSessionEvent::Ended { reason: EndReason::RefreshTokenReused }]);
    }
    let may_go_on = account.is_active && account.portal_access && !account.must_set_password();
    if !may_go_on || !state.is_live(context.now) || token.expires_at <= context.now {
        return Err(Refusal::InvalidRefreshToken);
    }
    Ok(vec![AuthSessionEvent::Refreshed { expires_at: context.now + lifetimes.full }])
}

#[cfg(test)]
mod tests;
