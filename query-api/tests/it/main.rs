//! The query API against a real PostgreSQL: what each view answers, to whom, in what pages, and as of which position.

#![expect(clippy::unwrap_used, reason = "in a test, failing is how to say no")]

mod access;
mod consistency;
mod isolation;
mod pages;
mod process;
mod revocation;
mod views;
mod world;
