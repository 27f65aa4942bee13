//! The contract of this API, generated from the handlers: OpenAPI 3.1, checked in as `openapi.json` and compared by a
//! test. What every route has in common (positions, generic problems) is added here, so that a handler documents only
//! what is its own.

use crate::views::{
    account_import_list, account_list, admin_dashboard, analytics, assessment_list, audit_trail, category_list,
    course_catalogue, course_detail, enrollment_progress, instructor_dashboard, invitation_list, learner_dashboard,
    payment_list, projections, session_trail, submission_list, tenant_list,
};
use axum::{http::header::CONTENT_TYPE, response::IntoResponse};
use ops::problem::{self, ProblemType};
use std::fmt::Write as _;
use std::sync::LazyLock;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Header, OpenApi as Document, Ref, RefOr, Required, Response, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{Object, ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Registrar: queries", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    tags(
        (name = "me", description = "One's own"),
        (name = "account", description = "Accounts and profiles"),
        (name = "invitation", description = "Invitations to make an account"),
        (name = "tenant", description = "Organisations"),
        (name = "category", description = "Categories of courses"),
        (name = "course", description = "Courses and lessons"),
        (name = "enrollment", description = "Learners in courses"),
        (name = "assessment", description = "Assessments"),
        (name = "dashboard", description = "First pages, one request each"),
        (name = "analytics", description = "Series over time"),
        (name = "audit", description = "The history, and how far the views reflect it"),
        (name = "well-known", description = "This document"),
        (name = "health", description = "Whether the process lives and is ready"),
    ),
    paths(
        account_list::me,
        session_trail::mine,
        session_trail::of_account,
        enrollment_progress::mine,
        payment_list::mine,
        submission_list::mine,
        account_list::list,
        account_list::one,
        account_list::export,
        account_import_list::list,
        account_import_list::one,
        invitation_list::list,
        invitation_list::one,
        tenant_list::list,
        tenant_list::one,
        tenant_list::statistics,
        tenant_list::accounts,
        category_list::list,
        course_catalogue::list,
        course_catalogue::one,
        course_detail::list,
        enrollment_progress::one,
        assessment_list::list,
        assessment_list::one,
        learner_dashboard::show,
        instructor_dashboard::show,
        admin_dashboard::show,
        analytics::accounts_by_role,
        analytics::revenue,
        analytics::enrollments,
        analytics::submissions,
        audit_trail::list,
        session_trail::list,
        projections::list,
        openapi_json,
        ops::health::health,
        ops::health::live,
        ops::health::ready,
    ),
    components(schemas(problem::ProblemDocument)),
    modifiers(&Conventions)
)]
struct Api;

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "well-known", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)
))]
pub async fn openapi_json() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], json())
}

/// The document.
pub fn document() -> Document {
    Api::openapi()
}

/// The document as JSON.
pub fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        let mut text = document().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    });
    &JSON
}

/// The problem types that a query may be answered with.
const PROBLEMS: [ProblemType; 12] = [
    problem::UNAUTHENTICATED,
    problem::INVALID_TOKEN,
    problem::FORBIDDEN,
    problem::PASSWORD_CHANGE_REQUIRED,
    problem::NOT_FOUND,
    problem::METHOD_NOT_ALLOWED,
    problem::REQUEST_TIMEOUT,
    problem::INVALID_REQUEST,
    problem::HEADERS_TOO_LARGE,
    problem::INTERNAL,
    problem::UNAVAILABLE,
    problem::PROJECTION_BEHIND,
];

/// Those of them that every route may answer with: the query string and Registrar-Min-Position can always be wrong, and
/// a token is refused even where none is needed.
const GENERIC: [ProblemType; 10] = [
    problem::INVALID_TOKEN,
    // Registrar-Tenant is for superadmins alone.
    problem::FORBIDDEN,
    problem::PASSWORD_CHANGE_REQUIRED,
    problem::REQUEST_TIMEOUT,
    problem::INVALID_REQUEST,
    problem::HEADERS_TOO_LARGE,
    problem::INTERNAL,
    problem::UNAVAILABLE,
    problem::PROJECTION_BEHIND,
    // Only where a token is needed; see `add_problems`.
    problem::UNAUTHENTICATED,
];

/// What all routes have in common.
struct Conventions;

impl Modify for Conventions {
    fn modify(&self, document: &mut Document) {
        env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
        document.info.description = Some(description());
        if let Some(components) = &mut document.components {
            let bearer = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("The access_token of the command API's POST /v1/auth/login (RFC 6750)."))
                .build();
            components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        }
        for (path, item) in &mut document.paths.paths {
            let Some(operation) = &mut item.get else { continue };
            operation.operation_id = Some(operation_id(path));
            if path.starts_with("/v1/") {
                operation.parameters.get_or_insert_default().extend([min_position(), tenant()].map(RefOr::T));
                add_problems(operation);
                add_headers(operation);
            }
        }
    }
}

fn description() -> String {
    let mut text = String::from(
        "Queries read, and change nothing. Every answer says in Registrar-Position which position in the log it \
         reflects; a request with Registrar-Min-Position is answered when that position is reached. Lists are pages: \
         `next` is the `cursor` of the next one, and the Link header its address.\n\n\
         A refusal is a problem document (RFC 9457) whose `type` is the base URI followed by one of these names:\n\n\
         | type | status | when |\n|---|---|---|\n",
    );
    for problem in PROBLEMS {
        let _ = writeln!(text, "| `{}` | {} | {} |", problem.slug, problem.status, problem.meaning);
    }
    text
}

/// The path in words: `get_v1_courses_id_lessons`.
fn operation_id(path: &str) -> String {
    let words = path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once("get").chain(words).collect::<Vec<_>>().join("_")
}

fn position() -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build()
}

fn min_position() -> Parameter {
    ParameterBuilder::new()
        .name("Registrar-Min-Position")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The position that the answer must reflect, such as a command answered with: waits for it, within a bound.",
        ))
        .schema(Some(position()))
        .build()
}

fn tenant() -> Parameter {
    ParameterBuilder::new()
        .name("Registrar-Tenant")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The organisation, by slug or id, that a superadmin looks into who is of another. Everyone else is refused.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// Adds the problems that any such route may answer with to those that it documents, and gives each its content.
fn add_problems(operation: &mut Operation) {
    // A route that needs no token lists the empty requirement first.
    let is_open = operation.security.as_ref().is_some_and(|security| security.len() > 1);
    let responses = &mut operation.responses.responses;
    for problem in GENERIC.iter().filter(|problem| !is_open || **problem != problem::UNAUTHENTICATED) {
        let response = responses.entry(problem.status.to_string()).or_insert_with(|| RefOr::T(Response::new("")));
        let RefOr::T(response) = response else { continue };
        let name = format!("`{}`", problem.slug);
        if !response.description.contains(&name) {
            let separator = if response.description.is_empty() { "" } else { ", " };
            let _ = write!(response.description, "{separator}{name}");
        }
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let RefOr::T(response) = response else { continue };
        let schema: RefOr<Schema> = Ref::from_schema_name("ProblemDocument").into();
        response.content.clear();
        response.content.insert("application/problem+json".to_owned(), RefOr::T(Content::new(Some(schema))));
    }
}

fn add_headers(operation: &mut Operation) {
    for status in ["200", "304"] {
        let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) else { continue };
        let mut header = Header::new(position());
        header.description = Some("The position in the log that the answer reflects.".to_owned());
        response.headers.insert("Registrar-Position".to_owned(), RefOr::T(header));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
    };

    const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    #[test]
    fn the_checked_in_document_is_the_generated_one() {
        if std::env::var_os("REGISTRAR_UPDATE_SCHEMAS").is_some_and(|value| value == "1") {
            fs::write(CHECKED_IN, json()).unwrap();
        }
        let checked_in = fs::read_to_string(CHECKED_IN).unwrap_or_default();
        assert!(checked_in == json(), "openapi.json is not up to date: run the tests with REGISTRAR_UPDATE_SCHEMAS=1");
    }

    #[test]
    fn it_is_openapi_3_1() {
        assert!(json().contains(r#""openapi": "3.1.0""#));
    }

    /// Every path of the route table, read from its source. All of them are read with GET.
    fn routes() -> BTreeSet<String> {
        let table = include_str!("http.rs");
        let route = |route: &str| {
            let (path, handler) = route.split_once('"').unwrap();
            assert!(handler.starts_with(", get("), "{path} is not only read");
            path.to_owned()
        };
        table.split(".route(\"").skip(1).map(route).collect()
    }

    fn operations() -> BTreeMap<String, Operation> {
        let item = |(path, item): (String, utoipa::openapi::PathItem)| {
            assert!(
                [item.post, item.put, item.patch, item.delete].iter().all(Option::is_none),
                "{path} changes something"
            );
            (path, item.get.unwrap())
        };
        document().paths.paths.into_iter().map(item).collect()
    }

    #[test]
    fn the_document_has_exactly_the_routes_of_the_table() {
        let documented: BTreeSet<_> = operations().into_keys().collect();
        assert!(documented.len() > 20, "{documented:?}");
        assert_eq!(routes(), documented);
    }

    #[test]
    fn no_two_operations_have_the_same_id() {
        let ids: Vec<_> = operations().into_values().filter_map(|operation| operation.operation_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn every_operation_is_described_and_says_who_may_call_it() {
        for (path, operation) in operations() {
            assert!(operation.summary.is_some_and(|summary| !summary.is_empty()), "{path}");
            assert_eq!(path.starts_with("/v1/"), operation.security.is_some(), "{path}");
        }
    }

    #[test]
    fn a_documented_problem_is_one_that_exists_with_that_status() {
        let known: BTreeMap<_, _> = PROBLEMS.iter().map(|problem| (problem.slug, problem.status.to_string())).collect();
        for (path, operation) in operations().into_iter().filter(|(path, _)| path.starts_with("/v1/")) {
            for (status, response) in operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if !status.starts_with(['4', '5']) {
                    continue;
                }
                let named: Vec<_> = response.description.split('`').skip(1).step_by(2).collect();
                assert!(!named.is_empty(), "{path} {status} names no problem");
                for slug in named {
                    assert_eq!(known.get(slug), Some(&status), "{path}: {slug}");
                }
            }
        }
    }
}
