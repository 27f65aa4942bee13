//! What those above may do to an account: give it a role, let it in or shut it out, give it a temporary password.
//!
//! Only admins do any of it, only to accounts of roles below their own, and never to themselves. So nobody can lose the
//! installation its last superadmin: whoever could take the role away would have to stand above it.

use super::{Refusal, identifier::Email};
use crate::execute::Context;
use chrono::{DateTime, Utc};
use events::{
    Personal, Role,
    account::{Account, AccountEvent, PasswordReason, Profile},
    ids::AccountId,
};

/// What somebody above does to an account.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It may no longer log in.
    Deactivate,
    /// It may log in again.
    Activate,
    /// What it may do changes.
    ChangeRole {
        /// To this.
        role: Role,
    },
    /// It may log in to the portal, or may not.
    SetPortalAccess {
        /// Whether it may.
        granted: bool,
    },
    /// The address to log in with and to write to changes.
    ChangeEmail {
        /// To this.
        email: Email,
    },
    /// It gets a temporary password in place of the one that it has.
    ResetPassword {
        /// The end of the temporary password.
        temporary_until: DateTime<Utc>,
    },
    /// Its log-ins are let through again before their time.
    Unlock,
}

pub(super) fn decide(
    state: &Account,
    context: &Context,
    account_id: AccountId,
    standing: Standing,
) -> Result<Vec<AccountEvent>, Refusal> {
    let actor = context.actor.filter(|actor| actor.role.administers()).ok_or(Refusal::NotBelowOwn)?;
    if actor.account_id == account_id {
        return Err(Refusal::Oneself);
    }
    let profile = state.profile.as_ref().ok_or(Refusal::NotFound)?;
    if profile.role >= actor.role {
        return Err(Refusal::NotBelowOwn);
    }
    let event = match standing {
        Standing::Deactivate if !state.is_active => return Err(Refusal::AlreadyInactive),
        Standing::Deactivate => AccountEvent::Deactivated {},
        Standing::Activate if state.is_active => return Err(Refusal::AlreadyActive),
        Standing::Activate => AccountEvent::Activated {},
        Standing::ChangeRole { role } if !actor.role.may_create(role) => return Err(Refusal::RoleNotBelowOwn),
        Standing::ChangeRole { role } if role == profile.role => return Err(Refusal::AlreadyInRole),
        Standing::ChangeRole { role } => AccountEvent::RoleChanged { before: profile.role, after: role },
        Standing::SetPortalAccess { granted } => set_portal_access(state, granted)?,
        Standing::ChangeEmail { email } => return Ok(change_email(profile, account_id, &email)),
        Standing::ResetPassword { .. } if !state.is_active => return Err(Refusal::Inactive),
        Standing::ResetPassword { temporary_until } => {
            let temporary_until = Some(temporary_until);
            AccountEvent::PasswordSet { reason: PasswordReason::ResetByAdmin, temporary_until }
        }
        Standing::Unlock if !state.is_locked(context.now) => return Err(Refusal::NotLocked),
        Standing::Unlock => AccountEvent::Unlocked {},
    };
    Ok(vec![event])
}

const fn set_portal_access(state: &Account, granted: bool) -> Result<AccountEvent, Refusal> {
    match (state.portal_access, granted) {
        (true, true) => Err(Refusal::AlreadyGranted),
        (false, false) => Err(Refusal::AlreadyRevoked),
        (before, after) => Ok(AccountEvent::PortalAccessChanged { before, after }),
    }
}

/// A change to the address that it has leaves no event.
fn change_email(profile: &Profile, account_id: AccountId, email: &Email) -> Vec<AccountEvent> {
    if profile.email.as_deref() == Some(email.as_str()) {
        return Vec::new();
    }
    vec![AccountEvent::EmailChanged { email: Personal::new(account_id, email.as_str().to_owned()) }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        account::{Command, tests::account},
        given::{ADA, BOB, nobody, signed_in},
    };
    use chrono::TimeDelta;
    use events::Aggregate;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
    const BELOW_ADMIN: [Role; 3] = [Role::Learner, Role::Instructor, Role::Auditor];

    fn decided(state: &Account, role: Role, standing: Standing) -> Result<Vec<AccountEvent>, Refusal> {
        let command = Command::Stand { account_id: ADA, standing };
        crate::domain::account::decide(state, &signed_in(BOB, role), command)
    }

    fn every_standing() -> Vec<Standing> {
        vec![
            Standing::Deactivate,
            Standing::Activate,
            Standing::ChangeRole { role: Role::Learner },
            Standing::SetPortalAccess { granted: false },
            Standing::ChangeEmail { email: Email::try_new("countess@example.org").unwrap() },
            Standing::ResetPassword { temporary_until: NOW },
            Standing::Unlock,
        ]
    }

    #[test]
    fn nobody_does_any_of_it_to_themselves() {
        for role in [Role::Learner, Role::Admin, Role::Superadmin] {
            for standing in every_standing() {
                let command = Command::Stand { account_id: ADA, standing };
                let decided = crate::domain::account::decide(&account(ADA, role), &signed_in(ADA, role), command);
                let expected = if role == Role::Learner { Refusal::NotBelowOwn } else { Refusal::Oneself };
                assert_eq!(decided, Err(expected), "{role}");
            }
        }
    }

    #[test]
    fn nobody_does_any_of_it_to_somebody_of_their_role_or_above() {
        for standing in every_standing() {
            for above in [Role::Admin, Role::Superadmin] {
                let refused = decided(&account(ADA, above), Role::Admin, standing.clone());
                assert_eq!(refused, Err(Refusal::NotBelowOwn), "{above}: {standing:?}");
            }
            for role in BELOW_ADMIN {
                let refused = decided(&account(ADA, Role::Learner), role, standing.clone());
                assert_eq!(refused, Err(Refusal::NotBelowOwn), "{role}: {standing:?}");
            }
            let command = Command::Stand { account_id: ADA, standing };
            let refused = crate::domain::account::decide(&account(ADA, Role::Learner), &nobody(), command);
            assert_eq!(refused, Err(Refusal::NotBelowOwn));
        }
    }

    #[test]
    fn the_last_superadmin_is_lost_to_nobody_but_the_operator() {
        let superadmin = account(ADA, Role::Superadmin);
        for standing in [Standing::Deactivate, Standing::ChangeRole { role: Role::Admin }] {
            assert_eq!(decided(&superadmin, Role::Superadmin, standing.clone()), Err(Refusal::NotBelowOwn));
            assert!(decided(&superadmin, Role::Operator, standing).is_ok());
        }
    }

    #[test]
    fn what_is_not_there_has_no_standing() {
        for standing in every_standing() {
            assert_eq!(decided(&Account::default(), Role::Admin, standing), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn an_admin_deactivates_and_activates_accounts_below_them_once() {
        let mut state = account(ADA, Role::Auditor);
        assert_eq!(decided(&state, Role::Admin, Standing::Activate), Err(Refusal::AlreadyActive));
        let events = decided(&state, Role::Admin, Standing::Deactivate);
        assert_eq!(events, Ok(vec![AccountEvent::Deactivated {}]));
        state.evolve(&AccountEvent::Deactivated {});
        assert_eq!(decided(&state, Role::Admin, Standing::Deactivate), Err(Refusal::AlreadyInactive));
        assert_eq!(decided(&state, Role::Admin, Standing::Activate), Ok(vec![AccountEvent::Activated {}]));
    }

    #[test]
    fn a_role_changes_to_another_below_the_admins_own_and_says_what_it_was() {
        let mut state = account(ADA, Role::Learner);
        let to = |role| Standing::ChangeRole { role };
        let changed = AccountEvent::RoleChanged { before: Role::Learner, after: Role::Instructor };
        assert_eq!(decided(&state, Role::Admin, to(Role::Instructor)), Ok(vec![changed.clone()]));
        assert_eq!(decided(&state, Role::Admin, to(Role::Learner)), Err(Refusal::AlreadyInRole));
        for role in [Role::Admin, Role::Superadmin, Role::Operator] {
            assert_eq!(decided(&state, Role::Admin, to(role)), Err(Refusal::RoleNotBelowOwn), "{role}");
        }
        assert!(decided(&state, Role::Superadmin, to(Role::Admin)).is_ok());
        state.evolve(&changed);
        assert_eq!(state.profile.unwrap().role, Role::Instructor);
    }

    #[test]
    fn portal_access_is_granted_and_revoked_once_and_says_what_it_was() {
        let mut state = account(ADA, Role::Instructor);
        let set = |granted| Standing::SetPortalAccess { granted };
        assert_eq!(decided(&state, Role::Admin, set(true)), Err(Refusal::AlreadyGranted));
        let revoked = AccountEvent::PortalAccessChanged { before: true, after: false };
        assert_eq!(decided(&state, Role::Admin, set(false)), Ok(vec![revoked.clone()]));
        state.evolve(&revoked);
        assert!(!state.portal_access);
        assert_eq!(decided(&state, Role::Admin, set(false)), Err(Refusal::AlreadyRevoked));
        let granted = AccountEvent::PortalAccessChanged { before: false, after: true };
        assert_eq!(decided(&state, Role::Admin, set(true)), Ok(vec![granted]));
    }

    #[test]
    fn an_address_changes_to_another_and_to_the_same_leaves_no_event() {
        let mut state = account(ADA, Role::Learner);
        let to = |text| Standing::ChangeEmail { email: Email::try_new(text).unwrap() };
        assert_eq!(decided(&state, Role::Admin, to("Ada@Example.org")), Ok(Vec::new()));
        let events = decided(&state, Role::Admin, to("Countess@Example.org")).unwrap();
        let email = Personal::new(ADA, "countess@example.org".to_owned());
        assert_eq!(events, [AccountEvent::EmailChanged { email }]);
        state.evolve(&events[0]);
        assert_eq!(state.profile.unwrap().email.as_deref(), Some("countess@example.org"));
    }

    #[test]
    fn a_reset_gives_a_password_that_must_be_changed_and_opens_the_lock() {
        let mut state = account(ADA, Role::Learner);
        state.evolve(&AccountEvent::Locked { failures: 10, until: NOW + TimeDelta::hours(1) });
        let until = NOW + TimeDelta::hours(72);
        let events = decided(&state, Role::Admin, Standing::ResetPassword { temporary_until: until }).unwrap();
        let reset = AccountEvent::PasswordSet { reason: PasswordReason::ResetByAdmin, temporary_until: Some(until) };
        assert_eq!(events, [reset]);
        state.evolve(&events[0]);
        assert!(state.must_set_password() && !state.is_locked(NOW));
        state.evolve(&AccountEvent::Deactivated {});
        let refused = decided(&state, Role::Admin, Standing::ResetPassword { temporary_until: until });
        assert_eq!(refused, Err(Refusal::Inactive));
    }

    #[test]
    fn only_a_lock_that_holds_is_opened() {
        let mut state = account(ADA, Role::Learner);
        assert_eq!(decided(&state, Role::Admin, Standing::Unlock), Err(Refusal::NotLocked));
        state.evolve(&AccountEvent::Locked { failures: 10, until: NOW });
        assert_eq!(decided(&state, Role::Admin, Standing::Unlock), Err(Refusal::NotLocked), "it has opened by itself");
        state.evolve(&AccountEvent::Locked { failures: 11, until: NOW + TimeDelta::minutes(1) });
        assert_eq!(decided(&state, Role::Admin, Standing::Unlock), Ok(vec![AccountEvent::Unlocked {}]));
        state.evolve(&AccountEvent::Unlocked {});
        assert!(!state.is_locked(NOW));
    }
}
