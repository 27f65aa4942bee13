//! The command API on real servers: what it appends, and what it publishes.

mod relay;
