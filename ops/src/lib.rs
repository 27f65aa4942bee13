//! What every process of Registrar needs and none of them should write twice: configuration, telemetry, metrics,
//! health, problems, bearer tokens, the HTTP edge, the stop, connections, migrations and pages.
//!
//! Nothing here knows a domain: no event, no table but the migrations' own, and no role but the operator's.

pub mod caller;
pub mod config;
pub mod context;
pub mod database;
pub mod extract;
pub mod health;
pub mod http;
pub mod metrics;
pub mod migrate;
pub mod operator;
pub mod page;
pub mod problem;
pub mod shutdown;
pub mod telemetry;
pub mod tokens;
pub mod validate;
