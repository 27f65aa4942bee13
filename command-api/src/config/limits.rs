//! How often what may be tried. The defaults are strict; 0 is no limit.

use crate::{
    limits::{Limiter, Per},
    lockout,
    state::{LoginLimits, RegistrationLimits, ResetLimits},
};
use chrono::TimeDelta;
use clap::Args;
use std::time::Duration;

/// Rates and locks.
#[derive(Debug, Clone, Args)]
pub(super) struct LimitArgs {
    /// Log-ins that may be tried for one account in a minute; 0: as many as anyone likes.
    #[arg(long, env = "LOGIN_RATE_PER_MINUTE", default_value_t = 10, value_name = "TRIES")]
    login_rate_per_minute: u32,

    /// Log-ins that may be tried from one address in a minute; 0: as many as anyone likes.
    #[arg(long, env = "LOGIN_RATE_PER_ADDRESS_PER_MINUTE", default_value_t = 60, value_name = "TRIES")]
    login_rate_per_address_per_minute: u32,

    /// Letters about a forgotten password that one account is sent in an hour; 0: as many as anyone asks for.
    #[arg(long, env = "RESET_RATE_PER_HOUR", default_value_t = 5, value_name = "LETTERS")]
    reset_rate_per_hour: u32,

    /// Requests about forgotten passwords from one address in an hour; 0: as many as anyone likes.
    #[arg(long, env = "RESET_RATE_PER_ADDRESS_PER_HOUR", default_value_t = 60, value_name = "TRIES")]
    reset_rate_per_address_per_hour: u32,

    /// Registrations from one address in a minute; 0: as many as anyone likes.
    #[arg(long, env = "REGISTRATION_RATE_PER_ADDRESS_PER_MINUTE", default_value_t = 30, value_name = "TRIES")]
    registration_rate_per_address_per_minute: u32,

    /// Log-ins in a row that may fail before the account is locked; 0: it never is.
    #[arg(long, env = "LOCKOUT_FAILURES", default_value_t = 10, value_name = "TRIES")]
    lockout_failures: u32,

    /// How long such a lock lasts, and how long a failed log-in counts, in minutes.
    #[arg(long, env = "LOCKOUT_MINUTES", default_value_t = 15, value_name = "MINUTES",
          value_parser = clap::value_parser!(u16).range(1..=1_440))]
    lockout_minutes: u16,

    /// How often repeated refusals of one kind and one caller are written to the audit trail, in seconds: once in so
    /// long, with their count. 0 leaves refusals out of the trail.
    #[arg(long, env = "REFUSAL_WINDOW_SECONDS", default_value_t = 60, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    refusal_window_seconds: u32,
}

/// How often what may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Log-ins a minute for one account.
    pub logins_per_account: u32,
    /// Log-ins a minute from one address.
    pub logins_per_address: u32,
    /// Letters an hour to one account.
    pub resets_per_account: u32,
    /// Requests an hour from one address.
    pub resets_per_address: u32,
    /// Registrations a minute from one address.
    pub registrations_per_address: u32,
    /// When accounts are locked.
    pub lockout: lockout::Policy,
    /// How often repeated refusals are recorded.
    pub refusal_window: Duration,
}

impl From<LimitArgs> for Limits {
    fn from(arguments: LimitArgs) -> Self {
        Self {
            logins_per_account: arguments.login_rate_per_minute,
            logins_per_address: arguments.login_rate_per_address_per_minute,
            resets_per_account: arguments.reset_rate_per_hour,
            resets_per_address: arguments.reset_rate_per_address_per_hour,
            registrations_per_address: arguments.registration_rate_per_address_per_minute,
            lockout: lockout::Policy {
                failures: arguments.lockout_failures,
                lasts: TimeDelta::minutes(arguments.lockout_minutes.into()),
            },
            refusal_window: Duration::from_secs(arguments.refusal_window_seconds.into()),
        }
    }
}

impl Limits {
    /// Of log-ins.
    pub fn logins(&self) -> LoginLimits {
        LoginLimits::new(self.logins_per_account, self.logins_per_address)
    }

    /// Of forgotten passwords.
    pub fn resets(&self) -> ResetLimits {
        ResetLimits::new(self.resets_per_account, self.resets_per_address)
    }

    /// Of registrations.
    pub fn registrations(&self) -> RegistrationLimits {
        RegistrationLimits(Limiter::new(self.registrations_per_address, Per::Minute))
    }
}
