//! The whole route table: a reader's index. What a route takes and answers stands in the file of its stem; who may use
//! it is decided there and in `domain/<stem>`.

pub mod account;
pub mod account_import;
pub mod assessment;
pub mod auth;
pub mod auth_session;
pub mod category;
pub mod context;
pub mod course;
pub mod enrollment;
pub mod import;
pub mod invitation;
mod money;
mod patch;
pub mod payment;
mod size;
pub mod submission;
pub mod tenant;
pub mod wellknown;

use crate::state::State;
use axum::{
    Router,
    routing::{delete, get, patch, post},
};
use ops::{
    health,
    http::{Around, Edge},
    problem::ProblemType,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// What the learning stems refuse.
pub const LEARNING_PROBLEMS: [&[ProblemType]; 6] = [
    category::PROBLEMS,
    course::PROBLEMS,
    enrollment::PROBLEMS,
    payment::PROBLEMS,
    assessment::PROBLEMS,
    submission::PROBLEMS,
];

/// Every route, with the edge around it; the Swagger UI at `/docs` where it is asked for.
pub fn router(state: State, edge: Edge, docs: bool) -> Router {
    let commands = commands().layer(Around(context::KeepingBody));
    let mut router = commands.merge(uploads()).merge(reads()).with_state(state);
    if docs {
        router = router.merge(swagger_ui());
    }
    let edge = Edge { uploads: &[("/v1/account-imports", account_import::MAX_BODY_BYTES)], ..edge };
    ops::http::layers(router, edge)
}

#[rustfmt::skip]
fn commands() -> Router<State> {
    Router::new()
        .route("/v1/auth/register", post(auth::register))
        .route("/v1/auth/bootstrap", post(auth::bootstrap))
        .route("/v1/auth/login", post(auth::log_in))
        .route("/v1/auth/refresh", post(auth::refresh))
        .route("/v1/auth/logout", post(auth::log_out))
        .route("/v1/auth/set-password", post(auth::set_password))
        .route("/v1/auth/forgot-password", post(auth::forgot_password))
        .route("/v1/auth/reset-password", post(auth::reset_password))

        .route("/v1/me/sessions", delete(auth_session::end_others))
        .route("/v1/me/sessions/{id}", delete(auth_session::end_own))

        .route("/v1/accounts", post(account::create))
        .route("/v1/accounts/{id}", patch(account::change).delete(account::remove))
        .route("/v1/accounts/{id}/deactivate", post(account::deactivate))
        .route("/v1/accounts/{id}/activate", post(account::activate))
        .route("/v1/accounts/{id}/role", post(account::change_role))
        .route("/v1/accounts/{id}/email", post(account::change_email))
        .route("/v1/accounts/{id}/grant-portal-access", post(account::grant_portal_access))
        .route("/v1/accounts/{id}/revoke-portal-access", post(account::revoke_portal_access))
        .route("/v1/accounts/{id}/reset-password", post(account::reset_password))
        .route("/v1/accounts/{id}/unlock", post(account::unlock))
        .route("/v1/accounts/{id}/sessions", delete(auth_session::revoke_all))
        .route("/v1/accounts/{id}/sessions/{session_id}", delete(auth_session::revoke))

        .route("/v1/invitations", post(invitation::issue))
        .route("/v1/invitations/{id}/revoke", post(invitation::revoke))
        .route("/v1/tenants", post(tenant::create))
        .route("/v1/tenants/{id}", patch(tenant::change))
        .route("/v1/tenants/{id}/accounts", post(tenant::create_account))

        .route("/v1/categories", post(category::create))

        .route("/v1/courses", post(course::create))
        .route("/v1/courses/{id}", patch(course::change))
        .route("/v1/courses/{id}/lessons", post(course::add_lesson))
        .route("/v1/courses/{id}/publish", post(course::publish))
        .route("/v1/courses/{id}/archive", post(course::archive))

        .route("/v1/enrollments", post(enrollment::enroll))
        .route("/v1/enrollments/{id}/lessons/{lesson_id}/complete", post(enrollment::complete_lesson))

        .route("/v1/payments", post(payment::pay))

        .route("/v1/assessments", post(assessment::create))
        .route("/v1/assessments/{id}/submissions", post(submission::submit))

        .route("/v1/imports/{source}", post(import::import))
}

/// What is taken in as it comes, and therefore not digested beforehand.
#[rustfmt::skip]
fn uploads() -> Router<State> {
    Router::new()
        .route("/v1/account-imports", post(account_import::start))
}

#[rustfmt::skip]
fn reads() -> Router<State> {
    Router::new()
        .route("/.well-known/jwks.json", get(wellknown::jwks))
        .route("/openapi.json", get(wellknown::openapi_json))

        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
}

fn swagger_ui() -> Router {
    // The document has a route of its own; the UI only has to know where.
    SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into()
}
