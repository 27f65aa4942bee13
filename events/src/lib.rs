//! What happened: the language of Registrar's events, and the log that keeps them.
//!
//! One file per aggregate (`account`, `course`, …) holds its events, its state and `evolve`; these are pure. `envelope`
//! is what surrounds an event, `cloud_event` its hashed and published form, `personal` seals what belongs to a person,
//! `log` is the event store in PostgreSQL, and `bus` is the road over NATS JetStream. What *may* happen is decided
//! elsewhere, in `command-api/src/domain`.

#![deny(clippy::disallowed_methods)]

pub mod account;
pub mod account_import;
pub mod aggregate;
pub mod assessment;
pub mod auth_session;
pub mod bus;
mod canonical;
pub mod category;
pub mod cloud_event;
pub mod course;
pub mod enrollment;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod invitation;
pub mod json;
pub mod log;
pub mod money;
pub mod payment;
pub mod personal;
pub mod refusal;
pub mod role;
pub mod submission;
pub mod tenant;
pub mod upcast;

pub use aggregate::Aggregate;
pub use cloud_event::Canonical;
pub use envelope::{Decoded, Metadata, Place, Recorded, StreamRef};
pub use event::Event;
pub use json::Json;
pub use money::{Currency, Money};
pub use personal::Personal;
pub use role::Role;
