//! How often something may be tried: a rate for each key, such as an account or an address (GCRA: one number a key).
//!
//! The memory is bounded: beyond [`REMEMBERED`] keys those seen longest ago are forgotten, and start afresh.

use quick_cache::sync::Cache;
use std::{
    convert::Infallible,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many keys a limiter remembers.
const REMEMBERED: usize = 100_000;

/// Lets a number of tries a minute through for each key, all at once or spread out. Clones share the memory.
#[derive(Clone)]
pub struct Limiter<K> {
    rate: Option<Rate>,
    /// When the key's tries so far would be paid off.
    paid_off: Arc<Cache<K, Arc<Mutex<Instant>>>>,
}

#[derive(Clone, Copy)]
struct Rate {
    /// What one try costs.
    interval: Duration,
    /// How far ahead of its time a key may be.
    burst: Duration,
}

/// The rate is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries: the next is possible in {} s", wait.as_secs())]
pub struct TooMany {
    /// How long until the next try is let through.
    pub wait: Duration,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `per_minute` tries a minute for each key; 0 lets all through.
    pub fn new(per_minute: u32) -> Self {
        let rate = (per_minute > 0).then(|| {
            let interval = Duration::from_mins(1) / per_minute;
            Rate { interval, burst: interval * (per_minute - 1) }
        });
        Self { rate, paid_off: Arc::new(Cache::new(REMEMBERED)) }
    }

    /// Counts a try at `now`, or says how long to wait. A try that is turned away is not counted.
    pub fn check(&self, key: &K, now: Instant) -> Result<(), TooMany> {
        let Some(rate) = self.rate else { return Ok(()) };
        let Ok(paid_off) = self.paid_off.get_or_insert_with(key, || Ok::<_, Infallible>(Arc::new(Mutex::new(now))));
        let mut paid_off = paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*paid_off).max(now);
        let ahead = begins.duration_since(now);
        if let Some(wait) = ahead.checked_sub(rate.burst).filter(|wait| !wait.is_zero()) {
            return Err(TooMany { wait });
        }
        *paid_off = begins + rate.interval;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_try_an_interval() {
        let (limiter, now) = (Limiter::new(10), Instant::now());
        for _ in 0..10 {
            assert_eq!(limiter.check(&"ada", now), Ok(()));
        }
        assert_eq!(limiter.check(&"ada", now), Err(TooMany { wait: Duration::from_secs(6) }));
        assert_eq!(limiter.check(&"ada", now + Duration::from_secs(6)), Ok(()));
        assert!(limiter.check(&"ada", now + Duration::from_secs(6)).is_err());
    }

    #[test]
    fn one_key_does_not_slow_another() {
        let (limiter, now) = (Limiter::new(1), Instant::now());
        assert_eq!(limiter.check(&"ada", now), Ok(()));
        assert_eq!(limiter.check(&"bob", now), Ok(()));
        assert!(limiter.check(&"ada", now).is_err());
    }

    #[test]
    fn a_rate_of_nothing_is_no_limit() {
        let limiter = Limiter::new(0);
        assert!((0..1_000).all(|_| limiter.check(&"ada", Instant::now()).is_ok()));
    }
}
