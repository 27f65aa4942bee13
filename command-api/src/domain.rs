//! The rules, one file per stem: command, refusal, `decide`, and tests that tell each rule as given, when, then.
//!
//! Everything here is pure. Time, ids, hashes and prices come in with the context or the command; clippy bans clocks,
//! ids and randomness, so that a decision repeated on the same history is the same decision. What a refusal looks like
//! over HTTP is left to `http/<stem>`.

#![deny(clippy::disallowed_methods)]

pub mod account;
pub mod account_import;
pub mod assessment;
pub mod auth_session;
pub mod category;
pub mod course;
pub mod enrollment;
#[cfg(test)]
pub(crate) mod given;
pub mod import;
pub mod invitation;
pub mod password;
pub mod payment;
#[cfg(test)]
mod properties;
pub mod submission;
pub mod tenant;
