//! How often something may be tried: a rate for each key, such as an account or an address (GCRA, by `governor`).
//!
//! The memory is bounded whatever is tried: a key is counted in one of [`BUCKETS`] by a hash that differs from process to
//! process, so that nobody can choose with whom they share one.

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use std::{
    hash::{BuildHasher, Hash, RandomState},
    marker::PhantomData,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

/// Keys that are counted apart.
const BUCKETS: u64 = 1 << 20;

/// The span in which a number of tries is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Sixty seconds.
    Minute,
    /// Sixty minutes.
    Hour,
}

/// Lets a number of tries through for each key, all at once or spread out. Clones share the memory.
pub struct Limiter<K> {
    limit: Option<Arc<DefaultKeyedRateLimiter<u64>>>,
    hasher: RandomState,
    keys: PhantomData<fn(&K)>,
}

impl<K> Clone for Limiter<K> {
    fn clone(&self) -> Self {
        Self { limit: self.limit.clone(), hasher: self.hasher.clone(), keys: PhantomData }
    }
}

/// The rate is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries: the next is possible in {} s", wait.as_secs())]
pub struct TooMany {
    /// How long until the next try is let through.
    pub wait: Duration,
}

impl<K: Hash> Limiter<K> {
    /// So many tries for each key; 0 lets all through.
    pub fn new(tries: u32, per: Per) -> Self {
        let quota = NonZeroU32::new(tries).map(|tries| match per {
            Per::Minute => Quota::per_minute(tries),
            Per::Hour => Quota::per_hour(tries),
        });
        Self {
            limit: quota.map(|quota| Arc::new(RateLimiter::keyed(quota))),
            hasher: RandomState::new(),
            keys: PhantomData,
        }
    }

    /// Counts a try, or says how long to wait. A try that is turned away is not counted.
    pub fn check(&self, key: &K) -> Result<(), TooMany> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let bucket = self.hasher.hash_one(key) % BUCKETS;
        limit.check_key(&bucket).map_err(|until| TooMany { wait: until.wait_time_from(limit.clock().now()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_try_an_interval() {
        let limiter = Limiter::new(10, Per::Minute);
        for _ in 0..10 {
            assert_eq!(limiter.check(&"ada"), Ok(()));
        }
        let TooMany { wait } = limiter.check(&"ada").unwrap_err();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(6), "{wait:?}");
    }

    #[test]
    fn an_hour_is_sixty_minutes() {
        let limiter = Limiter::new(1, Per::Hour);
        assert_eq!(limiter.check(&"ada"), Ok(()));
        assert!(limiter.check(&"ada").unwrap_err().wait > Duration::from_mins(59));
    }

    #[test]
    fn one_key_does_not_slow_another() {
        let limiter = Limiter::new(1, Per::Minute);
        assert_eq!(limiter.check(&"ada"), Ok(()));
        assert_eq!(limiter.check(&"bob"), Ok(()));
        assert!(limiter.check(&"ada").is_err());
    }

    #[test]
    fn a_rate_of_nothing_is_no_limit() {
        let limiter = Limiter::new(0, Per::Minute);
        assert!((0..1_000).all(|_| limiter.check(&"ada").is_ok()));
    }
}
