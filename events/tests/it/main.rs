//! The log and its language against real servers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, failing is how to say no")]

mod append;
mod fixtures;
mod schemas;
