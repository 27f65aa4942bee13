//! The projector against real servers: exactly one effect an event, whatever is delivered and whatever breaks.

#![expect(clippy::unwrap_used, reason = "in a test, failing is how to say no")]

mod exactly_once;
mod isolation;
mod lockstep;
mod poison;
mod process;
mod random;
mod rebuild;
mod story;
mod views;
mod world;
