//! What may happen: a command comes in over HTTP, is decided against the log, and is appended to it.
//!
//! Read it in the order in which a command passes: `http` (the route table) → `http/<stem>` (request, answer, problem) →
//! `execute` (load, fold, decide, append) → `domain/<stem>` (the rules) → `appender` (many commands, one transaction) →
//! `relay` (the log, onto JetStream). What happened, and the log itself, are in the crate `events`; what every process
//! needs is in `ops`.

pub mod appender;
pub mod config;
pub mod domain;
pub mod execute;
pub mod http;
pub mod imports;
pub mod keys;
pub mod limits;
pub mod lockout;
pub mod mail;
pub mod metrics;
pub mod openapi;
pub mod passwords;
pub mod recovery;
pub mod refusals;
pub mod relay;
pub mod revocation;
pub mod state;
pub mod sweep;
pub mod tail;
pub mod tenancy;
