//! The rules of sessions, as given/when/then.

use super::*;
use crate::domain::given::{ADA, BOB, account, ada_as, given, nobody, signed_in};
use events::{Role, ids::AuthSessionId};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
const LIFETIMES: Lifetimes = Lifetimes { full: TimeDelta::days(7), set_password: TimeDelta::minutes(15) };
const FRESH: PresentedToken = PresentedToken { was_used: false, expires_at: DateTime::<Utc>::MAX_UTC };

fn log_in(account: &Account) -> Result<Vec<AuthSessionEvent>, Refusal> {
    let command = Command::LogIn { account_id: ADA, account, lifetimes: LIFETIMES };
    decide(&AuthSession::default(), &nobody(), command)
}

fn live() -> AuthSession {
    given(log_in(&account()).unwrap())
}

fn refresh(state: &AuthSession, account: &Account, token: PresentedToken) -> Result<Vec<AuthSessionEvent>, Refusal> {
    decide(state, &nobody(), Command::Refresh { account, token, lifetimes: LIFETIMES })
}

#[test]
fn the_right_password_starts_a_full_session_that_knows_where_it_came_from() {
    let context = Context { address: Some("192.0.2.7".to_owned()), agent: Some("a browser".to_owned()), ..nobody() };
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
fn a_locked_account_cannot_be_told_from_a_wrong_password_and_opens_by_itself() {
    let locked = Account { locked_until: Some(NOW + TimeDelta::minutes(15)), ..account() };
    assert_eq!(log_in(&locked), Err(Refusal::WrongCredentials));
    let opened = Account { locked_until: Some(NOW), ..account() };
    assert!(log_in(&opened).is_ok());
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
    let ended = AuthSession { has_ended: true, ..live() };
    assert_eq!(refresh(&ended, &account(), FRESH), Err(Refusal::InvalidRefreshToken));
    let reused = PresentedToken { was_used: true, ..FRESH };
    assert_eq!(refresh(&ended, &account(), reused), Err(Refusal::InvalidRefreshToken));
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
    let ended = AuthSession { has_ended: true, ..live() };
    assert_eq!(decide(&ended, &nobody(), end), Ok(Vec::new()));
}

#[test]
fn a_token_of_an_ended_session_is_worth_nothing() {
    assert_eq!(check_live(&live(), &nobody()), Ok(()));
    let ended = AuthSession { has_ended: true, ..live() };
    assert_eq!(check_live(&ended, &nobody()), Err(Refusal::SessionEnded));
}

/// A session of Ada's.
const SESSION: AuthSessionId = AuthSessionId::new(uuid::Uuid::from_u128(0x5e));

#[test]
fn somebody_ends_their_own_session_from_another_one() {
    let end = Command::EndOwn { session_id: SESSION };
    let ended = vec![AuthSessionEvent::Ended { reason: EndReason::EndedByOwner }];
    assert_eq!(decide(&live(), &ada_as(Role::Learner), end), Ok(ended));
    let gone = AuthSession { has_ended: true, ..live() };
    assert_eq!(decide(&gone, &ada_as(Role::Learner), end), Ok(Vec::new()));
}

#[test]
fn to_end_the_session_that_one_is_in_is_to_log_out() {
    let here = ada_as(Role::Learner);
    let session_id = here.actor.unwrap().session_id;
    let out = vec![AuthSessionEvent::Ended { reason: EndReason::LoggedOut }];
    assert_eq!(decide(&live(), &here, Command::EndOwn { session_id }), Ok(out));
}

#[test]
fn nobody_learns_of_sessions_that_are_not_theirs() {
    let end = Command::EndOwn { session_id: SESSION };
    assert_eq!(decide(&live(), &signed_in(BOB, Role::Superadmin), end), Err(Refusal::NotFound));
    assert_eq!(decide(&AuthSession::default(), &ada_as(Role::Learner), end), Err(Refusal::NotFound));
}

#[test]
fn an_admin_revokes_sessions_of_accounts_below_their_own() {
    let account = account();
    let revoke = Command::Revoke { account_id: ADA, account: &account };
    let admin = signed_in(BOB, Role::Admin);
    assert_eq!(decide(&live(), &admin, revoke), Ok(vec![AuthSessionEvent::Revoked {}]));
    for role in [Role::Learner, Role::Instructor, Role::Auditor] {
        assert_eq!(decide(&live(), &signed_in(BOB, role), revoke), Err(Refusal::NotBelowOwn), "{role}");
    }
    let mut equal = account.clone();
    equal.profile.as_mut().unwrap().role = Role::Admin;
    let revoke = Command::Revoke { account_id: ADA, account: &equal };
    assert_eq!(decide(&live(), &admin, revoke), Err(Refusal::NotBelowOwn));
    let of_another = Command::Revoke { account_id: BOB, account: &account };
    assert_eq!(decide(&live(), &admin, of_another), Err(Refusal::NotFound));
}

#[test]
fn a_session_expires_when_its_time_has_come_and_not_before() {
    let late = Context { now: NOW + TimeDelta::days(7), ..nobody() };
    assert_eq!(decide(&live(), &late, Command::Expire), Ok(vec![AuthSessionEvent::Expired {}]));
    assert_eq!(decide(&live(), &nobody(), Command::Expire), Ok(Vec::new()));
    let ended = AuthSession { has_ended: true, ..live() };
    assert_eq!(decide(&ended, &late, Command::Expire), Ok(Vec::new()));
}
