//! The whole route table: a reader's index.

pub mod account;
pub mod assessment;
pub mod auth;
pub mod category;
pub mod context;
pub mod course;
pub mod enrollment;
pub mod payment;
pub mod submission;
pub mod wellknown;
