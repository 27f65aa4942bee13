//! Every field of every command at its bounds: what is wrong is refused with a clear 4xx that names the field, nothing
//! is stored, and nothing is ever a fault of the server.
//!
//! The fields are those of the OpenAPI document, walked over in a request that is right but for the one thing: a route
//! or a field that is added is tried without anyone thinking of it.

use crate::{
    academy::Academy,
    client::{Answer, Call},
    contract::{Operation, operations},
    refusals::edge::signed_sample,
    world::World,
};
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use std::collections::BTreeSet;

/// Longer than any field may be, and shorter than a body may be.
const TOO_LONG: usize = 400_000;

/// A request that is wrong in one thing.
struct Wrong {
    what: String,
    body: Value,
    /// The field that the refusal names; empty where it may name the whole.
    pointer: String,
}

/// The fields that may hold any text, however long a body may be, because something else than a bound decides on them:
/// it is looked up, hashed or compared. They are refused all the same, with a problem of their own.
const LOOKED_UP: &[&str] = &["password", "new_password", "current_password", "refresh_token", "token", "tenant"];

#[tokio::test]
async fn every_field_of_every_command_is_held_to_its_bounds() {
    let world = World::start().await;
    let academy = Academy::open(&world).await;
    let document = world.client.send(&world.command_api, Call::get("/openapi.json")).await.expect(200);
    let log = world.log.pool().await;
    let (mut fields, mut requests) = (0, 0);
    for operation in operations(&world).await.iter().filter(|operation| operation.commands()) {
        let Some(schema) = schema_of(&document, operation) else { continue };
        let call = signed_sample(&world, &academy, operation).await;
        let body: Value = serde_json::from_str(call.body().unwrap()).unwrap();
        let head = recorded(&log).await;
        let mut wrongs = Vec::new();
        mutate(&document, schema, &body, &body, "", &mut wrongs);
        assert!(!wrongs.is_empty(), "{} has fields", operation.key());
        fields += wrongs.iter().map(|wrong| &wrong.pointer).collect::<BTreeSet<_>>().len();
        for Wrong { what, body, pointer } in wrongs {
            let answer = world.send(call.clone().json(&body)).await;
            requests += 1;
            let context = format!("{} with {what} at {pointer}: {}", operation.key(), answer.body);
            assert!(answer.status.is_client_error(), "{context}");
            assert!(names(&answer, &pointer), "{context}");
        }
        requests += whole_bodies(&world, operation, &call).await;
        assert_eq!(recorded(&log).await, head, "{}: nothing of it is stored", operation.key());
    }
    println!("{requests} requests over {fields} fields were refused");
    assert!(fields > 60 && requests > 500, "{requests} requests over {fields} fields");
}

/// Whether the refusal names the field, or is one of the route's own that says as much.
fn names(answer: &Answer, pointer: &str) -> bool {
    // A rule over the whole body names the whole.
    let named = |known: &str| known.is_empty() || known == pointer || known.starts_with(&format!("{pointer}/"));
    answer.slug() != Some("invalid-request") || answer.fields().iter().any(|(known, _)| named(known))
}

/// What is wrong with a body whatever its fields are; how many requests that was.
async fn whole_bodies(world: &World, operation: &Operation, call: &Call) -> usize {
    let body = call.body().unwrap().to_owned();
    let mut unknown: Map<String, Value> = serde_json::from_str(&body).unwrap();
    let (name, value) = unknown.iter().next().unwrap();
    let twice = format!("{{{}:{value},{}", json!(name), &body[1..]);
    unknown.insert("surprise".to_owned(), json!(1));
    let cases = [
        ("application/json", twice, 422, "invalid-request"),
        ("application/json", Value::Object(unknown).to_string(), 422, "invalid-request"),
        ("application/json", body[..body.len() - 1].to_owned(), 400, "malformed-json"),
        ("application/json", String::new(), 400, "malformed-json"),
        ("application/json", "[".repeat(1_000), 400, "malformed-json"),
        ("application/json", r#"{"a": "\ud800"}"#.to_owned(), 400, "malformed-json"),
        ("application/json", "[]".to_owned(), 422, "invalid-request"),
        ("application/json", "null".to_owned(), 422, "invalid-request"),
        ("text/plain", body.clone(), 415, "unsupported-media-type"),
        ("application/x-www-form-urlencoded", "a=b".to_owned(), 415, "unsupported-media-type"),
    ];
    let count = cases.len();
    for (kind, text, status, slug) in cases {
        let shown: String = text.chars().take(60).collect();
        let answer = world.send(call.clone().text(text).header("content-type", kind)).await;
        let told = format!("{} with {kind} {shown}: {}", operation.key(), answer.body);
        assert_eq!((answer.status.as_u16(), answer.slug()), (status, Some(slug)), "{told}");
    }
    count
}

/// How many events there are, but for those that tell of refusals.
async fn recorded(log: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from log.events where stream_type <> 'refusal'").fetch_one(log).await.unwrap()
}

/// The schema of the operation's JSON body, where it has one.
fn schema_of<'a>(document: &'a Value, operation: &Operation) -> Option<&'a Value> {
    let method = operation.method.to_lowercase();
    let body = &document["paths"][&operation.path][method]["requestBody"]["content"]["application/json"]["schema"];
    Some(resolve(document, body)).filter(|schema| schema["properties"].is_object())
}

/// What a schema refers to; of alternatives the one that is not null.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return resolve(document, &document["components"]["schemas"][name]);
    }
    for alternatives in ["oneOf", "anyOf", "allOf"] {
        let found = schema[alternatives].as_array().into_iter().flatten().find(|it| it["type"] != "null");
        if let Some(found) = found {
            return resolve(document, found);
        }
    }
    schema
}

/// Every way in which one field of `part`, which stands at `pointer` in `whole`, can be wrong.
fn mutate(document: &Value, schema: &Value, whole: &Value, part: &Value, pointer: &str, wrongs: &mut Vec<Wrong>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let (field, at) = (resolve(document, field), format!("{pointer}/{name}"));
        let mut wrong = |what: &str, value: Option<Value>| {
            let body = with(whole, pointer, name, value);
            wrongs.push(Wrong { what: what.to_owned(), body, pointer: at.clone() });
        };
        if required.contains(&name.as_str()) {
            wrong("nothing", None);
            wrong("null", Some(Value::Null));
        }
        for (kind, value) in [
            ("boolean", json!(true)),
            ("integer", json!(7)),
            ("number", json!(7.5)),
            ("string", json!("x\u{fffd}\u{202e}")),
            ("array", json!([])),
            ("object", json!({})),
        ] {
            if !is_of_kind(field, kind) {
                wrong(kind, Some(value));
            }
        }
        if is_of_kind(field, "string") {
            wrong("a null byte", Some(json!("a\u{0}b")));
            let is_looked_up = LOOKED_UP.contains(&name.as_str());
            let bound = field["maxLength"].as_u64().map(|bound| usize::try_from(bound).unwrap());
            wrong(
                "too long a text",
                Some(json!("x".repeat(if is_looked_up { TOO_LONG } else { bound.unwrap_or(TOO_LONG) + 1 }))),
            );
            if field["minLength"].as_u64().is_some_and(|bound| bound > 0) {
                wrong("no text", Some(json!("")));
                wrong("blanks", Some(json!(" \u{2003}\t")));
            }
        }
        for (what, bound, by) in [("too little", "minimum", -1), ("too much", "maximum", 1)] {
            if let Some(bound) = field[bound].as_i64() {
                wrong(what, Some(json!(bound + by)));
            }
        }
        if is_of_kind(field, "integer") {
            wrong("far too much", Some(json!(1e300)));
        }
        let value = &part[name];
        if field["properties"].is_object() && value.is_object() {
            mutate(document, field, whole, value, &at, wrongs);
        }
        let items = resolve(document, &field["items"]);
        if let Some(first) = value.as_array().and_then(|items| items.first())
            && items["properties"].is_object()
        {
            mutate(document, items, whole, first, &format!("{at}/0"), wrongs);
        }
    }
}

fn is_of_kind(schema: &Value, kind: &str) -> bool {
    let is = |known: &Value| known == kind || (kind == "integer" && known == "number");
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is),
        known => is(known),
    }
}

/// The body with one member set, or taken away.
fn with(whole: &Value, parent: &str, name: &str, value: Option<Value>) -> Value {
    let mut body = whole.clone();
    let object = body.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    body
}
