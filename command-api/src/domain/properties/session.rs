//! One session from its log-in to its end, while its account and the clock move on.

use crate::{
    domain::{
        auth_session::{self, Command, Lifetimes, PresentedToken},
        given::{self, account},
    },
    execute::{Actor, Context},
};
use chrono::{DateTime, TimeDelta, Utc};
use events::{
    Aggregate, Role,
    account::Account,
    auth_session::{AuthSession, AuthSessionEvent, EndReason, SessionScope},
    ids::AuthSessionId,
};
use proptest::prelude::*;
use uuid::Uuid;

const LIFETIMES: Lifetimes = Lifetimes { full: TimeDelta::days(7), set_password: TimeDelta::minutes(15) };
const SESSION: AuthSessionId = AuthSessionId::new(Uuid::from_u128(5));
const ANOTHER: AuthSessionId = AuthSessionId::new(Uuid::from_u128(6));

#[derive(Debug, Clone, Copy)]
enum Step {
    LogIn,
    /// With the latest token, or with one before it.
    Refresh {
        is_latest: bool,
    },
    EndFor(EndReason),
    /// By its person, from this session or from another; or by somebody else.
    EndOwn {
        is_here: bool,
        is_own: bool,
    },
    /// By somebody of this role.
    Revoke(Role),
    Expire,
    Wait(TimeDelta),
    /// The account is shut or opened again.
    Activate(bool),
    Grant(bool),
    /// The account gets a temporary password, or one of its own again.
    MustSetPassword(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reason = prop::sample::select(vec![EndReason::PasswordChanged, EndReason::AccountDeactivated]);
    let wait = prop::sample::select(vec![1_i64, 20, 60 * 24, 60 * 24 * 8]);
    let step = prop_oneof![
        4 => Just(Step::LogIn),
        8 => prop::bool::weighted(0.9).prop_map(|is_latest| Step::Refresh { is_latest }),
        1 => reason.prop_map(Step::EndFor),
        1 => any::<(bool, bool)>().prop_map(|(is_here, is_own)| Step::EndOwn { is_here, is_own }),
        1 => prop::sample::select(vec![Role::Learner, Role::Instructor, Role::Admin]).prop_map(Step::Revoke),
        1 => Just(Step::Expire),
        4 => wait.prop_map(|minutes| Step::Wait(TimeDelta::minutes(minutes))),
        1 => any::<bool>().prop_map(Step::Activate),
        1 => any::<bool>().prop_map(Step::Grant),
        1 => any::<bool>().prop_map(Step::MustSetPassword),
    ];
    prop::collection::vec(step, 0..40)
}

/// What has happened to the session, and what its person holds.
struct World {
    now: DateTime<Utc>,
    account: Account,
    session: AuthSession,
    scope: Option<SessionScope>,
    token_expires_at: Option<DateTime<Utc>>,
    history: Vec<AuthSessionEvent>,
}

fn is_end(event: &AuthSessionEvent) -> bool {
    matches!(event, AuthSessionEvent::Ended { .. } | AuthSessionEvent::Revoked {} | AuthSessionEvent::Expired {})
}

impl World {
    fn new() -> Self {
        Self {
            now: DateTime::UNIX_EPOCH,
            account: account(),
            session: AuthSession::default(),
            scope: None,
            token_expires_at: None,
            history: Vec::new(),
        }
    }

    fn context(&self, step: Step) -> Context {
        let actor = |account_id, role, session_id| Some(Actor { account_id, role, session_id });
        let actor = match step {
            Step::EndOwn { is_here: true, is_own: true } => actor(given::ADA, Role::Learner, SESSION),
            Step::EndOwn { is_own: true, .. } => actor(given::ADA, Role::Learner, ANOTHER),
            Step::EndOwn { .. } => actor(given::BOB, Role::Learner, ANOTHER),
            Step::Revoke(role) => actor(given::BOB, role, ANOTHER),
            _ => None,
        };
        Context { now: self.now, actor, ..given::nobody() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait(time) => self.now += time,
            Step::Activate(is_active) => self.account.is_active = is_active,
            Step::Grant(portal_access) => self.account.portal_access = portal_access,
            Step::MustSetPassword(must) => {
                self.account.temporary_until = must.then(|| self.now + TimeDelta::hours(72));
            }
            // A session is logged in to once: its id is newly drawn with each log-in.
            Step::LogIn if self.session.account_id.is_some() => {}
            _ => self.command(step),
        }
    }

    fn command(&mut self, step: Step) {
        let account = &self.account;
        let command = match step {
            Step::LogIn => Command::LogIn { account_id: given::ADA, account, lifetimes: LIFETIMES },
            Step::Refresh { is_latest } => {
                // Only a full session has a refresh token.
                let Some(expires_at) = self.token_expires_at else { return };
                let token = PresentedToken { was_used: !is_latest, expires_at };
                Command::Refresh { account, token, lifetimes: LIFETIMES }
            }
            Step::EndFor(reason) => Command::End { reason },
            Step::EndOwn { .. } => Command::EndOwn { session_id: SESSION },
            Step::Revoke(_) => Command::Revoke { account_id: given::ADA, account },
            _ => Command::Expire,
        };
        let events = auth_session::decide(&self.session, &self.context(step), command).unwrap_or_default();
        for event in events {
            match &event {
                AuthSessionEvent::Started { scope, expires_at, .. } => {
                    self.scope = Some(*scope);
                    self.token_expires_at = (*scope == SessionScope::Full).then_some(*expires_at);
                }
                AuthSessionEvent::Refreshed { expires_at } => self.token_expires_at = Some(*expires_at),
                _ => {}
            }
            self.session.evolve(&event);
            self.history.push(event);
        }
    }
}

proptest! {
    #[test]
    fn a_session_begins_once_ends_once_and_does_nothing_after_its_end(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            let (was_live, before) = (world.session.is_live(world.now), world.history.len());
            world.take(step);
            let new = &world.history[before..];
            prop_assert!(new.len() <= 1);
            if let [AuthSessionEvent::Refreshed { expires_at }] = new {
                prop_assert!(was_live, "only a live session goes on");
                prop_assert_eq!(*expires_at, world.now + LIFETIMES.full);
                prop_assert!(world.account.is_active && world.account.portal_access);
                prop_assert_eq!(world.scope, Some(SessionScope::Full));
            }
            if let [AuthSessionEvent::Revoked {}] = new {
                prop_assert!(matches!(step, Step::Revoke(Role::Admin)), "revoked by {:?}", step);
            }
            if let [AuthSessionEvent::Expired {}] = new {
                prop_assert!(!was_live);
            }
            if matches!(step, Step::Refresh { is_latest: false }) && was_live && world.token_expires_at.is_some() {
                prop_assert!(world.session.has_ended, "a token used twice ends its session");
            }
            let longest = world.now + LIFETIMES.full;
            prop_assert!(world.session.expires_at.is_none_or(|end| end <= longest));
            prop_assert_eq!(
                world.session.is_live(world.now),
                auth_session::check_live(&world.session, &world.context(Step::Expire)).is_ok()
            );
        }
        let started = |event: &AuthSessionEvent| matches!(event, AuthSessionEvent::Started { .. });
        prop_assert!(world.history.iter().skip(1).all(|event| !started(event)));
        prop_assert!(world.history.first().is_none_or(started));
        let end = world.history.iter().position(is_end);
        prop_assert!(end.is_none_or(|end| end + 1 == world.history.len()), "nothing follows the end");
        prop_assert_eq!(world.session.has_ended, end.is_some());
    }
}
