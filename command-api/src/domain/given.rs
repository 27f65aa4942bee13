//! How this folder's tests begin: who asks, and what has happened before.

use crate::execute::{Actor, Context, IdempotencyKey};
use chrono::DateTime;
use events::{
    Aggregate, Currency, Money, Role,
    account::{Account, Profile},
    ids::{AccountId, AuthSessionId},
    tenant::DEFAULT_TENANT,
};
use uuid::Uuid;

/// Who asks, where the test does not say otherwise.
pub(crate) const ADA: AccountId = AccountId::new(Uuid::from_u128(0xada));
/// Somebody else.
pub(crate) const BOB: AccountId = AccountId::new(Uuid::from_u128(0xb0b));

/// A request of Ada's in the given role.
pub(crate) fn ada_as(role: Role) -> Context {
    signed_in(ADA, role)
}

/// A request of somebody who signed in, with an idempotency key.
pub(crate) fn signed_in(account_id: AccountId, role: Role) -> Context {
    let session_id = AuthSessionId::new(Uuid::from_u128(5));
    Context { actor: Some(Actor { account_id, role, session_id }), ..nobody() }
}

/// A request of somebody who did not sign in.
pub(crate) fn nobody() -> Context {
    Context {
        tenant_id: DEFAULT_TENANT,
        actor: None,
        actor_tenant_id: None,
        now: DateTime::UNIX_EPOCH,
        correlation_id: Uuid::from_u128(1),
        traceparent: None,
        address: None,
        agent: None,
        idempotency: Some(IdempotencyKey { key: "key".to_owned(), request_hash: [0; 32] }),
        if_match: None,
        import: None,
    }
}

/// The state that a history leads to.
pub(crate) fn given<A: Aggregate>(history: impl IntoIterator<Item = A::Event>) -> A {
    history.into_iter().fold(A::default(), |mut state, event| {
        state.evolve(&event);
        state
    })
}

/// An amount in euro cents.
pub(crate) const fn euro(amount_minor: i64) -> Money {
    Money { amount_minor, currency: Currency::EUR }
}

/// A learner's account that nothing is wrong with.
pub(crate) fn account() -> Account {
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
