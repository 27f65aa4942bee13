//! What handlers are given. They take it by extractors: `snapshot::Reader`, `caller::SignedIn`, `caller::Anyone`.

use crate::{
    consistency::Positions,
    gather::Gathered,
    views::{account_list, course_catalogue, payment_list},
};
use axum::extract::FromRef;
use ops::{health::Health, tokens::Verifier};
use sqlx::PgPool;
use std::sync::Arc;

/// The kinds of things that are read together.
pub const GATHERED_KINDS: u32 = 3;

/// Everything that a handler may need.
#[derive(Clone, FromRef)]
pub struct State {
    /// The read database, with the rights of a role that can only read.
    pub pool: PgPool,
    /// Accounts, read together.
    pub accounts: Gathered<account_list::OneAccount>,
    /// Courses, read together.
    pub courses: Gathered<course_catalogue::OneCourse>,
    /// Payments, read together.
    pub payments: Gathered<payment_list::OwnPayments>,
    /// How far the projections have come.
    pub positions: Positions,
    /// Verifies access tokens.
    pub verifier: Verifier,
    /// Whether this process is ready.
    pub health: Arc<Health>,
}
