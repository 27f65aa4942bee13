//! The whole route table: a reader's index. What a route answers, and to whom, stands in the file of its view.

use crate::{
    openapi,
    state::State,
    views::{
        account_import_list, account_list, admin_dashboard, analytics, assessment_list, audit_trail, category_list,
        course_catalogue, course_detail, enrollment_progress, instructor_dashboard, invitation_list, learner_dashboard,
        payment_list, projections, session_trail, submission_list, tenant_list,
    },
};
use axum::{Router, routing::get};
use ops::{health, http::Edge};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Every route, with the edge around it; the Swagger UI at `/docs` where it is asked for.
pub fn router(state: State, edge: Edge, docs: bool) -> Router {
    let mut router = routes().with_state(state);
    if docs {
        router = router.merge(swagger_ui());
    }
    ops::http::layers(router, edge)
}

#[rustfmt::skip]
fn routes() -> Router<State> {
    Router::new()
        .route("/v1/me", get(account_list::me))
        .route("/v1/me/sessions", get(session_trail::mine))
        .route("/v1/me/enrollments", get(enrollment_progress::mine))
        .route("/v1/me/payments", get(payment_list::mine))
        .route("/v1/me/submissions", get(submission_list::mine))

        .route("/v1/accounts", get(account_list::list))
        .route("/v1/accounts/export", get(account_list::export))
        .route("/v1/accounts/{id}", get(account_list::one))
        .route("/v1/accounts/{id}/sessions", get(session_trail::of_account))
        .route("/v1/account-imports", get(account_import_list::list))
        .route("/v1/account-imports/{id}", get(account_import_list::one))
        .route("/v1/invitations", get(invitation_list::list))
        .route("/v1/invitations/{id}", get(invitation_list::one))

        .route("/v1/tenants", get(tenant_list::list))
        .route("/v1/tenants/{id}", get(tenant_list::one))
        .route("/v1/tenants/{id}/statistics", get(tenant_list::statistics))
        .route("/v1/tenants/{id}/accounts", get(tenant_list::accounts))

        .route("/v1/categories", get(category_list::list))

        .route("/v1/courses", get(course_catalogue::list))
        .route("/v1/courses/{id}", get(course_catalogue::one))
        .route("/v1/courses/{id}/lessons", get(course_detail::list))

        .route("/v1/enrollments/{id}", get(enrollment_progress::one))

        .route("/v1/assessments", get(assessment_list::list))
        .route("/v1/assessments/{id}", get(assessment_list::one))

        .route("/v1/dashboards/learner", get(learner_dashboard::show))
        .route("/v1/dashboards/instructor", get(instructor_dashboard::show))
        .route("/v1/dashboards/admin", get(admin_dashboard::show))

        .route("/v1/analytics/accounts-by-role", get(analytics::accounts_by_role))
        .route("/v1/analytics/revenue", get(analytics::revenue))
        .route("/v1/analytics/enrollments", get(analytics::enrollments))
        .route("/v1/analytics/submissions", get(analytics::submissions))

        .route("/v1/audit/events", get(audit_trail::list))
        .route("/v1/audit/sessions", get(session_trail::list))

        .route("/v1/projections", get(projections::list))

        .route("/openapi.json", get(openapi::openapi_json))

        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
}

fn swagger_ui() -> Router {
    // The document has a route of its own; the UI only has to know where.
    SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into()
}
