//! What may happen to an invitation: who may invite whom, and whose it is to accept.
//!
//! Its token is drawn and found out elsewhere; whoever accepts has shown it. The account that begins with it is decided
//! in `domain/account`.

use super::account::{RegistrationPolicy, identifier::Email};
use crate::execute::Context;
use chrono::{DateTime, Utc};
use events::{
    Personal, Role,
    ids::AccountId,
    invitation::{Fate, Invitation, InvitationEvent, Terms},
};

/// What somebody wants to do with an invitation.
#[derive(Debug, Clone)]
pub enum Command {
    /// An admin invites somebody.
    Issue {
        /// The id that the account will have.
        account_id: AccountId,
        /// Whom.
        email: Email,
        /// What they will be able to do.
        role: Role,
        /// Until when.
        expires_at: DateTime<Utc>,
        /// Whether people may come by invitation at all.
        policy: RegistrationPolicy,
    },
    /// Who was invited comes.
    Accept {
        /// The address that they register with.
        email: Email,
        /// Whether people may come by invitation at all.
        policy: RegistrationPolicy,
    },
    /// An admin takes it back.
    Revoke,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Roles are given by those above them.
    #[error("only an admin may invite, and only to roles below their own")]
    RoleNotBelowOwn,
    /// Nobody comes by invitation here.
    #[error("this organisation takes no registrations, not by invitation either: create the account instead")]
    RegistrationClosed,
    /// Whoever shows it is told nothing of why.
    #[error("the invitation is unknown, used, taken back or expired: ask for another one")]
    Invalid,
    /// It is somebody else's.
    #[error("must be the address that was invited")]
    OtherAddress,
    /// There is no such invitation.
    #[error("there is no such invitation")]
    NotFound,
    /// There is nothing left to take back.
    #[error("the invitation was accepted already")]
    AlreadyAccepted,
    /// It was taken back before.
    #[error("the invitation was revoked already")]
    AlreadyRevoked,
}

/// Decides what a command does to an invitation.
pub fn decide(state: &Invitation, context: &Context, command: Command) -> Result<Vec<InvitationEvent>, Refusal> {
    match command {
        Command::Issue { account_id, email, role, expires_at, policy } => {
            let actor = context.actor.filter(|actor| actor.role.may_create(role)).ok_or(Refusal::RoleNotBelowOwn)?;
            // The operator's stands above the policy: without it nobody could begin, or begin again.
            if policy == RegistrationPolicy::Closed && actor.role != Role::Operator {
                return Err(Refusal::RegistrationClosed);
            }
            let email = Personal::new(account_id, email.as_str().to_owned());
            let invited_by = actor.account_id;
            Ok(vec![InvitationEvent::Issued { account_id, email, role, invited_by, expires_at }])
        }
        Command::Accept { email, policy } => accept(state, context, &email, policy),
        Command::Revoke => revoke(state, context),
    }
}

fn accept(
    state: &Invitation,
    context: &Context,
    email: &Email,
    policy: RegistrationPolicy,
) -> Result<Vec<InvitationEvent>, Refusal> {
    let Invitation { terms: Some(terms), fate: None } = state else { return Err(Refusal::Invalid) };
    if terms.expires_at <= context.now {
        return Err(Refusal::Invalid);
    }
    // Only the operator invites superadmins.
    if policy == RegistrationPolicy::Closed && terms.role != Role::Superadmin {
        return Err(Refusal::RegistrationClosed);
    }
    if terms.email.as_deref() != Some(email.as_str()) {
        return Err(Refusal::OtherAddress);
    }
    Ok(vec![InvitationEvent::Accepted { account_id: terms.account_id }])
}

/// An expired invitation may be taken back too: whoever does it wants to be sure.
fn revoke(state: &Invitation, context: &Context) -> Result<Vec<InvitationEvent>, Refusal> {
    let actor = context.actor.filter(|actor| actor.role.administers()).ok_or(Refusal::RoleNotBelowOwn)?;
    let Terms { role, .. } = state.terms.as_ref().ok_or(Refusal::NotFound)?;
    if !actor.role.may_create(*role) {
        return Err(Refusal::RoleNotBelowOwn);
    }
    match state.fate {
        None => Ok(vec![InvitationEvent::Revoked {}]),
        Some(Fate::Accepted) => Err(Refusal::AlreadyAccepted),
        Some(Fate::Revoked) => Err(Refusal::AlreadyRevoked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ADA, BOB, given, nobody, signed_in};
    use chrono::TimeDelta;
    use events::Aggregate;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn email() -> Email {
        Email::try_new("ada@example.org").unwrap()
    }

    fn issue(actor: &Context, role: Role, policy: RegistrationPolicy) -> Result<Vec<InvitationEvent>, Refusal> {
        let command =
            Command::Issue { account_id: ADA, email: email(), role, expires_at: NOW + TimeDelta::days(7), policy };
        decide(&Invitation::default(), actor, command)
    }

    fn issued(role: Role) -> Invitation {
        given(issue(&signed_in(BOB, Role::Superadmin), role, RegistrationPolicy::Invite).unwrap())
    }

    fn accepted(state: &Invitation, context: &Context, typed: &str) -> Result<Vec<InvitationEvent>, Refusal> {
        let email = Email::try_new(typed).unwrap();
        decide(state, context, Command::Accept { email, policy: RegistrationPolicy::Invite })
    }

    #[test]
    fn an_admin_invites_to_roles_below_their_own_and_nobody_else_invites() {
        let admin = signed_in(BOB, Role::Admin);
        let terms = given::<Invitation>(issue(&admin, Role::Instructor, RegistrationPolicy::Invite).unwrap()).terms;
        let terms = terms.unwrap();
        assert_eq!(
            (terms.account_id, terms.role, terms.email.as_deref()),
            (ADA, Role::Instructor, Some("ada@example.org"))
        );
        for role in [Role::Admin, Role::Superadmin, Role::Operator] {
            assert_eq!(issue(&admin, role, RegistrationPolicy::Open), Err(Refusal::RoleNotBelowOwn), "{role}");
        }
        for role in [Role::Learner, Role::Instructor, Role::Auditor] {
            let refused = issue(&signed_in(BOB, role), Role::Learner, RegistrationPolicy::Invite);
            assert_eq!(refused, Err(Refusal::RoleNotBelowOwn), "{role}");
        }
        assert_eq!(issue(&nobody(), Role::Learner, RegistrationPolicy::Invite), Err(Refusal::RoleNotBelowOwn));
    }

    #[test]
    fn where_registration_is_closed_nobody_is_invited_and_nobody_comes() {
        let admin = signed_in(BOB, Role::Admin);
        let closed = RegistrationPolicy::Closed;
        assert_eq!(issue(&admin, Role::Learner, closed), Err(Refusal::RegistrationClosed));
        let command = Command::Accept { email: email(), policy: closed };
        assert_eq!(decide(&issued(Role::Learner), &nobody(), command), Err(Refusal::RegistrationClosed));
    }

    #[test]
    fn the_operator_invites_a_superadmin_wherever() {
        let closed = RegistrationPolicy::Closed;
        let state = given(issue(&signed_in(BOB, Role::Operator), Role::Superadmin, closed).unwrap());
        let command = Command::Accept { email: email(), policy: closed };
        assert!(decide(&state, &nobody(), command).is_ok());
        let refused = issue(&signed_in(BOB, Role::Superadmin), Role::Superadmin, RegistrationPolicy::Open);
        assert_eq!(refused, Err(Refusal::RoleNotBelowOwn));
    }

    #[test]
    fn who_was_invited_comes_once() {
        let mut state = issued(Role::Learner);
        let events = accepted(&state, &nobody(), " ADA@Example.org").unwrap();
        assert_eq!(events, [InvitationEvent::Accepted { account_id: ADA }]);
        state.evolve(&events[0]);
        assert_eq!(accepted(&state, &nobody(), "ada@example.org"), Err(Refusal::Invalid));
    }

    #[test]
    fn an_invitation_is_its_addresss_own() {
        let refused = accepted(&issued(Role::Learner), &nobody(), "eve@example.org");
        assert_eq!(refused, Err(Refusal::OtherAddress));
    }

    #[test]
    fn an_unknown_expired_or_revoked_invitation_cannot_be_told_apart() {
        assert_eq!(accepted(&Invitation::default(), &nobody(), "ada@example.org"), Err(Refusal::Invalid));
        let late = Context { now: NOW + TimeDelta::days(7), ..nobody() };
        assert_eq!(accepted(&issued(Role::Learner), &late, "ada@example.org"), Err(Refusal::Invalid));
        let revoked = Invitation { fate: Some(Fate::Revoked), ..issued(Role::Learner) };
        assert_eq!(accepted(&revoked, &nobody(), "eve@example.org"), Err(Refusal::Invalid));
    }

    #[test]
    fn an_invitation_is_taken_back_once_and_before_it_is_accepted() {
        let admin = signed_in(BOB, Role::Admin);
        let mut state = issued(Role::Learner);
        assert_eq!(decide(&state, &admin, Command::Revoke), Ok(vec![InvitationEvent::Revoked {}]));
        let came = Invitation { fate: Some(Fate::Accepted), ..state.clone() };
        assert_eq!(decide(&came, &admin, Command::Revoke), Err(Refusal::AlreadyAccepted));
        state.evolve(&InvitationEvent::Revoked {});
        assert_eq!(decide(&state, &admin, Command::Revoke), Err(Refusal::AlreadyRevoked));
        assert_eq!(decide(&Invitation::default(), &admin, Command::Revoke), Err(Refusal::NotFound));
    }

    #[test]
    fn an_invitation_is_taken_back_by_those_who_could_have_issued_it() {
        let state = issued(Role::Admin);
        for role in [Role::Learner, Role::Auditor, Role::Admin] {
            let refused = decide(&state, &signed_in(BOB, role), Command::Revoke);
            assert_eq!(refused, Err(Refusal::RoleNotBelowOwn), "{role}");
        }
        assert!(decide(&state, &signed_in(BOB, Role::Superadmin), Command::Revoke).is_ok());
    }
}
