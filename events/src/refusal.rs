//! What was refused: commands that a rule turned away, and log-ins that failed. It belongs into the history, because
//! whoever tries to do harm is refused first.
//!
//! One event stands for all refusals of one kind, of one caller, in a span of time: nobody fills the log by being refused
//! often. It is written soon after the first of them, not in its transaction: a refused command writes nothing itself.

use crate::{
    Aggregate, Event, Personal,
    ids::{AccountId, RefusalId},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is told of refusals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum RefusalEvent {
    /// Somebody was refused something, once or several times.
    #[serde(rename = "registrar.refusal.recorded.v1")]
    Recorded {
        /// What they wanted, as in `auth_session.log_in`.
        command: String,
        /// Why not: the last part of the problem's type, as in `wrong-credentials`.
        problem: String,
        /// Who asked, or whose account somebody wanted into; absent where neither is known.
        account_id: Option<AccountId>,
        /// Network address of the client, where there is an account whose key seals it.
        address: Option<Personal<String>>,
        /// A keyed digest of the client's network: the same for the same network, and telling nothing of it otherwise.
        origin: Option<String>,
        /// How often.
        count: u32,
        /// The first time.
        first_at: DateTime<Utc>,
        /// The last time.
        last_at: DateTime<Utc>,
    },
}

/// A record of refusals. Nothing is decided on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusal;

impl Aggregate for Refusal {
    const STREAM_TYPE: &'static str = "refusal";
    type Id = RefusalId;
    type Event = RefusalEvent;

    fn evolve(&mut self, event: &RefusalEvent) {
        match event {
            RefusalEvent::Recorded { .. } => {}
        }
    }

    fn own(event: Event) -> Option<RefusalEvent> {
        if let Event::Refusal(event) = event { Some(event) } else { None }
    }
}
