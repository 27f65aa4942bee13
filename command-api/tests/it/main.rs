//! The command API on real servers: what it appends, and what it publishes.

#![expect(clippy::unwrap_used, reason = "in a test, failing is how to say no")]

mod imports;
mod lockout;
mod mail;
mod relay;
mod sessions;
mod smtp;
mod world;
