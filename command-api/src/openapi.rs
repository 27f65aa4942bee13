//! The contract of this API, generated from the handlers: OpenAPI 3.1, checked in as `openapi.json` and compared by a
//! test. What every route has in common (headers, generic problems) is added here, so that a handler documents only
//! what is its own: its success, and the problems of its domain, each by its name in backticks.

use crate::http;
use ops::problem::{self, ProblemType};
use serde::Serialize;
use std::{fmt::Write, sync::LazyLock};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, OpenApi as Document, Ref, RefOr, Response, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use uuid::Uuid;

/// What every command answers; most routes add members. The same position stands in the header `Registrar-Position`, the
/// version in `ETag`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// The id of the thing that the command was about.
    pub id: Uuid,
    /// The version that it has now: what If-Match compares.
    #[schema(example = 3)]
    pub version: i64,
    /// The position in the log that the command reached: what Registrar-Min-Position waits for.
    #[schema(example = 1234)]
    pub position: i64,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Registrar: commands", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    tags(
        (name = "auth", description = "Registering, logging in and out, passwords"),
        (name = "auth_session", description = "Ending sessions"),
        (name = "account", description = "Accounts and profiles"),
        (name = "invitation", description = "Invitations to make an account"),
        (name = "tenant", description = "Organisations"),
        (name = "category", description = "Categories of courses"),
        (name = "course", description = "Courses and lessons"),
        (name = "enrollment", description = "Learners in courses"),
        (name = "payment", description = "Payments for courses"),
        (name = "assessment", description = "Assessments"),
        (name = "submission", description = "Answers to assessments"),
        (name = "import", description = "Facts from other systems"),
        (name = "well-known", description = "Keys and this document"),
        (name = "health", description = "Whether the process lives and is ready"),
    ),
    paths(
        http::auth::register,
        http::auth::bootstrap,
        http::auth::log_in,
        http::auth::refresh,
        http::auth::log_out,
        http::auth::set_password,
        http::auth::forgot_password,
        http::auth::reset_password,
        http::auth_session::end_own,
        http::auth_session::end_others,
        http::auth_session::revoke,
        http::auth_session::revoke_all,
        http::account::create,
        http::account::change,
        http::account::remove,
        http::account::deactivate,
        http::account::activate,
        http::account::change_role,
        http::account::change_email,
        http::account::grant_portal_access,
        http::account::revoke_portal_access,
        http::account::reset_password,
        http::account::unlock,
        http::account_import::start,
        http::invitation::issue,
        http::invitation::revoke,
        http::tenant::create,
        http::tenant::change,
        http::tenant::create_account,
        http::category::create,
        http::course::create,
        http::course::change,
        http::course::add_lesson,
        http::course::publish,
        http::course::archive,
        http::enrollment::enroll,
        http::enrollment::complete_lesson,
        http::payment::pay,
        http::assessment::create,
        http::submission::submit,
        http::import::import,
        http::wellknown::jwks,
        http::wellknown::openapi_json,
        ops::health::health,
        ops::health::live,
        ops::health::ready,
    ),
    components(schemas(Done, problem::ProblemDocument)),
    modifiers(&Conventions)
)]
struct Api;

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

/// Every problem type that a route may answer with.
pub fn problems() -> impl Iterator<Item = &'static ProblemType> {
    [
        problem::PROBLEMS,
        http::auth::PROBLEMS,
        http::account::PROBLEMS,
        http::invitation::PROBLEMS,
        http::tenant::PROBLEMS,
    ]
    .into_iter()
    .chain(http::LEARNING_PROBLEMS)
    .flatten()
}

/// What all routes have in common.
struct Conventions;

impl Modify for Conventions {
    fn modify(&self, document: &mut Document) {
        document.info.version = String::from(env!("CARGO_PKG_VERSION"));
        document.info.description = Some(description());
        if let Some(components) = &mut document.components {
            let bearer = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("The access_token of POST /v1/auth/login (RFC 6750)."))
                .build();
            components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        }
        for (path, item) in &mut document.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                // Function names repeat from stem to stem; an operation's id must not.
                if let (Some(id), Some([stem, ..])) = (&operation.operation_id, operation.tags.as_deref()) {
                    operation.operation_id = Some(format!("{stem}_{id}"));
                }
                if path.starts_with("/v1/") {
                    let any_scope = ANY_SCOPE.contains(&path.as_str());
                    add_headers(operation, any_scope);
                    add_problems(operation, any_scope, path == DONE_LATER);
                }
            }
        }
    }
}

/// The routes that a token of a temporary password opens too.
const ANY_SCOPE: [&str; 2] = ["/v1/auth/logout", "/v1/auth/set-password"];

/// The route that answers before anything is decided.
const DONE_LATER: &str = "/v1/auth/forgot-password";

fn description() -> String {
    let mut text = String::from(
        "Commands change things; what they changed is read from the query API. Bodies are JSON, and an unknown field \
         is refused. Every command answers with the position that it reached: send it to the query API as \
         Registrar-Min-Position to read your own write.\n\n\
         A refusal is a problem document (RFC 9457) whose `type` is the base URI followed by one of these names:\n\n\
         | type | status | when |\n|---|---|---|\n",
    );
    for problem in problems() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{}` | {} | {} |", problem.slug, problem.status, problem.meaning);
    }
    text
}

fn add_headers(operation: &mut Operation, any_scope: bool) {
    let is_secured = operation.security.as_ref().is_some_and(|security| !security.is_empty());
    let parameters = operation.parameters.get_or_insert_default();
    let is_known = |name: &str| {
        parameters.iter().any(|known| matches!(known, RefOr::T(known) if known.name.eq_ignore_ascii_case(name)))
    };
    if !is_known("Idempotency-Key") {
        parameters.push(RefOr::T(idempotency_key()));
    }
    if is_secured && !any_scope {
        parameters.push(RefOr::T(tenant()));
    }
}

fn tenant() -> Parameter {
    ParameterBuilder::new()
        .name("Registrar-Tenant")
        .parameter_in(ParameterIn::Header)
        .required(utoipa::openapi::Required::False)
        .description(Some(
            "The organisation, by slug or id, in which a superadmin acts who is of another; its history says so. \
             Everyone else is refused.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(utoipa::openapi::Required::False)
        .description(Some(
            "Names this request: sent again with the same key, it is answered as the first time, with \
             Idempotency-Replayed: true.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255))))
        .build()
}

/// Adds the problems that any such route may answer with to those that it documents, and gives each its content.
fn add_problems(operation: &mut Operation, any_scope: bool, done_later: bool) {
    let is_secured = operation.security.as_ref().is_some_and(|security| !security.is_empty());
    // A command without fields takes a body too: none, or one without members. A list is no JSON.
    let takes_json =
        !matches!(&operation.request_body, Some(RefOr::T(body)) if !body.content.contains_key("application/json"));
    let generic = [
        (problem::MALFORMED_JSON, takes_json),
        (problem::IDEMPOTENCY_KEY_REQUIRED, true),
        (problem::UNAUTHENTICATED, is_secured),
        (problem::INVALID_TOKEN, is_secured),
        // Registrar-Tenant is for superadmins alone.
        (problem::FORBIDDEN, is_secured),
        (problem::PASSWORD_CHANGE_REQUIRED, is_secured && !any_scope),
        (problem::REQUEST_TIMEOUT, true),
        (problem::CONFLICT, !done_later),
        (problem::IDEMPOTENCY_IN_FLIGHT, !done_later),
        (problem::PAYLOAD_TOO_LARGE, true),
        (problem::UNSUPPORTED_MEDIA_TYPE, true),
        (problem::INVALID_REQUEST, true),
        (problem::IDEMPOTENCY_KEY_REUSED, !done_later),
        (problem::HEADERS_TOO_LARGE, true),
        (problem::INTERNAL, !done_later),
        (problem::UNAVAILABLE, true),
    ];
    for (problem, _) in generic.iter().filter(|(_, applies)| *applies) {
        let response = operation.responses.responses.entry(problem.status.to_string());
        let RefOr::T(response) = response.or_insert_with(|| RefOr::T(Response::new(""))) else { continue };
        let name = format!("`{}`", problem.slug);
        if !response.description.contains(&name) {
            let separator = if response.description.is_empty() { "" } else { ", " };
            response.description.push_str(separator);
            response.description.push_str(&name);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
        {
            let schema: RefOr<Schema> = Ref::from_schema_name("ProblemDocument").into();
            response.content.clear();
            response.content.insert("application/problem+json".to_owned(), RefOr::T(Content::new(Some(schema))));
        }
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

    /// Every method and path of the route table, read from its source.
    fn routes() -> BTreeSet<(String, String)> {
        let table = include_str!("http.rs");
        let table = &table[..table.find("#[cfg(test)]").unwrap_or(table.len())];
        let mut routes = BTreeSet::new();
        for route in table.split(".route(\"").skip(1) {
            let (path, handlers) = route.split_once('"').unwrap();
            let line = handlers.lines().next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                if line.contains(&format!(" {method}(")) || line.contains(&format!(".{method}(")) {
                    routes.insert((method.to_owned(), path.to_owned()));
                }
            }
        }
        routes
    }

    fn operations() -> BTreeMap<(String, String), Operation> {
        let mut operations = BTreeMap::new();
        for (path, item) in document().paths.paths {
            let methods = [
                ("get", item.get),
                ("post", item.post),
                ("put", item.put),
                ("patch", item.patch),
                ("delete", item.delete),
            ];
            for (method, operation) in methods {
                operations.extend(operation.map(|operation| ((method.to_owned(), path.clone()), operation)));
            }
        }
        operations
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
    fn every_operation_is_described() {
        for ((method, path), operation) in operations() {
            assert!(operation.summary.is_some_and(|summary| !summary.is_empty()), "{method} {path}");
        }
    }

    #[test]
    fn no_two_problems_have_the_same_name() {
        let slugs: Vec<_> = problems().map(|problem| problem.slug).collect();
        assert_eq!(slugs.iter().collect::<BTreeSet<_>>().len(), slugs.len(), "{slugs:?}");
    }

    #[test]
    fn a_documented_problem_is_one_that_exists_with_that_status() {
        let known: BTreeMap<_, _> = problems().map(|problem| (problem.slug, problem.status)).collect();
        for ((method, path), operation) in operations() {
            for (status, response) in operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if !path.starts_with("/v1/") || !status.starts_with(['4', '5']) {
                    continue;
                }
                let named: Vec<_> = response.description.split('`').skip(1).step_by(2).collect();
                assert!(!named.is_empty(), "{method} {path} {status} names no problem");
                for slug in named {
                    let expected = known.get(slug).map(ToString::to_string);
                    assert_eq!(expected.as_ref(), Some(&status), "{method} {path}: {slug}");
                }
            }
        }
    }

    #[test]
    fn every_problem_of_a_domain_is_documented_where_it_happens() {
        let text: String = operations()
            .into_values()
            .flat_map(|operation| operation.responses.responses.into_values())
            .filter_map(|response| if let RefOr::T(response) = response { Some(response.description) } else { None })
            .collect();
        let generic: BTreeSet<_> = problem::PROBLEMS.iter().map(|problem| problem.slug).collect();
        for problem in problems().filter(|problem| !generic.contains(problem.slug)) {
            assert!(text.contains(&format!("`{}`", problem.slug)), "{} is documented on no route", problem.slug);
        }
    }
}
