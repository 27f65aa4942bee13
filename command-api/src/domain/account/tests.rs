//! The rules of accounts, each as given, when, then.

use super::*;
use crate::domain::given::{ADA, BOB, given, nobody, signed_in};
use chrono::TimeDelta;
use events::Aggregate;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn person(account_id: AccountId) -> Person {
    Person {
        account_id,
        email: Email::try_new("ada@example.org").unwrap(),
        username: Some(Username::try_new("ada").unwrap()),
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
    }
}

pub(super) fn account(account_id: AccountId, role: Role) -> Account {
    let password = Some((PasswordReason::Registration, None));
    given(come_to_be(&nobody(), person(account_id), role, Origin::Admin, true, password))
}

fn create(role: Role) -> Command {
    let temporary_until = NOW + TimeDelta::hours(72);
    Command::Create { person: person(ADA), role, portal_access: true, temporary_until }
}

fn update(change: ProfileChange) -> Command {
    Command::UpdateProfile { account_id: ADA, change }
}

#[test]
fn who_registers_is_a_learner_with_a_password_of_their_own() {
    let command = Command::Register { person: person(ADA), policy: RegistrationPolicy::Open };
    let state: Account = given(decide(&Account::default(), &nobody(), command).unwrap());
    let profile = state.profile.as_ref().unwrap();
    assert_eq!(profile.role, Role::Learner);
    assert_eq!(profile.email.as_deref(), Some("ada@example.org"));
    assert_eq!(profile.username.as_deref(), Some("ada"));
    assert!(state.is_active && state.portal_access && !state.must_set_password());
}

#[test]
fn nobody_registers_unless_registration_is_open() {
    for policy in [RegistrationPolicy::Invite, RegistrationPolicy::Closed] {
        let command = Command::Register { person: person(ADA), policy };
        assert_eq!(decide(&Account::default(), &nobody(), command), Err(Refusal::RegistrationClosed));
    }
}

#[test]
fn an_admin_creates_accounts_below_their_own_role_with_a_temporary_password() {
    for role in [Role::Learner, Role::Instructor, Role::Auditor] {
        let state: Account = given(decide(&Account::default(), &signed_in(BOB, Role::Admin), create(role)).unwrap());
        assert_eq!(state.profile.as_ref().unwrap().role, role);
        assert_eq!(state.temporary_until, Some(NOW + TimeDelta::hours(72)));
    }
    for role in [Role::Admin, Role::Superadmin] {
        let decided = decide(&Account::default(), &signed_in(BOB, Role::Admin), create(role));
        assert_eq!(decided, Err(Refusal::RoleNotBelowOwn));
    }
}

#[test]
fn a_superadmin_creates_admins_and_no_second_superadmin() {
    let superadmin = signed_in(BOB, Role::Superadmin);
    assert!(decide(&Account::default(), &superadmin, create(Role::Admin)).is_ok());
    let decided = decide(&Account::default(), &superadmin, create(Role::Superadmin));
    assert_eq!(decided, Err(Refusal::RoleNotBelowOwn));
}

#[test]
fn only_admins_create_accounts() {
    for role in [Role::Learner, Role::Instructor, Role::Auditor] {
        let decided = decide(&Account::default(), &signed_in(BOB, role), create(Role::Learner));
        assert_eq!(decided, Err(Refusal::RoleNotBelowOwn), "{role}");
    }
    let decided = decide(&Account::default(), &nobody(), create(Role::Learner));
    assert_eq!(decided, Err(Refusal::RoleNotBelowOwn));
}

#[test]
fn portal_access_can_be_withheld_at_creation() {
    let command =
        Command::Create { person: person(ADA), role: Role::Instructor, portal_access: false, temporary_until: NOW };
    let state: Account = given(decide(&Account::default(), &signed_in(BOB, Role::Admin), command).unwrap());
    assert!(!state.portal_access);
}

#[test]
fn who_was_invited_has_the_invitations_role_and_a_password_of_their_own() {
    let command = Command::RegisterInvited { person: person(ADA), role: Role::Instructor };
    let state: Account = given(decide(&Account::default(), &nobody(), command).unwrap());
    assert_eq!(state.profile.as_ref().unwrap().role, Role::Instructor);
    assert!(!state.must_set_password());
}

#[test]
fn a_list_brings_accounts_below_the_admins_own_role_with_their_password_or_none() {
    let import = |role, has_password| Command::Import { person: person(ADA), role, portal_access: false, has_password };
    let admin = signed_in(BOB, Role::Admin);
    let events = decide(&Account::default(), &admin, import(Role::Learner, true)).unwrap();
    let [AccountEvent::Registered { origin: Origin::Import, portal_access: false, .. }, password] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*password, AccountEvent::PasswordSet { reason: PasswordReason::Imported, temporary_until: None });
    assert_eq!(decide(&Account::default(), &admin, import(Role::Learner, false)).unwrap().len(), 1);
    let refused = decide(&Account::default(), &admin, import(Role::Admin, false));
    assert_eq!(refused, Err(Refusal::RoleNotBelowOwn));
}

#[test]
fn the_bootstrap_makes_a_superadmin_without_a_temporary_password() {
    let command = Command::Bootstrap { person: person(ADA) };
    let state: Account = given(decide(&Account::default(), &nobody(), command).unwrap());
    assert_eq!(state.profile.as_ref().unwrap().role, Role::Superadmin);
    assert!(!state.must_set_password());
}

#[test]
fn a_profile_keeps_what_is_not_changed_and_clears_what_is_set_to_nothing() {
    let own = signed_in(ADA, Role::Learner);
    let mut state = account(ADA, Role::Learner);
    let bio = ProfileChange { bio: Some(Some("Wrote notes.".to_owned())), ..ProfileChange::default() };
    for event in decide(&state, &own, update(bio)).unwrap() {
        state.evolve(&event);
    }
    let profile = state.profile.clone().unwrap();
    assert_eq!((profile.first_name.as_deref(), profile.bio.as_deref()), (Some("Ada"), Some("Wrote notes.")));

    let cleared = ProfileChange { first_name: Some("Augusta".to_owned()), bio: Some(None), ..ProfileChange::default() };
    for event in decide(&state, &own, update(cleared)).unwrap() {
        state.evolve(&event);
    }
    let profile = state.profile.unwrap();
    assert_eq!((profile.first_name.as_deref(), profile.bio), (Some("Augusta"), None));
    assert_eq!(profile.last_name.as_deref(), Some("Lovelace"));
}

#[test]
fn a_change_to_what_already_is_leaves_no_event() {
    let same = ProfileChange { first_name: Some("Ada".to_owned()), ..ProfileChange::default() };
    let decided = decide(&account(ADA, Role::Learner), &signed_in(ADA, Role::Learner), update(same));
    assert_eq!(decided, Ok(Vec::new()));
}

#[test]
fn a_profile_is_changed_by_its_person_or_by_an_admin_above_them() {
    let change = || update(ProfileChange { first_name: Some("Eve".to_owned()), ..ProfileChange::default() });
    let learner = account(ADA, Role::Learner);
    assert!(decide(&learner, &signed_in(BOB, Role::Admin), change()).is_ok());
    for role in [Role::Learner, Role::Instructor, Role::Auditor] {
        let decided = decide(&learner, &signed_in(BOB, role), change());
        assert_eq!(decided, Err(Refusal::NotOwnNorAdmin), "{role}");
    }
    let superadmin = account(ADA, Role::Superadmin);
    assert_eq!(decide(&superadmin, &signed_in(BOB, Role::Admin), change()), Err(Refusal::NotOwnNorAdmin));
    assert!(decide(&superadmin, &signed_in(ADA, Role::Superadmin), change()).is_ok());
}

#[test]
fn who_may_not_change_others_does_not_learn_who_there_is() {
    let decided = decide(&Account::default(), &signed_in(BOB, Role::Learner), update(ProfileChange::default()));
    assert_eq!(decided, Err(Refusal::NotOwnNorAdmin));
    let decided = decide(&Account::default(), &signed_in(BOB, Role::Admin), update(ProfileChange::default()));
    assert_eq!(decided, Err(Refusal::NotFound));
}

#[test]
fn a_chosen_password_ends_the_temporary_one() {
    let mut state = account(ADA, Role::Learner);
    state.evolve(&AccountEvent::PasswordSet { reason: PasswordReason::Temporary, temporary_until: Some(NOW) });
    assert!(state.must_set_password());
    for event in decide(&state, &signed_in(ADA, Role::Learner), Command::SetPassword).unwrap() {
        state.evolve(&event);
    }
    assert!(!state.must_set_password());
}

#[test]
fn who_is_shut_out_sets_no_password() {
    let mut state = account(ADA, Role::Learner);
    state.evolve(&AccountEvent::Deactivated {});
    let decided = decide(&state, &signed_in(ADA, Role::Learner), Command::SetPassword);
    assert_eq!(decided, Err(Refusal::Inactive));
    let decided = decide(&Account::default(), &signed_in(ADA, Role::Learner), Command::SetPassword);
    assert_eq!(decided, Err(Refusal::NotFound));
}

fn forget() -> Command {
    Command::ForgetPassword { account_id: ADA, expires_at: NOW + TimeDelta::minutes(30) }
}

#[test]
fn who_forgot_their_password_is_sent_what_ends_in_time_and_it_is_told_where_the_wish_came_from() {
    let asking = Context { address: Some("192.0.2.7".to_owned()), agent: Some("curl".to_owned()), ..nobody() };
    let own = |text: &str| Some(Personal::new(ADA, text.to_owned()));
    let requested = AccountEvent::PasswordResetRequested {
        expires_at: NOW + TimeDelta::minutes(30),
        address: own("192.0.2.7"),
        agent: own("curl"),
    };
    assert_eq!(decide(&account(ADA, Role::Learner), &asking, forget()), Ok(vec![requested]));
}

#[test]
fn nothing_is_sent_to_who_is_not_there_or_shut_out() {
    let mut state = account(ADA, Role::Learner);
    state.evolve(&AccountEvent::Deactivated {});
    for state in [Account::default(), state] {
        assert_eq!(decide(&state, &nobody(), forget()), Err(Refusal::NotFound));
    }
}

#[test]
fn who_recovers_an_account_has_a_password_of_their_own_and_no_lock() {
    let mut state = account(ADA, Role::Learner);
    state.evolve(&AccountEvent::PasswordSet { reason: PasswordReason::Temporary, temporary_until: Some(NOW) });
    state.evolve(&AccountEvent::Locked { failures: 10, until: NOW + TimeDelta::hours(1) });
    let events = decide(&state, &nobody(), Command::Recover).unwrap();
    assert_eq!(events, [AccountEvent::PasswordSet { reason: PasswordReason::Forgotten, temporary_until: None }]);
    state.evolve(&events[0]);
    assert!(!state.must_set_password() && !state.is_locked(NOW));
}

#[test]
fn who_is_not_there_or_shut_out_recovers_nothing() {
    assert_eq!(decide(&Account::default(), &nobody(), Command::Recover), Err(Refusal::NotFound));
    let mut state = account(ADA, Role::Learner);
    state.evolve(&AccountEvent::Deactivated {});
    assert_eq!(decide(&state, &nobody(), Command::Recover), Err(Refusal::Inactive));
}

#[test]
fn too_many_failures_lock_an_account_once_until_the_lock_has_ended() {
    let lock = || Command::Lock { failures: 10, until: NOW + TimeDelta::minutes(15) };
    let mut state = account(ADA, Role::Learner);
    let events = decide(&state, &nobody(), lock()).unwrap();
    assert_eq!(events, [AccountEvent::Locked { failures: 10, until: NOW + TimeDelta::minutes(15) }]);
    state.evolve(&events[0]);
    assert!(state.is_locked(NOW));
    assert_eq!(decide(&state, &nobody(), lock()), Ok(Vec::new()), "it is locked already");
    let later = Context { now: NOW + TimeDelta::minutes(15), ..nobody() };
    assert!(!state.is_locked(later.now));
    assert_eq!(decide(&state, &later, lock()).map(|events| events.len()), Ok(1));
}

#[test]
fn what_nobody_can_log_in_to_is_not_locked() {
    let mut state = account(ADA, Role::Learner);
    state.evolve(&AccountEvent::Deactivated {});
    for state in [Account::default(), state] {
        let decided = decide(&state, &nobody(), Command::Lock { failures: 10, until: NOW });
        assert_eq!(decided, Ok(Vec::new()));
    }
}

#[test]
fn a_user_name_changes_and_is_given_up_apart_from_the_profile() {
    let own = signed_in(ADA, Role::Learner);
    let mut state = account(ADA, Role::Learner);
    let rename = |name: Option<&str>| {
        let username = Some(name.map(|name| Username::try_new(name).unwrap()));
        update(ProfileChange { username, ..ProfileChange::default() })
    };
    assert_eq!(decide(&state, &own, rename(Some("ADA"))), Ok(Vec::new()));
    let events = decide(&state, &own, rename(Some("Countess"))).unwrap();
    let username = Some(Personal::new(ADA, "countess".to_owned()));
    assert_eq!(events, [AccountEvent::UsernameChanged { username }]);
    state.evolve(&events[0]);
    let events = decide(&state, &own, rename(None)).unwrap();
    assert_eq!(events, [AccountEvent::UsernameChanged { username: None }]);
    state.evolve(&events[0]);
    assert_eq!(state.profile.unwrap().username, None);
}
