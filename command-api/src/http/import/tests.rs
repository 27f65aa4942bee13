//! How lines are read, before anything is decided on them.

use super::*;
use crate::http::import::lines::{check_source, read};
use serde_json::{Value, json};

fn one(line: &Value) -> Result<ImportLine, Problem> {
    read(line.to_string().as_bytes(), 1).unwrap().remove(0)
}

fn wrong(line: &Value) -> Vec<(String, String)> {
    let problem = one(line).unwrap_err();
    assert_eq!(problem.slug(), "invalid-request");
    problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
}

fn is(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

fn student() -> Value {
    json!({
        "key": "17", "occurred_at": "2013-09-01T00:00:00Z",
        "account": {"email": "a@example.org", "role": "learner", "first_name": "Ada", "last_name": "Lovelace"},
    })
}

#[test]
fn a_line_tells_exactly_one_fact() {
    assert!(one(&student()).is_ok());
    let mut two = student();
    two["category"] = json!({"name": "Law"});
    assert_eq!(wrong(&two), [is("", "one-of")]);
    assert_eq!(wrong(&json!({"key": "17", "occurred_at": "2013-09-01T00:00:00Z"})), [is("", "one-of")]);
}

#[test]
fn each_wrong_field_of_a_line_is_named() {
    let mut line = student();
    line["key"] = json!("");
    line["account"]["email"] = json!("nobody");
    line["account"]["password"] = json!("secret");
    assert_eq!(wrong(&line), [is("/account/email", "email"), is("/account/password", "unknown"), is("/key", "blank")]);
}

#[test]
fn a_line_that_cannot_be_read_leaves_the_others_alone() {
    let body = format!("{}\n{{\"key\": \n\n{}\n\n", student(), student());
    let lines: Vec<_> = read(body.as_bytes(), 10).unwrap().into_iter().map(Result::err).collect();
    let slugs: Vec<_> = lines.iter().map(|problem| problem.as_ref().map(Problem::slug)).collect();
    assert_eq!(slugs, [None, Some("malformed-json"), Some("malformed-json"), None]);
}

#[test]
fn a_member_told_twice_and_a_nul_are_wrong() {
    let body = student().to_string();
    let twice = body.replacen("\"key\":", "\"key\":\"16\",\"key\":", 1);
    let nul = body.replacen("Lovelace", "Love\\u0000lace", 1);
    for wrong in [twice, nul] {
        assert_ne!(wrong, body);
        let problem = read(wrong.as_bytes(), 1).unwrap().remove(0).unwrap_err();
        assert_eq!(problem.slug(), "invalid-request", "{wrong}");
    }
}

#[test]
fn a_request_has_a_bound() {
    let body = format!("{}\n{}\n", student(), student());
    let problem = read(body.as_bytes(), 1).unwrap_err();
    assert_eq!((problem.slug(), problem.document().errors[0].code.as_str()), ("invalid-request", "length"));
}

#[test]
fn a_source_is_a_plain_name() {
    for good in ["oulad", "old-portal.v2", "a", "x".repeat(64).as_str()] {
        assert!(check_source(good).is_ok(), "{good}");
    }
    for bad in ["", "Old Portal", "a/b", "x".repeat(65).as_str(), "caf\u{e9}"] {
        assert_eq!(check_source(bad).unwrap_err().slug(), "invalid-request", "{bad}");
    }
}

#[test]
fn each_wrong_field_of_a_payment_is_named() {
    let payment = |amount: Value, transaction_id: Value| {
        let payment = json!({"learner": "17", "course": "law", "amount": amount, "transaction_id": transaction_id});
        json!({"key": "1", "occurred_at": "2013-09-01T00:00:00Z", "payment": payment})
    };
    assert!(one(&payment(json!({"amount_minor": 4999, "currency": "EUR"}), Value::Null)).is_ok());
    let wrong_amount = json!({"amount_minor": -1, "currency": "EUR"});
    let expected = [is("/payment/amount/amount_minor", "range"), is("/payment/transaction_id", "blank")];
    assert_eq!(wrong(&payment(wrong_amount, json!(" "))), expected);
    let wrong_currency = json!({"amount_minor": 4999, "currency": "euro"});
    assert_eq!(wrong(&payment(wrong_currency, json!("a"))), [is("/payment/amount/currency", "invalid")]);
}

#[test]
fn a_password_hash_is_bcrypt_and_is_never_told() {
    let mut line = student();
    line["account"]["password_hash"] = json!("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW");
    let told = format!("{:?}", one(&line).unwrap());
    assert!(told.contains("BcryptHash(…)") && !told.contains("R9h"), "{told}");
    line["account"]["password_hash"] = json!("$1$secret");
    let problem = one(&line).unwrap_err();
    let error = &problem.document().errors[0];
    let said = "must be a bcrypt hash, $2b$, of cost 4 to 14";
    assert_eq!((error.pointer.as_str(), error.detail.as_str()), ("/account/password_hash", said));
}
