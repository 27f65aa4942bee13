//! Whom every operation is for, and a request for each that is right in form. A new route without an entry here fails
//! the tests that walk over all of them.

use crate::{
    academy::{Academy, LIST, answers, assessment, invitation, new_session_in, refresh_token},
    client::Call,
    contract::Operation,
    world::{PASSWORD, World, first_superadmin, id_of},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The path whose body is no JSON but a list.
pub const UPLOAD: &str = "/v1/account-imports";

/// Whom an operation is for.
#[derive(Debug, Clone, Copy)]
pub enum Gate {
    /// Whoever asks, without a token, for the reason that is given. These may only become fewer.
    Open(&'static str),
    /// Whoever signed in, also with a temporary password, for the reason that is given. These may only become fewer.
    AnyScope(&'static str),
    /// Whoever signed in. What they may do with which thing, the domain decides.
    SignedIn,
    /// These roles.
    For(&'static [&'static str]),
}
use Gate::{AnyScope, For, Open, SignedIn};

const ADMINS: Gate = For(&["admin", "superadmin"]);
const SUPERADMINS: Gate = For(&["superadmin"]);
const AUTHORS: Gate = For(&["instructor", "admin", "superadmin"]);
const AUDITORS: Gate = For(&["auditor", "admin", "superadmin"]);
const LEARNERS: Gate = For(&["learner"]);

/// Every operation of both APIs.
#[rustfmt::skip]
pub const GATES: &[(&str, Gate)] = &[
    ("POST /v1/auth/register", Open("whoever registers has no account yet")),
    ("POST /v1/auth/bootstrap", Open("before the first superadmin there is nobody; a secret of the operator's opens it")),
    ("POST /v1/auth/login", Open("tokens come from here")),
    ("POST /v1/auth/refresh", Open("the refresh token is in the body, and the access token may have expired")),
    ("POST /v1/auth/forgot-password", Open("whoever forgot the password cannot log in")),
    ("POST /v1/auth/reset-password", Open("the token of the letter is in the body")),
    ("POST /v1/auth/logout", AnyScope("whoever came in may go out")),
    ("POST /v1/auth/set-password", AnyScope("it is what a token of a temporary password is for")),

    ("DELETE /v1/me/sessions", SignedIn),
    ("DELETE /v1/me/sessions/{id}", SignedIn),
    ("POST /v1/accounts", ADMINS),
    ("PATCH /v1/accounts/{id}", ADMINS),
    ("DELETE /v1/accounts/{id}", ADMINS),
    ("POST /v1/accounts/{id}/deactivate", ADMINS),
    ("POST /v1/accounts/{id}/activate", ADMINS),
    ("POST /v1/accounts/{id}/role", ADMINS),
    ("POST /v1/accounts/{id}/email", ADMINS),
    ("POST /v1/accounts/{id}/grant-portal-access", ADMINS),
    ("POST /v1/accounts/{id}/revoke-portal-access", ADMINS),
    ("POST /v1/accounts/{id}/reset-password", ADMINS),
    ("POST /v1/accounts/{id}/unlock", ADMINS),
    ("DELETE /v1/accounts/{id}/sessions", ADMINS),
    ("DELETE /v1/accounts/{id}/sessions/{session_id}", ADMINS),
    ("POST /v1/account-imports", ADMINS),
    ("POST /v1/invitations", ADMINS),
    ("POST /v1/invitations/{id}/revoke", ADMINS),
    ("POST /v1/tenants", SUPERADMINS),
    ("PATCH /v1/tenants/{id}", ADMINS),
    ("POST /v1/tenants/{id}/accounts", ADMINS),
    ("POST /v1/categories", ADMINS),
    ("POST /v1/courses", AUTHORS),
    ("PATCH /v1/courses/{id}", AUTHORS),
    ("POST /v1/courses/{id}/lessons", AUTHORS),
    ("POST /v1/courses/{id}/publish", ADMINS),
    ("POST /v1/courses/{id}/archive", ADMINS),
    ("POST /v1/enrollments", SignedIn),
    ("POST /v1/enrollments/{id}/lessons/{lesson_id}/complete", SignedIn),
    ("POST /v1/payments", SignedIn),
    ("POST /v1/assessments", AUTHORS),
    ("POST /v1/assessments/{id}/submissions", LEARNERS),
    ("POST /v1/imports/{source}", ADMINS),

    ("GET /v1/me", SignedIn),
    ("GET /v1/me/sessions", SignedIn),
    ("GET /v1/me/enrollments", SignedIn),
    ("GET /v1/me/payments", SignedIn),
    ("GET /v1/me/submissions", SignedIn),
    ("GET /v1/accounts", AUTHORS),
    ("GET /v1/accounts/{id}", ADMINS),
    ("GET /v1/accounts/export", ADMINS),
    ("GET /v1/account-imports", ADMINS),
    ("GET /v1/account-imports/{id}", ADMINS),
    ("GET /v1/invitations", ADMINS),
    ("GET /v1/invitations/{id}", ADMINS),
    ("GET /v1/accounts/{id}/sessions", ADMINS),
    ("GET /v1/tenants", SUPERADMINS),
    ("GET /v1/tenants/{id}", ADMINS),
    ("GET /v1/tenants/{id}/statistics", ADMINS),
    ("GET /v1/tenants/{id}/accounts", ADMINS),
    ("GET /v1/categories", Open("the catalogue is public")),
    ("GET /v1/courses", Open("the catalogue is public")),
    ("GET /v1/courses/{id}", Open("the catalogue is public; what is not published is not found")),
    ("GET /v1/courses/{id}/lessons", Open("the outline is public; content is shown to those inside")),
    ("GET /v1/enrollments/{id}", SignedIn),
    ("GET /v1/assessments", SignedIn),
    ("GET /v1/assessments/{id}", SignedIn),
    ("GET /v1/dashboards/learner", LEARNERS),
    ("GET /v1/dashboards/instructor", For(&["instructor"])),
    ("GET /v1/dashboards/admin", ADMINS),
    ("GET /v1/analytics/accounts-by-role", ADMINS),
    ("GET /v1/analytics/revenue", ADMINS),
    ("GET /v1/analytics/enrollments", ADMINS),
    ("GET /v1/analytics/submissions", ADMINS),
    ("GET /v1/audit/events", AUDITORS),
    ("GET /v1/audit/sessions", AUDITORS),
    ("GET /v1/projections", AUDITORS),
];

impl Gate {
    /// Whether it lets a role through.
    pub fn admits(self, role: &str) -> bool {
        match self {
            For(roles) => roles.contains(&role),
            Open(_) | AnyScope(_) | SignedIn => true,
        }
    }
}

/// Whom the operation is for.
pub fn gate_of(operation: &Operation) -> Gate {
    let key = operation.key();
    let found = GATES.iter().find(|(known, _)| *known == key);
    found.unwrap_or_else(|| panic!("{key} is a new route: say in ops/tests/e2e/gates.rs whom it is for")).1
}

/// Somebody whom the operation is for; nobody where it is open.
pub fn someone_for(operation: &Operation) -> Option<&'static str> {
    match gate_of(operation) {
        Open(_) if operation.commands() => None,
        For(roles) => roles.first().copied(),
        Open(_) | AnyScope(_) | SignedIn => Some("learner"),
    }
}

/// The operation's path with the ids of the academy's things in it: those with which it can be done.
pub fn path_of(operation: &Operation, academy: &Academy) -> String {
    let (_, rest) = operation.path.split_once("/v1/").unwrap();
    let id = match (rest.split('/').next().unwrap(), rest.rsplit('/').next().unwrap()) {
        ("accounts", "{session_id}") => &academy.bystanders["sessions"],
        ("accounts", standing) if operation.path.contains('{') => &academy.bystanders[standing],
        ("account-imports", _) => &academy.import,
        ("invitations", _) => &academy.invitation,
        ("courses", "publish" | "archive") => &academy.draft,
        ("courses", _) => &academy.course,
        // A session of a learner's: their own where a learner asks.
        ("me", "{id}") => "{own}",
        ("tenants", _) if operation.path.contains('{') => &academy.tenant_id,
        ("enrollments", _) => &academy.enrollment,
        ("assessments", _) => &academy.assessment,
        ("imports", _) => "",
        (new, _) if operation.path.contains('{') => panic!("{new} has ids: say which in ops/tests/e2e/gates.rs"),
        _ => "",
    };
    let path = operation.path.replace("{id}", id);
    let path = path.replace("{lesson_id}", &academy.lesson).replace("{session_id}", &academy.session);
    path.replace("{source}", "old-portal")
}

/// A request that is right in form and about the academy's things, without a token. It carries nothing that only one
/// request can carry, so that it may be sent by anyone and again and again.
pub async fn sample(world: &World, academy: &Academy, operation: &Operation) -> Call {
    let mut path = path_of(operation, academy);
    if path.contains("{own}") {
        path = path.replace("{own}", &id_of(&new_session_in(world, &academy.slug, "learner", PASSWORD).await));
    }
    let call = Call::new(&operation.method, path);
    if !operation.commands() {
        return call;
    }
    if operation.path == UPLOAD {
        return call.header("content-type", "text/csv").text(LIST);
    }
    let body = match operation.key().as_str() {
        "POST /v1/auth/refresh" => json!({"refresh_token": refresh_token(world, "learner").await}),
        "POST /v1/auth/reset-password" => {
            // Of somebody of their own: their sessions end with it.
            let registration = body_of("POST /v1/auth/register", academy);
            world.post("/v1/auth/register", "", registration.clone()).await.expect(201);
            let token = world.reset_token(registration["email"].as_str().unwrap()).await;
            json!({"token": token, "new_password": PASSWORD})
        }
        key => body_of(key, academy),
    };
    let call = if body.is_null() { call } else { call.json(&body) };
    if operation.path == "/v1/payments" { call.header("idempotency-key", &unique()) } else { call }
}

fn body_of(key: &str, academy: &Academy) -> Value {
    match key {
        "POST /v1/auth/register" => json!({
            "email": format!("{}@example.org", unique()), "password": PASSWORD, "first_name": "Robin",
            "last_name": "Registered",
        }),
        "POST /v1/auth/bootstrap" => first_superadmin(),
        "POST /v1/auth/login" => json!({"email": "learner@example.org", "password": PASSWORD}),
        "POST /v1/auth/set-password" => json!({"new_password": PASSWORD, "current_password": PASSWORD}),
        "POST /v1/auth/forgot-password" => json!({"email": "nobody@example.org"}),
        "POST /v1/accounts" | "POST /v1/tenants/{id}/accounts" => json!({
            "email": format!("{}@example.org", unique()), "role": "learner", "first_name": "Robin", "last_name": "Created",
        }),
        "PATCH /v1/accounts/{id}" => json!({"bio": unique()}),
        "POST /v1/accounts/{id}/role" => json!({"role": "instructor"}),
        "POST /v1/accounts/{id}/email" => json!({"email": format!("{}@example.org", unique())}),
        "POST /v1/invitations" => invitation(),
        "POST /v1/tenants" => json!({"slug": format!("t{}", unique()), "name": "Another academy"}),
        "PATCH /v1/tenants/{id}" => json!({"settings": {"colour": unique()}}),
        "POST /v1/categories" => json!({"name": unique()}),
        "POST /v1/courses" => json!({"title": "Another"}),
        "PATCH /v1/courses/{id}" => json!({"description": unique()}),
        "POST /v1/courses/{id}/lessons" => json!({"title": "More", "content_type": "text", "content": "More."}),
        "POST /v1/enrollments" => json!({"course_id": academy.empty}),
        "POST /v1/payments" => json!({"course_id": academy.unpaid}),
        "POST /v1/assessments" => assessment(None),
        "POST /v1/assessments/{id}/submissions" => answers("a"),
        "POST /v1/imports/{source}" => {
            json!({"key": unique(), "occurred_at": "2013-10-01T00:00:00Z", "category": {"name": unique()}})
        }
        "POST /v1/auth/logout"
        | "DELETE /v1/accounts/{id}"
        | "POST /v1/accounts/{id}/deactivate"
        | "POST /v1/accounts/{id}/activate"
        | "POST /v1/accounts/{id}/grant-portal-access"
        | "POST /v1/accounts/{id}/revoke-portal-access"
        | "POST /v1/accounts/{id}/reset-password"
        | "POST /v1/accounts/{id}/unlock"
        | "DELETE /v1/accounts/{id}/sessions"
        | "DELETE /v1/accounts/{id}/sessions/{session_id}"
        | "DELETE /v1/me/sessions"
        | "DELETE /v1/me/sessions/{id}"
        | "POST /v1/invitations/{id}/revoke"
        | "POST /v1/courses/{id}/publish"
        | "POST /v1/courses/{id}/archive"
        | "POST /v1/enrollments/{id}/lessons/{lesson_id}/complete" => Value::Null,
        new => panic!("{new} is a new route: say in ops/tests/e2e/gates.rs what a request for it looks like"),
    }
}

/// A name that nothing else has.
pub fn unique() -> String {
    Uuid::new_v4().simple().to_string()
}
