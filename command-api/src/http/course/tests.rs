//! What the bodies of `/v1/courses` are refused for, and by which field.

use super::*;
use ops::extract::decode_json;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn wrong<T: DeserializeOwned + Validate>(body: &Value) -> Vec<(String, String)> {
    let problem = decode_json::<T>(body.to_string().as_bytes()).err().unwrap();
    assert_eq!(problem.slug(), "invalid-request");
    problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
}

fn is(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

#[test]
fn a_price_is_bounded_and_has_a_currency() {
    let priced = |price: Value| json!({"title": "Contracts", "price": price});
    decode_json::<CreateCourse>(priced(json!({"amount_minor": 100_000_000, "currency": "EUR"})).to_string().as_bytes())
        .unwrap();
    for (price, error) in [
        (json!({"amount_minor": -1, "currency": "EUR"}), is("/price/amount_minor", "range")),
        (json!({"amount_minor": 100_000_001, "currency": "EUR"}), is("/price/amount_minor", "range")),
        (json!({"amount_minor": 49.99, "currency": "EUR"}), is("/price/amount_minor", "invalid")),
        (json!({"amount_minor": 4999, "currency": "euro"}), is("/price/currency", "invalid")),
        (json!({"amount_minor": 4999}), is("/price/currency", "missing")),
    ] {
        assert_eq!(wrong::<CreateCourse>(&priced(price.clone())), [error], "{price}");
    }
    let cleared = decode_json::<ChangeCourse>(br#"{"price": null}"#).unwrap();
    assert!(matches!(cleared.price, Some(None)));
    let change = json!({"price": {"amount_minor": -1, "currency": "EUR"}});
    assert_eq!(wrong::<ChangeCourse>(&change), [is("/price/amount_minor", "range")]);
}

#[test]
fn a_title_can_be_changed_and_not_taken_away() {
    assert_eq!(wrong::<ChangeCourse>(&json!({"title": null})), [is("/title", "invalid")]);
    assert_eq!(wrong::<ChangeCourse>(&json!({"title": " "})), [is("/title", "blank")]);
    assert_eq!(wrong::<ChangeCourse>(&json!({"title": "x".repeat(201)})), [is("/title", "length")]);
    assert_eq!(Changes::from(decode_json::<ChangeCourse>(b"{}").unwrap()), Changes::default());
}

#[test]
fn a_lesson_is_bounded() {
    let lesson =
        |content: String, url: &str| json!({"title": "Offer", "content_type": "text", "content": content, "url": url});
    let fits = lesson("x".repeat(MAX_CONTENT_BYTES), "https://example.org/1.pdf");
    decode_json::<AddLesson>(fits.to_string().as_bytes()).unwrap();
    let found = wrong::<AddLesson>(&lesson("x".repeat(MAX_CONTENT_BYTES + 1), "javascript:alert(1)"));
    assert_eq!(found, [is("/content", "length"), is("/url", "url")]);
    let unknown = json!({"title": "Offer", "content_type": "audio"});
    assert_eq!(wrong::<AddLesson>(&unknown), [is("/content_type", "invalid")]);
}

#[test]
fn what_a_lesson_lacks_is_named_by_its_field() {
    for (refusal, pointer, code) in [
        (Refusal::ContentMissing, "/content", "missing"),
        (Refusal::UrlMissing(ContentType::Pdf), "/url", "missing"),
        (Refusal::ContentNotApplicable(ContentType::Video), "/content", "not-applicable"),
        (Refusal::UrlNotApplicable, "/url", "not-applicable"),
        (Refusal::UnknownCategory, "/category_id", "unknown"),
    ] {
        let problem = Problem::from(refusal);
        let error = &problem.document().errors[0];
        let found = (problem.slug(), error.pointer.as_str(), error.code.as_str());
        assert_eq!(found, ("invalid-request", pointer, code));
    }
}
