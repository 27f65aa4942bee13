//! Pages: whoever follows `next` to its end has seen every row exactly once, in order.

use crate::world::{Answer, Person, World};
use axum::http::HeaderName;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeSet;

/// More than fit into a page of any size that is asked for here, with many of the same price, rating and time.
const MANY: &str = "
    insert into read.course_catalogue (tenant_id, course_id, owner_id, title, price_minor, currency, status, lessons,
        avg_rating, created_at, updated_at, version)
    select '00000000-0000-7000-8000-000000000001', uuidv7(), '00000000-0000-7000-8000-0000000000b1', 'Course ' || n,
        n % 7, 'EUR', 'published', 1, case when n % 3 = 0 then null else (n % 5) + 1.0 / 3 end,
        '2026-02-01T00:00:00Z'::timestamptz + (n % 11) * interval '1 microsecond', now(), 1
    from generate_series(1, 137) as n;

    insert into read.course_catalogue_students (tenant_id, course_id, total_students)
    select tenant_id, course_id, price_minor % 3
    from read.course_catalogue
    where title like 'Course %' and price_minor <> 3
    on conflict do nothing;

    insert into read.category_list (tenant_id, category_id, name, created_at, version)
    select '00000000-0000-7000-8000-000000000001', uuidv7(), 'Category ' || n, now(), 1
    from generate_series(1, 23) as n;

    insert into read.account_list (tenant_id, account_id, role, is_active, portal_access, must_set_password,
        created_at, updated_at, version)
    select '00000000-0000-7000-8000-000000000001', uuidv7(), 'learner', true, true, false,
        '2026-02-01T00:00:00Z'::timestamptz + (n % 4) * interval '1 microsecond', now(), 1
    from generate_series(1, 41) as n;

    insert into read.audit_trail (position, tenant_id, event_id, stream_type, stream_id, version, type, recorded_at,
        data, metadata, leaf_hash)
    select n, '00000000-0000-7000-8000-000000000001', uuidv7(), 'course', uuidv7(), 1, 't', now(), '{}', '{}', ''
    from generate_series(6, 60) as n;

    insert into read.audit_trail_subjects (tenant_id, subject_id, position)
    select '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000000a1', n
    from generate_series(6, 60) as n;
";

/// Follows `next` from page to page, and checks that the Link header says the same.
async fn walk(world: &World, path: &str) -> Vec<Value> {
    let (mut items, mut at) = (Vec::new(), path.to_owned());
    loop {
        let page: Answer = world.get(Person::Admin, &at).await;
        let link = page.header("link").map(str::to_owned);
        let mut body = page.ok();
        items.append(body["items"].as_array_mut().unwrap());
        let Some(next) = body["next"].as_str() else {
            assert_eq!(link, None);
            return items;
        };
        let link = link.unwrap();
        let address = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
        assert!(address.ends_with(&format!("cursor={next}")), "{link}");
        address.clone_into(&mut at);
        assert!(items.len() < 1000, "{path} does not end");
    }
}

#[tokio::test]
async fn whoever_follows_next_sees_every_row_exactly_once() {
    let world = World::new().await;
    sqlx::raw_sql(MANY).execute(&world.owner).await.unwrap();
    let ada = Person::Ada.id();
    for (path, key, expected) in [
        ("/v1/courses?limit=10".to_owned(), "id", 141),
        ("/v1/courses?limit=10&sort_by=price".to_owned(), "id", 141),
        ("/v1/courses?limit=10&sort_by=rating".to_owned(), "id", 141),
        ("/v1/courses?limit=10&sort_by=students".to_owned(), "id", 141),
        ("/v1/courses?limit=9&sort_by=price&status=published&search=course".to_owned(), "id", 137),
        ("/v1/courses?limit=200".to_owned(), "id", 141),
        ("/v1/categories?limit=5".to_owned(), "id", 25),
        ("/v1/accounts?limit=6".to_owned(), "id", 48),
        ("/v1/accounts?limit=1&role=instructor".to_owned(), "id", 2),
        ("/v1/audit/events?limit=7".to_owned(), "position", 59),
        (format!("/v1/audit/events?limit=7&subject={ada}"), "position", 57),
        ("/v1/audit/sessions?limit=1".to_owned(), "id", 4),
        ("/v1/assessments?limit=1".to_owned(), "id", 2),
        ("/v1/projections?limit=3".to_owned(), "name", 18),
        ("/v1/courses/00000000-0000-7000-8000-000000005001/lessons?limit=1".to_owned(), "id", 3),
    ] {
        let items = walk(&world, &path).await;
        let distinct: BTreeSet<String> = items.iter().map(|item| item[key].to_string()).collect();
        assert_eq!((items.len(), distinct.len()), (expected, expected), "{path}");
    }
}

#[tokio::test]
async fn pages_keep_to_the_order_that_was_asked_for() {
    let world = World::new().await;
    sqlx::raw_sql(MANY).execute(&world.owner).await.unwrap();
    let by = async |sort: &str, key: fn(&Value) -> f64| -> Vec<f64> {
        walk(&world, &format!("/v1/courses?limit=10&sort_by={sort}")).await.iter().map(key).collect()
    };
    let prices = by("price", |course| course["price"]["amount_minor"].as_f64().unwrap_or(0.0)).await;
    assert!(prices.is_sorted(), "{prices:?}");
    let ratings = by("rating", |course| -course["avg_rating"].as_f64().unwrap_or(0.0)).await;
    assert!(ratings.is_sorted(), "{ratings:?}");
    let students = by("students", |course| -course["total_students"].as_f64().unwrap()).await;
    assert!(students.is_sorted(), "{students:?}");
    let items = walk(&world, "/v1/courses?limit=10").await;
    // As instants: written out, a whole second sorts behind its own fractions.
    let created = |course: &Value| course["created_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(items.iter().rev().map(created).is_sorted());
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    let world = World::new().await;
    let cursor = world.get_openly("/v1/courses?limit=1&sort_by=price").await.ok()["next"].clone();
    let path = format!("/v1/courses?limit=1&sort_by=students&cursor={}", cursor.as_str().unwrap());
    let answer = world.get_openly(&path).await;
    assert_eq!(
        (answer.problem(), answer.body["errors"][0]["pointer"].as_str()),
        ("invalid-request", Some("/query/cursor"))
    );
}

#[tokio::test]
async fn one_page_goes_on_where_the_one_before_ended_though_rows_came_in_between() {
    let world = World::new().await;
    let first = world.get_openly("/v1/courses?limit=1").await.ok();
    sqlx::raw_sql(MANY).execute(&world.owner).await.unwrap();
    let path = format!("/v1/courses?limit=1&cursor={}", first["next"].as_str().unwrap());
    let second = world.ask(None, &path, &[] as &[(HeaderName, &str)]).await.each("title");
    assert_eq!(second, ["Rust for Everyone"]);
}
