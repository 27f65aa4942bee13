//! What anyone may see: the read models over HTTP. It reads, and changes nothing.
//!
//! Read it in the order in which a query passes: `http` (the route table) → `caller` (who asks) → `snapshot` (one
//! read-only transaction, bound to the caller's tenant and to a position in the log) → `views/<view>` (row, SELECT,
//! handler). `consistency` waits for projections that a caller needs further ahead. What fills the tables is the
//! projector's affair; their SQL stands in `migrations/read`.

pub mod caller;
pub mod config;
pub mod consistency;
pub mod gather;
pub mod http;
pub mod openapi;
pub mod period;
pub mod revocation;
mod session;
pub mod snapshot;
pub mod state;
pub mod tenancy;
pub mod views;
