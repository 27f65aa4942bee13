//! The whole system, as its users see it: the real processes on real servers, over HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, failing is how to say no")]

mod academy;
mod access;
mod accounts;
mod bounds;
mod capabilities;
mod client;
mod contract;
mod credentials;
mod faults;
mod gates;
mod import;
mod import_files;
mod migrations;
mod refusals;
mod secrets;
mod sessions;
mod tenants;
mod tokens;
mod world;
