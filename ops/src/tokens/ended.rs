//! The sessions that have ended while tokens of theirs may still look good: every process knows them all, so that no
//! request has to ask.
//!
//! Each process feeds this from where it reads anyway, within a second of the end (`revocation` in the command API and
//! in the query API). An ended session is remembered for [`REMEMBERED`]: by then all its tokens have expired. When the
//! feed fails, what is known stays known; a session that ends meanwhile is refused when the feed is back, or when its
//! token expires. `/health/ready` tells of a feed that is silent, and so does
//! `registrar_ended_sessions_heard_timestamp_seconds`.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::gauge;
use uuid::Uuid;

/// How long an ended session is remembered: as long as a token of it may live, and what clocks may differ.
pub const REMEMBERED: TimeDelta = TimeDelta::minutes(61);
/// A feed that was not heard for so long counts as failed.
const SILENCE: Duration = Duration::from_secs(5);

/// The sessions that ended a short while ago. Clones share them; looking one up takes no lock.
#[derive(Clone, Default)]
pub struct EndedSessions(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// When each ended, in seconds since 1970.
    sessions: papaya::HashMap<Uuid, i64>,
    is_awaited: AtomicBool,
    heard: Mutex<Option<Instant>>,
}

impl EndedSessions {
    /// Says that there is a feed: until it is first heard of, nothing is known.
    pub fn await_feed(&self) {
        self.0.is_awaited.store(true, Ordering::Release);
    }

    /// Whether nothing is known yet.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.0.is_awaited.load(Ordering::Acquire)
    }

    /// A session has ended. What ended too long ago is not worth remembering.
    pub fn end(&self, session: Uuid, at: DateTime<Utc>) {
        if Utc::now() - at < REMEMBERED {
            self.0.sessions.pin().insert(session, at.timestamp());
        }
    }

    /// Whether a session is known to have ended.
    #[must_use]
    pub fn contains(&self, session: Uuid) -> bool {
        self.0.sessions.pin().contains_key(&session)
    }

    /// The feed has told all that it knows just now, which is what there is to know where it is current. What nobody can
    /// have a token of any more is forgotten.
    pub fn heard(&self, now: DateTime<Utc>, is_current: bool) {
        let oldest = (now - REMEMBERED).timestamp();
        let sessions = self.0.sessions.pin();
        sessions.retain(|_, ended| *ended >= oldest);
        self.0.is_awaited.store(false, Ordering::Release);
        gauge!("registrar_ended_sessions").set(u32::try_from(sessions.len()).unwrap_or(u32::MAX));
        if is_current {
            *self.0.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            gauge!("registrar_ended_sessions_heard_timestamp_seconds")
                .set(u32::try_from(now.timestamp()).unwrap_or(u32::MAX));
        }
    }

    /// A health check without which a process is not ready: whether it can tell good tokens from revoked ones.
    pub fn check_known(&self) -> Result<(), String> {
        if self.is_awaited() { Err("not known yet".to_owned()) } else { Ok(()) }
    }

    /// A health check: whether the feed was heard of late.
    pub fn check(&self) -> Result<(), String> {
        match *self.0.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(heard) if heard.elapsed() <= SILENCE => Ok(()),
            Some(heard) => {
                let seconds = heard.elapsed().as_secs();
                Err(format!("not known for {seconds} s: what ended since is refused when its tokens expire"))
            }
            None => Err("not known yet".to_owned()),
        }
    }
}

impl fmt::Debug for EndedSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EndedSessions").field("known", &self.0.sessions.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Uuid = Uuid::from_u128(7);

    #[test]
    fn an_ended_session_is_remembered_until_its_tokens_have_expired() {
        let (ended, now) = (EndedSessions::default(), Utc::now());
        ended.end(SESSION, now);
        ended.heard(now + super::super::MAX_LIFETIME + super::super::LEEWAY, true);
        assert!(ended.contains(SESSION));
        ended.heard(now + REMEMBERED + TimeDelta::seconds(1), true);
        assert!(!ended.contains(SESSION));
        ended.end(SESSION, now - REMEMBERED);
        assert!(!ended.contains(SESSION));
    }

    #[test]
    fn nothing_is_known_before_the_feed_was_heard() {
        let ended = EndedSessions::default();
        assert!(!ended.is_awaited() && ended.check().is_err());
        ended.await_feed();
        assert!(ended.is_awaited() && ended.check_known().is_err());
        ended.heard(Utc::now(), false);
        assert!(!ended.is_awaited() && ended.check_known().is_ok() && ended.check().is_err());
        ended.heard(Utc::now(), true);
        assert!(ended.check().is_ok());
    }
}
