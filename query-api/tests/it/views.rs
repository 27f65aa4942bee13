//! What each view answers: whole answers as snapshots, and what of them changes from day to day by its numbers.

use crate::world::{ASSESSMENT, Answer, BAKING, DRAFT, IMPORT, INVITATION, LATIN, Person, RUST, World, enrollment};
use axum::http::header;
use chrono::{Days, Utc};
use serde_json::{Value, json};

/// An answer with the headers that belong to it.
fn whole(answer: &Answer) -> Value {
    json!({
        "status": answer.status.as_u16(),
        "position": answer.header("registrar-position"),
        "etag": answer.header("etag"),
        "body": answer.body,
    })
}

#[tokio::test]
async fn every_view_answers_with_what_its_tables_hold() {
    let world = World::new().await;
    let enrolled = enrollment(Person::Ada, RUST);
    for (name, person, path) in [
        ("me", Person::Ada, "/v1/me".to_owned()),
        ("me_sessions", Person::Ada, "/v1/me/sessions".to_owned()),
        ("me_enrollments", Person::Ada, "/v1/me/enrollments".to_owned()),
        ("me_payments", Person::Ada, "/v1/me/payments".to_owned()),
        ("me_submissions", Person::Ada, "/v1/me/submissions".to_owned()),
        ("accounts", Person::Admin, "/v1/accounts?limit=2".to_owned()),
        ("account", Person::Admin, format!("/v1/accounts/{}", Person::Ben.id())),
        ("invitations", Person::Admin, "/v1/invitations".to_owned()),
        ("invitation", Person::Admin, format!("/v1/invitations/{INVITATION}")),
        ("account_imports", Person::Admin, "/v1/account-imports".to_owned()),
        ("account_import", Person::Admin, format!("/v1/account-imports/{IMPORT}")),
        ("categories", Person::Ada, "/v1/categories".to_owned()),
        ("courses", Person::Ada, "/v1/courses".to_owned()),
        ("course", Person::Ada, format!("/v1/courses/{RUST}")),
        ("lessons_of_a_learner_inside", Person::Ada, format!("/v1/courses/{RUST}/lessons")),
        ("lessons_of_a_learner_outside", Person::Ben, format!("/v1/courses/{RUST}/lessons")),
        ("enrollment", Person::Ida, format!("/v1/enrollments/{enrolled}")),
        ("assessments", Person::Ben, "/v1/assessments".to_owned()),
        ("assessment_for_a_learner", Person::Ben, format!("/v1/assessments/{ASSESSMENT}")),
        ("assessment_for_its_author", Person::Ida, format!("/v1/assessments/{ASSESSMENT}")),
        ("dashboard_learner", Person::Ada, "/v1/dashboards/learner".to_owned()),
        (
            "analytics_accounts",
            Person::Admin,
            "/v1/analytics/accounts-by-role?from=2026-01-05&to=2026-01-07".to_owned(),
        ),
        ("analytics_revenue", Person::Admin, "/v1/analytics/revenue?from=2026-01-05&to=2026-01-07".to_owned()),
        (
            "analytics_enrollments",
            Person::Admin,
            "/v1/analytics/enrollments?from=2026-01-06&to=2026-01-18&bucket=week".to_owned(),
        ),
        (
            "analytics_submissions",
            Person::Admin,
            "/v1/analytics/submissions?from=2026-01-06&to=2026-01-18&bucket=month".to_owned(),
        ),
        ("audit_events", Person::Auditor, "/v1/audit/events".to_owned()),
        ("audit_sessions", Person::Auditor, "/v1/audit/sessions?active=true".to_owned()),
        ("projections", Person::Auditor, "/v1/projections".to_owned()),
    ] {
        let answer = world.get(person, &path).await;
        insta::assert_json_snapshot!(name, whole(&answer));
    }
}

#[tokio::test]
async fn an_instructors_dashboard_adds_up_their_courses() {
    let world = World::new().await;
    let dashboard = world.get(Person::Ida, "/v1/dashboards/instructor").await.ok();
    assert_eq!(
        dashboard["totals"],
        json!({
            "courses": 4, "published_courses": 2, "students": 8, "completions": 3, "completion_percent": 37,
            "avg_rating": 4.5,
            "revenue": [{"amount_minor": 9998, "currency": "EUR"}, {"amount_minor": 100, "currency": "USD"}],
        })
    );
    let courses = dashboard["courses"].as_array().unwrap();
    assert_eq!(
        courses.iter().map(|course| &course["title"]).collect::<Vec<_>>(),
        ["Not Yet", "Baking Größe L", "Rust for Everyone", "Latin"]
    );
    assert_eq!(
        courses[2],
        json!({
            "course_id": RUST, "title": "Rust for Everyone", "status": "published", "lesson_count": 3, "students": 7,
            "completions": 3, "completion_percent": 42, "avg_rating": 4.5,
            "revenue": [{"amount_minor": 9998, "currency": "EUR"}, {"amount_minor": 100, "currency": "USD"}],
        })
    );
    let series = dashboard["series"].as_array().unwrap();
    let today = Utc::now().date_naive();
    assert_eq!((series.len(), &series[0]["start"]), (30, &json!(today - Days::new(29))));
    assert_eq!(
        series[29],
        json!({"start": today, "enrollments": 4, "completions": 1, "revenue": [{"amount_minor": 9998, "currency": "EUR"}]})
    );
    assert_eq!(series[28]["revenue"], json!([{"amount_minor": 0, "currency": "EUR"}]));

    let nothing = world.get(Person::Ivo, "/v1/dashboards/instructor").await.ok();
    assert_eq!(
        (&nothing["totals"]["courses"], &nothing["totals"]["revenue"], &nothing["courses"]),
        (&json!(0), &json!([]), &json!([]))
    );
}

#[tokio::test]
async fn an_admins_dashboard_adds_up_the_organisation() {
    let world = World::new().await;
    let mut dashboard = world.get(Person::Superadmin, "/v1/dashboards/admin").await.ok();
    let series = dashboard["series"].take();
    insta::assert_json_snapshot!("dashboard_admin", dashboard);
    assert_eq!(series.as_array().unwrap().len(), 30);
    assert_eq!(series[29]["enrollments"], 7);
}

#[tokio::test]
async fn a_course_shows_itself_to_those_who_may_see_it() {
    let world = World::new().await;
    for (course, person, status) in [
        (RUST, None, 200),
        (DRAFT, None, 404),
        (DRAFT, Some(Person::Ada), 404),
        (DRAFT, Some(Person::Ivo), 404),
        (DRAFT, Some(Person::Ida), 200),
        (DRAFT, Some(Person::Admin), 200),
        (LATIN, None, 404),
        (LATIN, Some(Person::Ada), 404),
        (LATIN, Some(Person::Ben), 200),
        (LATIN, Some(Person::Ida), 200),
    ] {
        for path in [format!("/v1/courses/{course}"), format!("/v1/courses/{course}/lessons")] {
            let answer = world.ask(person, &path, &[]).await;
            assert_eq!(answer.status, status, "{path} for {person:?}");
            assert_eq!(answer.header("registrar-position"), Some("100"), "{path} for {person:?}");
        }
    }
}

#[tokio::test]
async fn courses_are_found_by_words_category_price_and_status() {
    let world = World::new().await;
    let crafts = "00000000-0000-7000-8000-000000006002";
    let ida = Person::Ida.id();
    for (person, query, found) in [
        (None, String::new(), &[BAKING, RUST][..]),
        (None, "search=rust".to_owned(), &[BAKING, RUST]),
        (None, "search=OWN".to_owned(), &[RUST]),
        (None, "search=every%20own".to_owned(), &[]),
        (None, "search=everyone%20own".to_owned(), &[RUST]),
        (None, "search=GR%C3%96".to_owned(), &[BAKING]),
        (None, "search=rust%20-bread".to_owned(), &[RUST]),
        (None, "search=tears%20or%20bread".to_owned(), &[BAKING, RUST]),
        (None, "search=%22for%20everyone%22".to_owned(), &[RUST]),
        (None, "search=%27%20%7C%20!!".to_owned(), &[]),
        (None, format!("category_id={crafts}"), &[BAKING]),
        (None, "min_price=1".to_owned(), &[RUST]),
        (None, "max_price=0".to_owned(), &[BAKING]),
        (None, "min_price=4999&max_price=4999".to_owned(), &[RUST]),
        (None, "sort_by=price".to_owned(), &[BAKING, RUST]),
        (None, "sort_by=rating".to_owned(), &[RUST, BAKING]),
        (None, "sort_by=students".to_owned(), &[RUST, BAKING]),
        (None, "status=draft".to_owned(), &[]),
        (Some(Person::Ada), "status=draft".to_owned(), &[]),
        (Some(Person::Ivo), String::new(), &[BAKING, RUST]),
        (Some(Person::Ida), String::new(), &[DRAFT, BAKING, RUST, LATIN]),
        (Some(Person::Ida), "status=draft".to_owned(), &[DRAFT]),
        (Some(Person::Admin), "status=archived".to_owned(), &[LATIN]),
        (None, format!("owner_id={ida}"), &[BAKING, RUST]),
        (None, "tenant=default".to_owned(), &[BAKING, RUST]),
    ] {
        let ids = world.ask(person, &format!("/v1/courses?{query}"), &[]).await.each("id");
        assert_eq!(ids, found.iter().map(ToString::to_string).collect::<Vec<_>>(), "{query} for {person:?}");
    }
}

#[tokio::test]
async fn accounts_are_found_by_role_status_and_words() {
    let world = World::new().await;
    for (query, names) in [
        ("role=learner", &["Ada", "Ben"][..]),
        ("role=student", &["Ada", "Ben"]),
        ("status=inactive", &["Ben"]),
        ("role=learner&status=active", &["Ada"]),
        ("search=%C3%96L%C3%87", &["Ben"]),
        ("search=olcer", &["Ben"]),
        ("search=O%CC%88l%C3%A7ER%20BEN@", &["Ben"]),
        ("search=love%20ADA", &["Ada"]),
        ("search=100%25", &["Ivo"]),
        ("search=%25", &["Ivo"]),
        ("search=nobody", &[]),
    ] {
        let found = world.get(Person::Ivo, &format!("/v1/accounts?{query}")).await.each("first_name");
        assert_eq!(found, names, "{query}");
    }
}

#[tokio::test]
async fn invitations_are_found_by_what_became_of_them() {
    let world = World::new().await;
    for (status, emails) in [
        ("open", &["cay@example.org"][..]),
        ("accepted", &["ada@example.org"]),
        ("expired", &["dee@example.org"]),
        ("revoked", &["null"]),
    ] {
        let found = world.get(Person::Admin, &format!("/v1/invitations?status={status}")).await.each("email");
        assert_eq!(found, emails, "{status}");
    }
}

#[tokio::test]
async fn the_list_of_accounts_comes_as_a_file_with_the_same_filters() {
    let world = World::new().await;
    let answer = world.get(Person::Admin, "/v1/accounts/export?role=trainee&search=olcer").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(answer.header("registrar-position"), Some("100"));
    let name = format!("attachment; filename=\"accounts-{}.csv\"", Utc::now().date_naive());
    assert_eq!(answer.header("content-disposition"), Some(&*name));
    let text = String::from_utf8(answer.bytes).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    let ben = format!(
        "{},ben@example.org,,learner,Ben,Ölçer,false,true,false,,2026-01-06T09:00:00Z,2026-01-06T09:00:00Z",
        Person::Ben.id()
    );
    assert_eq!((lines.len(), lines[1], lines[2]), (3, &*ben, ""));
}

#[tokio::test]
async fn a_file_holds_every_page_of_the_list_and_nothing_of_another_tenant() {
    let world = World::new().await;
    let many = "insert into read.account_list (tenant_id, account_id, first_name, role, is_active, portal_access,
             must_set_password, created_at, updated_at, version)
         select '00000000-0000-7000-8000-000000000001', gen_random_uuid(), 'Many', 'learner', true, true, false,
             '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 1
         from generate_series(1, 2500)";
    sqlx::query(many).execute(&world.owner).await.unwrap();
    let csv = world.get(Person::Admin, "/v1/accounts/export").await.bytes;
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(csv.lines().count(), 1 + 7 + 2500);
    assert!(!csv.contains("Stranger"));
    let theirs = String::from_utf8(world.get(Person::StrangeAdmin, "/v1/accounts/export").await.bytes).unwrap();
    assert_eq!((theirs.lines().count(), theirs.contains("Ada")), (3, false));
    let workbook = world.get(Person::Admin, "/v1/accounts/export?format=xlsx").await;
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    assert_eq!(workbook.header("content-type"), Some(kind));
    assert_eq!(&workbook.bytes[..4], b"PK\x03\x04");
}

#[tokio::test]
async fn events_are_found_by_actor_subject_stream_type_and_time() {
    let world = World::new().await;
    let (ada, ida) = (Person::Ada.id(), Person::Ida.id());
    for (query, positions) in [
        (String::new(), &["1", "3", "4", "5"][..]),
        (format!("actor={ada}"), &["1", "5"]),
        (format!("subject={ada}"), &["1", "5"]),
        (format!("subject={ada}&after=1"), &["5"]),
        (format!("subject={ida}"), &["3"]),
        (format!("stream=course/{RUST}"), &["3", "4"]),
        (format!("stream={RUST}"), &["3", "4"]),
        (format!("stream=account/{RUST}"), &[]),
        ("type=registrar.course.published.v1".to_owned(), &["4"]),
        ("from=2026-01-12".to_owned(), &["3", "4", "5"]),
        ("to=2026-01-13".to_owned(), &["1", "3", "4"]),
        ("from=2026-01-12T10:00:00%2B01:00&to=2026-01-13T09:00:00Z".to_owned(), &["3"]),
        ("after=3".to_owned(), &["4", "5"]),
    ] {
        let found = world.get(Person::Auditor, &format!("/v1/audit/events?{query}")).await.each("position");
        assert_eq!(found, positions, "{query}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_unknown_or_wrong_is_named() {
    let world = World::new().await;
    for (path, pointer) in [
        ("/v1/courses?sort=price", "/query/sort"),
        ("/v1/courses?sort_by=colour", "/query/sort_by"),
        ("/v1/courses?min_price=-1", "/query/min_price"),
        ("/v1/courses?limit=201", "/query/limit"),
        ("/v1/courses?cursor=nonsense", "/query/cursor"),
        ("/v1/accounts?role=wizard", "/query/role"),
        ("/v1/accounts/export?format=pdf", "/query/format"),
        ("/v1/accounts/export?limit=1", "/query/limit"),
        ("/v1/invitations?status=lost", "/query/status"),
        ("/v1/accounts?status=asleep", "/query/status"),
        ("/v1/audit/events?stream=course", "/query/stream"),
        ("/v1/audit/events?from=yesterday", "/query/from"),
        ("/v1/audit/events?actor=ada", "/query/actor"),
        ("/v1/audit/sessions?active=perhaps", "/query/active"),
        ("/v1/analytics/revenue?bucket=year", "/query/bucket"),
        ("/v1/analytics/revenue?from=2026-02-01&to=2026-01-01", "/query/from"),
        ("/v1/analytics/revenue?from=2000-01-01&to=2026-01-01", "/query/from"),
    ] {
        let answer = world.get(Person::Admin, path).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid-request"), "{path}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{path}");
    }
    let answer = world.get_openly("/v1/courses?tenant=elsewhere").await;
    assert_eq!((answer.problem(), &answer.body["errors"][0]["pointer"]), ("invalid-request", &json!("/query/tenant")));
}

#[tokio::test]
async fn who_knows_this_version_is_not_told_again() {
    let world = World::new().await;
    let path = format!("/v1/assessments/{ASSESSMENT}");
    let known = world.ask(Some(Person::Ben), &path, &[(header::IF_NONE_MATCH, "\"1\"")]).await;
    assert_eq!((known.status.as_u16(), known.header("etag"), &known.body), (304, Some("\"1\""), &Value::Null));
    assert_eq!(known.header("registrar-position"), Some("100"));
    let changed = world.ask(Some(Person::Ben), &path, &[(header::IF_NONE_MATCH, "\"2\"")]).await;
    assert_eq!(changed.status, 200);
    let path = format!("/v1/courses/{RUST}");
    let course = world.ask(None, &path, &[(header::IF_NONE_MATCH, "\"6\"")]).await;
    assert_eq!((course.status.as_u16(), course.header("etag")), (200, Some("\"6\"")), "its students may have changed");
}

#[tokio::test]
async fn a_projection_behind_the_log_says_how_far() {
    let world = World::new().await;
    let behind = "update read.projections
         set position = 97, event_recorded_at = now() - interval '1 hour', state = 'paused'
         where name = 'payment_list'";
    sqlx::query(behind).execute(&world.owner).await.unwrap();
    let answer = world.get(Person::Auditor, "/v1/projections").await;
    assert_eq!(answer.header("registrar-position"), Some("97"));
    let items = answer.ok()["items"].take();
    let payments = items.as_array().unwrap().iter().find(|item| item["name"] == "payment_list").unwrap().clone();
    assert_eq!(
        (&payments["lag_events"], &payments["parked"], &payments["state"]),
        (&json!(3), &json!(1), &json!("paused"))
    );
    assert!((3600.0..3700.0).contains(&payments["lag_seconds"].as_f64().unwrap()), "{payments}");
    let check = query_api::views::projections::check(&world.pool_as("registrar_query").await).await;
    assert_eq!(check, Err("payment_list is paused, 3 events behind".to_owned()));
}
