//! What may happen to a session: who may start one, how long it lives, and when its refresh token is a thief's.
//!
//! Whether a password or a token is the right one was found out before; tokens and their hashes never pass through here.

use crate::execute::Context;
use chrono::{DateTime, TimeDelta, Utc};
use events::{
    Personal,
    account::Account,
    auth_session::{AuthSession, AuthSessionEvent, EndReason, SessionScope},
    ids::AccountId,
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
    /// It is to end.
    End {
        /// Why.
        reason: EndReason,
    },
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
}

/// Decides what a command does to a session.
///
/// A refresh with a token that was used before is accepted as what it is, the sign of a theft: it ends the session. The
/// caller is refused all the same; see [`ends_by_reuse`].
pub fn decide(state: &AuthSession, context: &Context, command: Command<'_>) -> Result<Vec<AuthSessionEvent>, Refusal> {
    match command {
        Command::LogIn { account_id, account, lifetimes } => log_in(context, account_id, account, lifetimes),
        Command::Refresh { account, token, lifetimes } => refresh(state, context, account, token, lifetimes),
        Command::End { .. } if state.account_id.is_none() || state.ended.is_some() => Ok(Vec::new()),
        Command::End { reason } => Ok(vec![AuthSessionEvent::Ended { reason }]),
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

fn log_in(
    context: &Context,
    account_id: AccountId,
    account: &Account,
    lifetimes: Lifetimes,
) -> Result<Vec<AuthSessionEvent>, Refusal> {
    if account.profile.is_none() || !account.is_active || account.temporary_until.is_some_and(|end| end <= context.now)
    {
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
    if state.ended.is_some() {
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
mod tests {
    use super::*;
    use crate::domain::given::{ADA, given, nobody};
    use events::{Role, account::Profile};

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
    const LIFETIMES: Lifetimes = Lifetimes { full: TimeDelta::days(7), set_password: TimeDelta::minutes(15) };
    const FRESH: PresentedToken = PresentedToken { was_used: false, expires_at: DateTime::<Utc>::MAX_UTC };

    fn account() -> Account {
        let profile = Profile {
            role: Role::Learner,
            email: Some("ada@example.org".to_owned()),
            username: None,
            first_name: None,
            last_name: None,
            bio: None,
            avatar_url: None,
        };
        Account { profile: Some(profile), is_active: true, portal_access: true, ..Account::default() }
    }

    fn log_in(account: &Account) -> Result<Vec<AuthSessionEvent>, Refusal> {
        let command = Command::LogIn { account_id: ADA, account, lifetimes: LIFETIMES };
        decide(&AuthSession::default(), &nobody(), command)
    }

    fn live() -> AuthSession {
        given(log_in(&account()).unwrap())
    }

    fn refresh(
        state: &AuthSession,
        account: &Account,
        token: PresentedToken,
    ) -> Result<Vec<AuthSessionEvent>, Refusal> {
        decide(state, &nobody(), Command::Refresh { account, token, lifetimes: LIFETIMES })
    }

    #[test]
    fn the_right_password_starts_a_full_session_that_knows_where_it_came_from() {
        let context =
            Context { address: Some("192.0.2.7".to_owned()), agent: Some("a browser".to_owned()), ..nobody() };
        let command = Command::LogIn { account_id: ADA, account: &account(), lifetimes: LIFETIMES };
        let expected = AuthSessionEvent::Started {
            account_id: ADA,
            scope: SessionScope::Full,
            expires_at: NOW + TimeDelta::days(7),
            address: Some(Personal::new(ADA, "192.0.2.7".to_owned())),
            agent: Some(Personal::new(ADA, "a browser".to_owned())),
        };
        assert_eq!(decide(&AuthSession::default(), &context, command), Ok(vec![expected]));
    }

    #[test]
    fn a_temporary_password_starts_a_short_session_that_only_sets_a_password() {
        let temporary = Account { temporary_until: Some(NOW + TimeDelta::hours(1)), ..account() };
        let events = log_in(&temporary).unwrap();
        let [AuthSessionEvent::Started { scope, expires_at, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((*scope, *expires_at), (SessionScope::SetPassword, NOW + TimeDelta::minutes(15)));
    }

    #[test]
    fn an_expired_temporary_password_is_a_wrong_one() {
        let expired = Account { temporary_until: Some(NOW), ..account() };
        assert_eq!(log_in(&expired), Err(Refusal::WrongCredentials));
    }

    #[test]
    fn a_deactivated_account_cannot_be_told_from_a_wrong_password() {
        let inactive = Account { is_active: false, portal_access: false, ..account() };
        assert_eq!(log_in(&inactive), Err(Refusal::WrongCredentials));
        assert_eq!(log_in(&Account::default()), Err(Refusal::WrongCredentials));
    }

    #[test]
    fn without_portal_access_nobody_logs_in() {
        let revoked = Account { portal_access: false, ..account() };
        assert_eq!(log_in(&revoked), Err(Refusal::PortalAccessRevoked));
    }

    #[test]
    fn a_refresh_moves_the_end_of_the_session() {
        let expected = AuthSessionEvent::Refreshed { expires_at: NOW + TimeDelta::days(7) };
        assert_eq!(refresh(&live(), &account(), FRESH), Ok(vec![expected]));
    }

    #[test]
    fn a_refresh_token_used_twice_ends_its_session() {
        let reused = PresentedToken { was_used: true, ..FRESH };
        let events = refresh(&live(), &account(), reused).unwrap();
        assert_eq!(events, [AuthSessionEvent::Ended { reason: EndReason::RefreshTokenReused }]);
        assert!(ends_by_reuse(&events));
        assert!(!ends_by_reuse(&refresh(&live(), &account(), FRESH).unwrap()));
    }

    #[test]
    fn an_expired_token_refreshes_nothing() {
        let expired = PresentedToken { expires_at: NOW, ..FRESH };
        assert_eq!(refresh(&live(), &account(), expired), Err(Refusal::InvalidRefreshToken));
    }

    #[test]
    fn an_ended_or_expired_session_is_not_refreshed() {
        for reason in [EndReason::LoggedOut, EndReason::RefreshTokenReused] {
            let ended = AuthSession { ended: Some(reason), ..live() };
            assert_eq!(refresh(&ended, &account(), FRESH), Err(Refusal::InvalidRefreshToken));
            let reused = PresentedToken { was_used: true, ..FRESH };
            assert_eq!(refresh(&ended, &account(), reused), Err(Refusal::InvalidRefreshToken));
        }
        let expired = AuthSession { expires_at: Some(NOW), ..live() };
        assert_eq!(refresh(&expired, &account(), FRESH), Err(Refusal::InvalidRefreshToken));
    }

    #[test]
    fn who_may_no_longer_log_in_does_not_refresh() {
        for account in [
            Account { is_active: false, ..account() },
            Account { portal_access: false, ..account() },
            Account { temporary_until: Some(NOW + TimeDelta::hours(1)), ..account() },
        ] {
            assert_eq!(refresh(&live(), &account, FRESH), Err(Refusal::InvalidRefreshToken));
        }
    }

    #[test]
    fn a_session_ends_once() {
        let end = Command::End { reason: EndReason::LoggedOut };
        let events = decide(&live(), &nobody(), end).unwrap();
        assert_eq!(events, [AuthSessionEvent::Ended { reason: EndReason::LoggedOut }]);
        let ended = AuthSession { ended: Some(EndReason::PasswordChanged), ..live() };
        assert_eq!(decide(&ended, &nobody(), end), Ok(Vec::new()));
    }

    #[test]
    fn a_token_of_an_ended_session_is_worth_nothing() {
        assert_eq!(check_live(&live(), &nobody()), Ok(()));
        let ended = AuthSession { ended: Some(EndReason::LoggedOut), ..live() };
        assert_eq!(check_live(&ended, &nobody()), Err(Refusal::SessionEnded));
    }
}
