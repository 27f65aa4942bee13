//! The rules that a body, a query and a path are read by.

use axum::{Router, body::Body, http::Response, routing::post};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::validate::{http_url, not_blank};

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be refused")]
struct Registration {
    #[validate(email, length(max = 254))]
    email: String,
    #[validate(length(min = 1, max = 10), custom(function = not_blank))]
    name: String,
    age: Option<u8>,
    #[serde(default)]
    kind: Kind,
    #[validate(custom(function = http_url))]
    page: Option<String>,
    #[serde(default)]
    #[validate(nested, length(max = 3))]
    items: Vec<Item>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Person,
    Robot,
}

#[derive(Debug, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Item {
    id: Uuid,
    #[validate(range(min = 1, max = 5))]
    score: i32,
}

fn wrong(body: &str) -> Vec<(String, String)> {
    let problem = decode_json::<Registration>(body.as_bytes()).unwrap_err();
    assert_eq!(problem.slug(), "invalid-request", "{problem:?}");
    problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
}

fn is(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

#[test]
fn a_good_body_is_taken() {
    let body = json!({"email": "a@b.example", "name": "A", "items": [{"id": Uuid::now_v7(), "score": 5}]});
    decode_json::<Registration>(body.to_string().as_bytes()).unwrap();
}

#[test]
fn a_misspelt_field_is_named_beside_the_one_that_it_leaves_missing() {
    assert_eq!(wrong(r#"{"emial": "a@b.example", "name": "A"}"#), [is("/email", "missing"), is("/emial", "unknown")]);
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let body = json!({
        "email": 5, "age": 300, "kind": "cat", "page": "ftp://x", "extra": null,
        "items": [{"id": "no", "score": 9}, {"score": "x", "a/b": 1}, []],
    });
    assert_eq!(
        wrong(&body.to_string()),
        [
            is("/age", "invalid"),
            is("/email", "invalid"),
            is("/extra", "unknown"),
            is("/items/0/id", "invalid"),
            is("/items/0/score", "range"),
            is("/items/1/a~1b", "unknown"),
            is("/items/1/id", "missing"),
            is("/items/1/score", "invalid"),
            is("/items/2", "invalid"),
            is("/kind", "invalid"),
            is("/name", "missing"),
            is("/page", "url"),
        ]
    );
}

#[test]
fn bounds_are_named_by_their_rule() {
    assert_eq!(wrong(r#"{"email": "nobody", "name": "  "}"#), [is("/email", "email"), is("/name", "blank")]);
    assert_eq!(wrong(r#"{"email": "a@b.example", "name": "12345678901"}"#), [is("/name", "length")]);
}

#[test]
fn a_repeated_key_is_refused_wherever_it_stands() {
    let body = r#"{"email": "a@b.example", "name": "A", "name": "B", "items": [{"id": "00000000-0000-0000-0000-000000000000", "score": 1, "score": 2}]}"#;
    assert_eq!(wrong(body), [is("/items/0/score", "duplicate"), is("/name", "duplicate")]);
}

#[test]
fn a_nul_character_is_refused_in_values_and_keys() {
    assert_eq!(wrong(r#"{"email": "a@b.example", "name": "A\u0000"}"#), [is("/name", "invalid")]);
    let found = wrong(r#"{"email": "a@b.example", "name": "A", "\u0000": 1}"#);
    assert!(found.contains(&is("/\0", "invalid")), "{found:?}");
}

#[test]
fn a_body_of_another_shape_is_refused_at_its_root() {
    for body in ["[]", "null", "1", r#""text""#] {
        assert_eq!(wrong(body), [is("", "invalid")], "{body}");
    }
}

#[test]
fn what_is_not_json_is_malformed() {
    let deep = "[".repeat(4096);
    for body in ["", "{", "{\"a\": 1,}", "{} {}", "\u{feff}{}", deep.as_str(), "{\"a\": NaN}"] {
        let problem = decode_json::<Registration>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.slug(), "malformed-json", "{body}");
    }
    assert_eq!(decode_json::<Registration>(b"\"\xff\"").unwrap_err().slug(), "malformed-json");
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[validate(range(max = 10))]
    most: Option<u32>,
    search: Option<String>,
}

async fn call(method: &str, uri: &str, content_type: Option<&str>, body: &str) -> (u16, Value) {
    let router = Router::new()
        .route("/json", post(async |Json(body): Json<Registration>| body.name))
        .route("/query", post(async |Query(filter): Query<Filter>| format!("{:?} {:?}", filter.most, filter.search)))
        .route("/path/{id}", post(async |Path(id): Path<Uuid>| id.to_string()))
        .route("/empty", post(async |_: EmptyBody| ""))
        .layer(axum::extract::DefaultBodyLimit::max(512));
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(value) = content_type {
        request = request.header(CONTENT_TYPE, value);
    }
    let response: Response<Body> = router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), 65536).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn only_json_is_read() {
    let body = r#"{"email": "a@b.example", "name": "A"}"#;
    for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        assert_eq!(call("POST", "/json", Some(good), body).await.0, 200, "{good}");
    }
    for bad in [None, Some("text/plain"), Some("application/jsonp"), Some("application/x-www-form-urlencoded")] {
        assert_eq!(call("POST", "/json", bad, body).await.0, 415, "{bad:?}");
    }
}

#[tokio::test]
async fn a_body_is_bounded() {
    let (status, problem) = call("POST", "/json", Some("application/json"), &" ".repeat(513)).await;
    assert_eq!((status, &problem["type"]), (413, &json!("https://registrar.dev/problems/payload-too-large")));
}

#[tokio::test]
async fn a_command_without_a_body_takes_none_or_an_empty_object() {
    assert_eq!(call("POST", "/empty", None, "").await.0, 200);
    assert_eq!(call("POST", "/empty", Some("application/json"), "").await.0, 200);
    assert_eq!(call("POST", "/empty", Some("application/json"), "{}").await.0, 200);
    let (status, problem) = call("POST", "/empty", Some("application/json"), r#"{"force": true}"#).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/force")));
    assert_eq!(call("POST", "/empty", None, "force").await.0, 415);
}

#[tokio::test]
async fn a_query_is_as_strict_as_a_body() {
    assert_eq!(call("POST", "/query?most=3&search=a%26b", None, "").await.0, 200);
    for (query, pointer, code) in [
        ("most=x", "/query/most", "invalid"),
        ("most=11", "/query/most", "range"),
        ("least=1", "/query/least", "unknown"),
        ("most=1&most=2", "/query/most", "duplicate"),
        ("search=%00", "/query/search", "invalid"),
    ] {
        let (status, problem) = call("POST", &format!("/query?{query}"), None, "").await;
        let error = &problem["errors"][0];
        assert_eq!((status, &error["pointer"], &error["code"]), (422, &json!(pointer), &json!(code)), "{query}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_an_id_names_nothing() {
    assert_eq!(call("POST", &format!("/path/{}", Uuid::now_v7()), None, "").await.0, 200);
    for id in ["no-uuid", "%00", "%ff"] {
        assert_eq!(call("POST", &format!("/path/{id}"), None, "").await.0, 404, "{id}");
    }
}
