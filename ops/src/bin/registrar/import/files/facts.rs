//! A row of each file as the fact that the command API takes, or what is wrong with the row and what is expected.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use super::super::table::{Columns, Row};

pub const ACCOUNTS: Columns = Columns {
    required: &["key", "email", "role", "first_name", "last_name", "created_at"],
    optional: &["username", "portal_access", "password_hash"],
};
pub const COURSES: Columns = Columns {
    required: &["key", "title", "created_at"],
    optional: &[
        "description",
        "category",
        "price_minor",
        "currency",
        "owner",
        "thumbnail_url",
        "published_at",
        "archived_at",
    ],
};
pub const PAYMENTS: Columns = Columns {
    required: &["key", "learner", "course", "amount_minor", "currency", "paid_at"],
    optional: &["transaction_id", "status"],
};
pub const ENROLMENTS: Columns =
    Columns { required: &["learner", "course", "enrolled_at"], optional: &["completed_at", "withdrawn_at"] };

/// The roles of accounts, and what older systems call them.
const ROLES: [&str; 9] =
    ["learner", "instructor", "auditor", "admin", "student", "trainee", "candidate", "teacher", "trainer"];
/// As long as a key may be.
const KEY_CHARS: usize = 200;
/// As much as may be paid at once, or cost.
const MOST: i64 = 100_000_000;

/// A learner's and a course's key.
pub type Place = (String, String);

/// An account, with its key.
pub fn account(row: &Row) -> Result<(String, Value), String> {
    let key = key(row, "key")?;
    let mut account = json!({
        "email": email(row)?, "role": role(row)?,
        "first_name": row.text("first_name")?, "last_name": row.text("last_name")?,
    });
    put(&mut account, "username", row.find("username"));
    put(&mut account, "portal_access", find_flag(row, "portal_access")?);
    put(&mut account, "password_hash", find_hash(row)?);
    let fact = json!({"key": key, "occurred_at": time(row, "created_at")?, "account": account});
    Ok((key, fact))
}

/// A course, with its key.
pub fn course(row: &Row) -> Result<(String, Value), String> {
    let (key, created_at) = (key(row, "key")?, time(row, "created_at")?);
    let mut course = json!({"title": row.text("title")?});
    for column in ["description", "thumbnail_url"] {
        put(&mut course, column, row.find(column));
    }
    for column in ["category", "owner"] {
        put(&mut course, column, find_key(row, column)?);
    }
    let price = match (row.find("price_minor"), row.find("currency")) {
        (None, None) => None,
        _ => Some(money(row, "price_minor")?),
    };
    put(&mut course, "price", price);
    let published_at = find_later(row, "published_at", "created_at", created_at)?;
    let archived_at = match published_at {
        Some(published_at) => find_later(row, "archived_at", "published_at", published_at)?,
        None => find_later(row, "archived_at", "created_at", created_at)?,
    };
    put(&mut course, "published_at", published_at.map(|at| at.to_rfc3339()));
    put(&mut course, "archived_at", archived_at.map(|at| at.to_rfc3339()));
    let fact = json!({"key": key, "occurred_at": created_at, "course": course});
    Ok((key, fact))
}

/// A payment, with its key and what it is for.
pub fn payment(row: &Row) -> Result<(String, Place, Value), String> {
    let (key, of) = (key(row, "key")?, place(row)?);
    if let Some(status) = row.find("status").filter(|status| !status.eq_ignore_ascii_case("completed")) {
        return Err(format!("status is {status:?}: only what was completed is taken, leave the row out"));
    }
    let mut payment = json!({"learner": of.0, "course": of.1, "amount": money(row, "amount_minor")?});
    put(&mut payment, "transaction_id", row.find("transaction_id"));
    let fact = json!({"key": key, "occurred_at": time(row, "paid_at")?, "payment": payment});
    Ok((key, of, fact))
}

/// An enrolment. It is known by its learner and course, so that its key only has to be short enough.
pub fn enrolment(row: &Row) -> Result<(Place, Value), String> {
    let (of, enrolled_at) = (place(row)?, time(row, "enrolled_at")?);
    let mut enrollment = json!({"learner": of.0, "course": of.1});
    for column in ["completed_at", "withdrawn_at"] {
        let at = find_later(row, column, "enrolled_at", enrolled_at)?;
        put(&mut enrollment, column, at.map(|at| at.to_rfc3339()));
    }
    let key: String = format!("{}/{}", of.1, of.0).chars().take(KEY_CHARS).collect();
    Ok((of, json!({"key": key, "occurred_at": enrolled_at, "enrollment": enrollment})))
}

fn put(fact: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fact[member] = value.into();
    }
}

fn place(row: &Row) -> Result<Place, String> {
    Ok((key(row, "learner")?, key(row, "course")?))
}

fn key(row: &Row, column: &'static str) -> Result<String, String> {
    find_key(row, column)?.map(str::to_owned).ok_or_else(|| format!("{column} is missing"))
}

fn find_key<'a>(row: &'a Row, column: &'static str) -> Result<Option<&'a str>, String> {
    match row.find(column).filter(|key| key.chars().count() > KEY_CHARS) {
        Some(_) => Err(format!("{column} is longer than {KEY_CHARS} characters")),
        None => Ok(row.find(column)),
    }
}

fn email(row: &Row) -> Result<&str, String> {
    let email = row.text("email")?;
    let is_one = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if is_one && !email.contains(char::is_whitespace) {
        return Ok(email);
    }
    Err(format!("email is {email:?}: an address is expected, such as ada@example.org"))
}

fn role(row: &Row) -> Result<String, String> {
    let role = row.text("role")?;
    let known = role.to_ascii_lowercase();
    if ROLES.contains(&&*known) {
        return Ok(known);
    }
    Err(format!("role is {role:?}: one of {} is expected", ROLES.join(", ")))
}

fn find_flag(row: &Row, column: &'static str) -> Result<Option<bool>, String> {
    match row.find(column).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(None),
        Some("true" | "yes" | "1") => Ok(Some(true)),
        Some("false" | "no" | "0") => Ok(Some(false)),
        Some(other) => Err(format!("{column} is {other:?}: true or false is expected")),
    }
}

/// What is no such hash may be a password, and is not told.
fn find_hash(row: &Row) -> Result<Option<&str>, String> {
    match row.find("password_hash").filter(|hash| !(hash.starts_with("$2b$") && hash.len() == 60)) {
        Some(_) => Err("password_hash is no bcrypt hash of the form $2b$…: leave it empty".to_owned()),
        None => Ok(row.find("password_hash")),
    }
}

fn money(row: &Row, column: &'static str) -> Result<Value, String> {
    let amount = row.text(column)?;
    let wrong = || format!("{column} is {amount:?}: cents are expected, 0 to {MOST}, such as 4999 for 49.99");
    let amount = amount.parse::<i64>().ok().filter(|amount| (0..=MOST).contains(amount)).ok_or_else(wrong)?;
    let currency = row.text("currency")?;
    if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Err(format!("currency is {currency:?}: three upper-case letters are expected, such as EUR"));
    }
    Ok(json!({"amount_minor": amount, "currency": currency}))
}

/// A time that has to be there.
pub fn time(row: &Row, column: &'static str) -> Result<DateTime<Utc>, String> {
    find_time(row, column)?.ok_or_else(|| format!("{column} is missing"))
}

fn find_time(row: &Row, column: &'static str) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = row.find(column) else { return Ok(None) };
    // As RFC 3339 has it, or PostgreSQL's `copy`, or a day.
    let time = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .map(|time| time.to_utc());
    let day = || text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let expected = "a day or a time with its zone is expected, such as 2024-05-01 or 2024-05-01T12:30:00Z";
    time.or_else(|_| day()).map(Some).map_err(|_| format!("{column} is {text:?}: {expected}"))
}

/// A time that may be unknown, and is not before what leads to it.
fn find_later(
    row: &Row,
    column: &'static str,
    before: &str,
    at: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, String> {
    match find_time(row, column)? {
        Some(later) if later < at => Err(format!("{column} is before {before}")),
        later => Ok(later),
    }
}
