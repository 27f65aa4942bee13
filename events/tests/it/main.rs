//! The log and its language against real servers.

mod append;
mod fixtures;
mod schemas;
