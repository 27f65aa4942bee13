//! Who may ask for what: every route without a token, with a wrong role, and from another tenant.

use crate::world::{ASSESSMENT, IMPORT, INVITATION, Person, RUST, World, enrollment};
use events::tenant::DEFAULT_TENANT;
use ops::tokens::TokenScope;
use query_api::openapi;
use std::collections::BTreeSet;

/// The routes that anyone may ask for. This list may only shrink.
const OPEN: &[&str] = &["/v1/categories", "/v1/courses", "/v1/courses/{id}", "/v1/courses/{id}/lessons"];

/// The routes that are for some roles, and everyone for whom they are not.
const FOR_SOME: &[(&str, &[Person])] = &[
    ("/v1/accounts", &[Person::Ada, Person::Auditor]),
    ("/v1/accounts/{id}", &[Person::Ben, Person::Ida, Person::Auditor]),
    ("/v1/accounts/{id}/sessions", &[Person::Ben, Person::Ida, Person::Auditor]),
    ("/v1/accounts/export", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/account-imports", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/account-imports/{id}", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/invitations", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/invitations/{id}", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/dashboards/learner", &[Person::Ida, Person::Auditor, Person::Admin, Person::Superadmin]),
    ("/v1/dashboards/instructor", &[Person::Ada, Person::Auditor, Person::Admin, Person::Superadmin]),
    ("/v1/dashboards/admin", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/analytics/accounts-by-role", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/analytics/revenue", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/analytics/enrollments", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/analytics/submissions", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/audit/events", &[Person::Ada, Person::Ida]),
    ("/v1/audit/sessions", &[Person::Ada, Person::Ida]),
    ("/v1/projections", &[Person::Ada, Person::Ida]),
    ("/v1/tenants", &[Person::Ada, Person::Ida, Person::Auditor, Person::Admin]),
    ("/v1/tenants/{id}", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/tenants/{id}/statistics", &[Person::Ada, Person::Ida, Person::Auditor]),
    ("/v1/tenants/{id}/accounts", &[Person::Ada, Person::Ida, Person::Auditor]),
];

/// The routes that are for everyone who signed in; each shows what is the caller's.
const FOR_ALL: &[&str] = &[
    "/v1/me",
    "/v1/me/sessions",
    "/v1/me/enrollments",
    "/v1/me/payments",
    "/v1/me/submissions",
    "/v1/enrollments/{id}",
    "/v1/assessments",
    "/v1/assessments/{id}",
];

fn documented() -> BTreeSet<String> {
    openapi::document().paths.paths.into_keys().filter(|path| path.starts_with("/v1/")).collect()
}

/// The path of a thing that exists in the academy.
fn concrete(path: &str) -> String {
    let id = match path.split('/').nth(2) {
        Some("accounts") => Person::Ada.id(),
        Some("enrollments") => enrollment(Person::Ada, RUST),
        Some("assessments") => ASSESSMENT,
        Some("account-imports") => IMPORT,
        Some("invitations") => INVITATION,
        Some("tenants") => DEFAULT_TENANT.as_uuid(),
        _ => RUST,
    };
    path.replace("{id}", &id.to_string())
}

#[test]
fn every_route_says_whom_it_is_for() {
    let listed = OPEN.iter().chain(FOR_SOME.iter().map(|(path, _)| path)).chain(FOR_ALL);
    assert_eq!(listed.map(|path| (*path).to_owned()).collect::<BTreeSet<_>>(), documented());
}

#[tokio::test]
async fn without_a_good_token_only_open_routes_answer() {
    let world = World::new().await;
    let narrow = format!("Bearer {}", world.token(Person::Admin, TokenScope::SetPassword));
    for path in documented() {
        let answer = world.get_openly(&concrete(&path)).await;
        if OPEN.contains(&path.as_str()) {
            assert_eq!(answer.status, 200, "{path}");
        } else {
            assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthenticated"), "{path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
        }
        for (token, problem) in [("Bearer forged", "invalid-token"), (narrow.as_str(), "password-change-required")] {
            let answer = world.ask(None, &concrete(&path), &[(axum::http::header::AUTHORIZATION, token)]).await;
            assert_eq!(answer.problem(), problem, "{path}");
        }
    }
}

#[tokio::test]
async fn a_wrong_role_is_refused() {
    let world = World::new().await;
    for (path, refused) in FOR_SOME {
        for person in *refused {
            let answer = world.get(*person, &concrete(path)).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (403, "forbidden"), "{path} for {person:?}");
        }
    }
}

#[tokio::test]
async fn a_right_role_is_answered() {
    let world = World::new().await;
    let everyone = [Person::Ada, Person::Ida, Person::Auditor, Person::Admin, Person::Superadmin];
    for (path, refused) in FOR_SOME {
        for person in everyone.iter().filter(|person| !refused.contains(person)) {
            let answer = world.get(*person, &concrete(path)).await;
            // Ida is refused Ada's account, as every instructor is.
            assert_eq!(answer.status, 200, "{path} for {person:?}");
        }
    }
    for path in FOR_ALL {
        let answer = world.get(Person::Ada, &concrete(path)).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn another_tenant_has_nothing_to_see() {
    let world = World::new().await;
    for path in documented().into_iter().filter(|path| path.contains("{id}")) {
        let answer = world.get(Person::StrangeAdmin, &concrete(&path)).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found"), "{path}");
    }
    for path in [
        "/v1/accounts",
        "/v1/invitations",
        "/v1/account-imports",
        "/v1/categories",
        "/v1/courses",
        "/v1/assessments",
        "/v1/audit/events",
    ] {
        let body = world.get(Person::StrangeAdmin, path).await.ok().to_string();
        for ours in ["Ada", "Rust for Everyone", "Programming", "At the desk", "\"position\":1,"] {
            assert!(!body.contains(ours), "{path} shows {ours}");
        }
        assert!(!body.contains("\"items\":[]"), "{path} shows them what is theirs");
    }
    let sessions = world.get(Person::StrangeAdmin, "/v1/audit/sessions").await.each("account_id");
    assert_eq!(sessions, [Person::Stranger.id().to_string()]);
}

#[tokio::test]
async fn an_enrolment_is_its_learners_its_course_owners_and_the_admins() {
    let world = World::new().await;
    let path = format!("/v1/enrollments/{}", enrollment(Person::Ada, RUST));
    for (person, status) in [
        (Person::Ada, 200),
        (Person::Ida, 200),
        (Person::Admin, 200),
        (Person::Superadmin, 200),
        (Person::Ben, 404),
        (Person::Ivo, 404),
        (Person::Auditor, 404),
        (Person::Stranger, 404),
    ] {
        assert_eq!(world.get(person, &path).await.status, status, "{person:?}");
    }
}

#[tokio::test]
async fn a_lessons_content_is_for_those_inside() {
    let world = World::new().await;
    let path = format!("/v1/courses/{RUST}/lessons");
    for (person, inside) in [
        (None, false),
        (Some(Person::Ben), false),
        (Some(Person::Ivo), false),
        (Some(Person::Auditor), false),
        (Some(Person::Ada), true),
        (Some(Person::Ida), true),
        (Some(Person::Admin), true),
    ] {
        let body = world.ask(person, &path, &[]).await.ok().to_string();
        assert!(body.contains("Hello."), "a preview is for everyone, and so for {person:?}");
        assert!(body.contains("Lifetimes"), "the outline is for everyone, and so for {person:?}");
        assert_eq!(body.contains("A secret."), inside, "{person:?}");
        assert_eq!(body.contains("video.example"), inside, "{person:?}");
    }
}

#[tokio::test]
async fn what_an_option_is_worth_is_for_author_and_admins() {
    let world = World::new().await;
    let path = format!("/v1/assessments/{ASSESSMENT}");
    for (person, shown) in [
        (Person::Ada, false),
        (Person::Ivo, false),
        (Person::Auditor, false),
        (Person::Ida, true),
        (Person::Admin, true),
    ] {
        let body = world.get(person, &path).await.ok().to_string();
        assert_eq!(body.contains("score"), shown, "{person:?}");
    }
}
