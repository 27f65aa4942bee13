//! Every view, one file each: the row, the SELECT, the handler, in that order. A file is named after the projection
//! that fills its tables. Every statement names the tenant, although row-level security would keep to it anyway.

pub mod account_import_list;
pub mod account_list;
pub mod admin_dashboard;
pub mod analytics;
pub mod assessment_list;
pub mod audit_trail;
pub mod category_list;
pub mod course_catalogue;
pub mod course_detail;
pub mod enrollment_progress;
pub mod instructor_dashboard;
pub mod invitation_list;
pub mod learner_dashboard;
pub mod payment_list;
pub mod projections;
pub mod session_trail;
pub mod submission_list;
pub mod tenant_list;

use serde::Serialize;
use utoipa::ToSchema;

/// Money: a whole number of the currency's minor unit; 4999 EUR is 49.99 euro.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Money {
    /// The count of minor units.
    #[schema(example = 4999)]
    pub amount_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// A role as the contract names it.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes events::Role, whose crate knows no OpenAPI")]
enum RoleSchema {
    Learner,
    Instructor,
    Auditor,
    Admin,
    Superadmin,
}
