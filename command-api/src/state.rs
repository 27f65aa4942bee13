//! What handlers are given. A handler names the part that it needs, as in `State(executor): State<Executor>`.

use crate::{
    config::Settings,
    execute::Executor,
    imports::Imports,
    limits::{Limiter, Per, TooMany},
    lockout::Failures,
    passwords::Passwords,
    recovery::Recovery,
};
use axum::extract::FromRef;
use events::{
    ids::{AccountId, TenantId},
    log::Keyring,
};
use ops::{
    health::Health,
    tokens::{Signer, Verifier},
};
use std::{net::IpAddr, ops::Deref, sync::Arc};

/// Everything that a handler may need. The router clones it for each request: clones share it.
#[derive(Clone)]
pub struct State(Arc<Parts>);

impl State {
    /// Of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for State {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What a [`State`] is made of.
pub struct Parts {
    /// Decides and appends.
    pub executor: Executor,
    /// Keys of the people in the log, and digests of the names that they claim.
    pub keyring: Keyring,
    /// Verifies access tokens.
    pub verifier: Verifier,
    /// Issues them.
    pub signer: Signer,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Takes lists of accounts in, and carries them out.
    pub imports: Imports,
    /// How often anyone may try to log in.
    pub login_limits: LoginLimits,
    /// How often anyone may say that they forgot a password.
    pub reset_limits: ResetLimits,
    /// How often anyone may register.
    pub registration_limits: RegistrationLimits,
    /// Counts log-ins that fail.
    pub failures: Failures,
    /// Deals with forgotten passwords.
    pub recovery: Recovery,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// Whether this process is ready.
    pub health: Arc<Health>,
}

macro_rules! given_by_itself {
    ($($part:ident: $type:ty),* $(,)?) => {
        $(impl FromRef<State> for $type {
            fn from_ref(state: &State) -> Self {
                state.$part.clone()
            }
        })*
    };
}

given_by_itself! {
    executor: Executor,
    keyring: Keyring,
    verifier: Verifier,
    signer: Signer,
    passwords: Passwords,
    imports: Imports,
    login_limits: LoginLimits,
    reset_limits: ResetLimits,
    registration_limits: RegistrationLimits,
    failures: Failures,
    recovery: Recovery,
    settings: Arc<Settings>,
    health: Arc<Health>,
}

/// How often anyone may try to log in: to one account, from wherever, and from one address, to whichever account.
#[derive(Clone)]
pub struct LoginLimits {
    account: Limiter<Tried>,
    address: Limiter<IpAddr>,
}

/// What a try is counted for. Whether a name is anybody's makes no difference, so that a limit does not tell which
/// accounts there are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tried {
    /// Somebody's own account, once they are in.
    Account(AccountId),
    /// A name within an organisation, by its digest.
    Name(TenantId, Vec<u8>),
}

impl LoginLimits {
    /// Tries a minute for one account and from one address; 0 is no limit.
    pub fn new(per_account: u32, per_address: u32) -> Self {
        Self { account: Limiter::new(per_account, Per::Minute), address: Limiter::new(per_address, Per::Minute) }
    }

    /// Counts a try from an address.
    pub fn check_address(&self, address: Option<IpAddr>) -> Result<(), TooMany> {
        check_network(&self.address, address)
    }

    /// Counts a try to log in to an account.
    pub fn check_account(&self, tried: &Tried) -> Result<(), TooMany> {
        self.account.check(tried)
    }
}

/// How often anyone may say that they forgot a password: that of one account, and from one address.
#[derive(Clone)]
pub struct ResetLimits {
    account: Limiter<Tried>,
    address: Limiter<IpAddr>,
}

impl ResetLimits {
    /// Tries an hour for one account and from one address; 0 is no limit.
    pub fn new(per_account: u32, per_address: u32) -> Self {
        Self { account: Limiter::new(per_account, Per::Hour), address: Limiter::new(per_address, Per::Hour) }
    }

    /// Counts a try from an address.
    pub fn check_address(&self, address: Option<IpAddr>) -> Result<(), TooMany> {
        check_network(&self.address, address)
    }

    /// Counts a try for an account.
    pub fn check_account(&self, tried: &Tried) -> Result<(), TooMany> {
        self.account.check(tried)
    }
}

/// How often anyone may register from one address.
#[derive(Clone)]
pub struct RegistrationLimits(pub Limiter<IpAddr>);

impl RegistrationLimits {
    /// Counts a try from an address.
    pub fn check_address(&self, address: Option<IpAddr>) -> Result<(), TooMany> {
        check_network(&self.0, address)
    }
}

fn check_network(limiter: &Limiter<IpAddr>, address: Option<IpAddr>) -> Result<(), TooMany> {
    address.map_or(Ok(()), |address| limiter.check(&network_of(address)))
}

/// An IPv6 caller has a whole /64 of addresses to try from; it counts as one.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::tenant::DEFAULT_TENANT;

    #[test]
    fn one_callers_ipv6_addresses_count_as_one() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:aaaa::1"), network("2001:db8:1:2:bbbb::2"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn an_account_and_an_address_are_limited_apart() {
        let limits = LoginLimits::new(1, 2);
        let (ada, home) = (Tried::Account(AccountId::new(uuid::Uuid::from_u128(1))), "192.0.2.1".parse().ok());
        assert!(limits.check_address(home).is_ok() && limits.check_account(&ada).is_ok());
        assert!(limits.check_address(home).is_ok() && limits.check_account(&ada).is_err());
        assert!(limits.check_account(&Tried::Name(DEFAULT_TENANT, vec![1])).is_ok());
        assert!(limits.check_address(home).is_err());
    }
}
