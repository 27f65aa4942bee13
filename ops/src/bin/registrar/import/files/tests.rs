//! What is taken of the files, and what is said of the rows that are not. All rows here are made up.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{listing::*, *};

const HASH: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";

/// A folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("registrar-files-{}", Uuid::now_v7()));
        fs::create_dir(&path).unwrap();
        for (name, content) in files {
            fs::write(path.join(name), content).unwrap();
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(files: &[(&str, &str)]) -> Listing {
    Listing::read(&Folder::with(files).0).unwrap()
}

/// The facts of a stage, each of which no row was refused for.
fn facts(files: &[(&str, &str)], stage: &str) -> Vec<Value> {
    let listing = read(files);
    assert_eq!(reasons(&listing), []);
    let (_, lines) = listing.stages().into_iter().find(|(name, _)| *name == stage).unwrap();
    lines.iter().map(|line| serde_json::from_str(&line.json).unwrap()).collect()
}

fn reasons(listing: &Listing) -> Vec<(&str, u64, &str)> {
    listing.refused.iter().map(|refused| (refused.file, refused.line, refused.reason.as_str())).collect()
}

/// What is said of a folder that is refused as a whole, without its path.
fn said(files: &[(&str, &str)]) -> String {
    let folder = Folder::with(files);
    Listing::read(&folder.0).unwrap_err().to_string().replace(&format!("{}/", folder.0.display()), "")
}

#[test]
fn an_account_has_what_its_row_says() {
    let header = "key,email,role,first_name,last_name,created_at";
    let plain = format!("{header}\n17,ada@example.org,Student,Ada,\"King, Countess\",2024-05-01\n");
    let expected = json!({
        "key": "17", "occurred_at": "2024-05-01T00:00:00Z",
        "account": {
            "email": "ada@example.org", "role": "student", "first_name": "Ada", "last_name": "King, Countess",
        },
    });
    assert_eq!(facts(&[(ACCOUNTS, &plain)], "accounts"), std::slice::from_ref(&expected));
    let row = "17,ada@example.org,Student,Ada,\"King, Countess\",2024-05-01,ada.k,no";
    let full = format!("{header},username,portal_access,password_hash\n{row},{HASH}\n");
    let mut whole = expected;
    for (member, value) in
        [("username", json!("ada.k")), ("portal_access", json!(false)), ("password_hash", json!(HASH))]
    {
        whole["account"][member] = value;
    }
    assert_eq!(facts(&[(ACCOUNTS, &full)], "accounts"), [whole]);
}

#[test]
fn a_course_has_a_price_and_an_end_where_they_are_told_and_its_category_is_as_old_as_its_first() {
    let courses = "key,title,created_at,category,price_minor,currency,owner,published_at,archived_at\n\
        law,Law,2024-05-02,Humanities,4999,EUR,t-1,2024-05-03,2024-06-01T10:00:00+02:00\n\
        art,Art,2024-05-01,Humanities,,,,,\n";
    let law = json!({
        "key": "law", "occurred_at": "2024-05-02T00:00:00Z",
        "course": {
            "title": "Law", "category": "Humanities", "owner": "t-1",
            "price": {"amount_minor": 4_999, "currency": "EUR"},
            "published_at": "2024-05-03T00:00:00+00:00", "archived_at": "2024-06-01T08:00:00+00:00",
        },
    });
    let art = json!({
        "key": "art", "occurred_at": "2024-05-01T00:00:00Z", "course": {"title": "Art", "category": "Humanities"},
    });
    assert_eq!(facts(&[(COURSES, courses)], "courses"), [law, art]);
    let category =
        json!({"key": "Humanities", "occurred_at": "2024-05-01T00:00:00Z", "category": {"name": "Humanities"}});
    assert_eq!(facts(&[(COURSES, courses)], "categories"), [category]);
}

#[test]
fn a_payment_opens_its_enrolment_when_that_is_told_to_begin() {
    let payments = "key,learner,course,amount_minor,currency,paid_at,transaction_id,status\n\
        p-1,17,law,4999,EUR,2024-05-03 12:30:00.5+00,TXN-1,Completed\np-2,18,law,0,EUR,2024-05-04,,\n";
    let enrolments = "learner,course,enrolled_at,completed_at,withdrawn_at\n17,law,2024-05-02,2024-05-09,\n";
    let files = [(PAYMENTS, payments), (ENROLMENTS, enrolments)];
    let first = json!({
        "key": "p-1", "occurred_at": "2024-05-03T12:30:00.500Z",
        "payment": {
            "learner": "17", "course": "law", "amount": {"amount_minor": 4_999, "currency": "EUR"},
            "transaction_id": "TXN-1", "enrolled_at": "2024-05-02T00:00:00+00:00",
        },
    });
    let second = json!({
        "key": "p-2", "occurred_at": "2024-05-04T00:00:00Z",
        "payment": {"learner": "18", "course": "law", "amount": {"amount_minor": 0, "currency": "EUR"}},
    });
    assert_eq!(facts(&files, "payments"), [first, second]);
    let enrolment = json!({
        "key": "law/17", "occurred_at": "2024-05-02T00:00:00Z",
        "enrollment": {"learner": "17", "course": "law", "completed_at": "2024-05-09T00:00:00+00:00"},
    });
    assert_eq!(facts(&files, "enrolments"), [enrolment]);
    let names = read(&files).stages().map(|(name, _)| name);
    assert_eq!(names, ["accounts", "categories", "courses", "payments", "enrolments"]);
}

#[test]
fn every_row_of_accounts_and_courses_that_is_not_taken_says_why() {
    let long = "k".repeat(201);
    let accounts = format!(
        "key,email,role,first_name,last_name,created_at,portal_access,password_hash\n\
         1,a@b.example,learner,A,B,2024-05-01,,\n1,c@d.example,learner,A,B,2024-05-01,,\n\
         ,a@b.example,learner,A,B,2024-05-01,,\n2,nobody,learner,A,B,2024-05-01,,\n\
         2,a@b.example,wizard,A,B,2024-05-01,,\n2,a@b.example,learner,,B,2024-05-01,,\n\
         2,a@b.example,learner,A,B,01.05.2024,,\n2,a@b.example,learner,A,B,2024-05-01 12:30:00,,\n\
         2,a@b.example,learner,A,B,2024-05-01,perhaps,\n2,a@b.example,learner,A,B,2024-05-01,,hunter2\n\
         2,a@b.example,learner\n{long},a@b.example,learner,A,B,2024-05-01,,\n"
    );
    let courses = "key,title,created_at,price_minor,currency,published_at,archived_at\n\
        a,,2024-05-01,,,,\na,A,,,,,\na,A,2024-05-01,49.99,EUR,,\na,A,2024-05-01,4999,,,\na,A,2024-05-01,,EUR,,\n\
        a,A,2024-05-01,4999,euro,,\na,A,2024-05-01,,,2024-04-30,\na,A,2024-05-01,,,2024-05-03,2024-05-02\n\
        a,A,2024-05-01,,,,2024-04-30\na,A,2024-05-01,,,,\n";
    let time = "a day or a time with its zone is expected, such as 2024-05-01 or 2024-05-01T12:30:00Z";
    let cents = "cents are expected, 0 to 100000000, such as 4999 for 49.99";
    let (day, no_zone) =
        (format!("created_at is \"01.05.2024\": {time}"), format!("created_at is \"2024-05-01 12:30:00\": {time}"));
    let fraction = format!("price_minor is \"49.99\": {cents}");
    let role = "role is \"wizard\": one of learner, instructor, auditor, admin, student, trainee, candidate, teacher, \
                trainer is expected";
    let expected = [
        (ACCOUNTS, 3, "1 was told before, in line 2"),
        (ACCOUNTS, 4, "key is missing"),
        (ACCOUNTS, 5, "email is \"nobody\": an address is expected, such as ada@example.org"),
        (ACCOUNTS, 6, role),
        (ACCOUNTS, 7, "first_name is missing"),
        (ACCOUNTS, 8, &day),
        (ACCOUNTS, 9, &no_zone),
        (ACCOUNTS, 10, "portal_access is \"perhaps\": true or false is expected"),
        (ACCOUNTS, 11, "password_hash is no bcrypt hash of the form $2b$…: leave it empty"),
        (ACCOUNTS, 12, "has 3 values where the header names 8 columns"),
        (ACCOUNTS, 13, "key is longer than 200 characters"),
        (COURSES, 2, "title is missing"),
        (COURSES, 3, "created_at is missing"),
        (COURSES, 4, &fraction),
        (COURSES, 5, "currency is missing"),
        (COURSES, 6, "price_minor is missing"),
        (COURSES, 7, "currency is \"euro\": three upper-case letters are expected, such as EUR"),
        (COURSES, 8, "published_at is before created_at"),
        (COURSES, 9, "archived_at is before published_at"),
        (COURSES, 10, "archived_at is before created_at"),
    ];
    let listing = read(&[(ACCOUNTS, &accounts), (COURSES, courses)]);
    assert_eq!(reasons(&listing), expected);
    assert_eq!(listing.to_string(), "1 accounts, 1 courses, 0 payments, 0 enrolments");
    assert_eq!(listing.rows(), 22);
}

#[test]
fn every_row_of_payments_and_enrolments_that_is_not_taken_says_why() {
    let payments = "key,learner,course,amount_minor,currency,paid_at,status\n\
        p-1,17,law,4999,EUR,2024-05-03,\np-1,18,law,4999,EUR,2024-05-03,\np-2,,law,4999,EUR,2024-05-03,\n\
        p-2,17,law,-1,EUR,2024-05-03,\np-2,17,law,4999,EUR,,\np-2,17,law,4999,EUR,2024-05-03,refunded\n";
    let enrolments = "learner,course,enrolled_at,completed_at,withdrawn_at\n17,law,2024-05-02,,\n\
        17,law,2024-05-03,,\n17,,2024-05-02,,\n17,art,2024-05-02,2024-05-01,\n17,art,2024-05-02,,soon\n";
    let time = "a day or a time with its zone is expected, such as 2024-05-01 or 2024-05-01T12:30:00Z";
    let expected = [
        (ENROLMENTS, 3, "17 in law was told before, in line 2"),
        (ENROLMENTS, 4, "course is missing"),
        (ENROLMENTS, 5, "completed_at is before enrolled_at"),
        (ENROLMENTS, 6, &format!("withdrawn_at is \"soon\": {time}")),
        (PAYMENTS, 3, "p-1 was told before, in line 2"),
        (PAYMENTS, 4, "learner is missing"),
        (PAYMENTS, 5, "amount_minor is \"-1\": cents are expected, 0 to 100000000, such as 4999 for 49.99"),
        (PAYMENTS, 6, "paid_at is missing"),
        (PAYMENTS, 7, "status is \"refunded\": only what was completed is taken, leave the row out"),
    ];
    assert_eq!(reasons(&read(&[(PAYMENTS, payments), (ENROLMENTS, enrolments)])), expected);
}

#[test]
fn a_folder_is_refused_whole_whose_files_are_not_of_the_form() {
    assert_eq!(
        said(&[(ENROLMENTS, "learner,course,enrolled_at,progress\n")]),
        "enrolments.csv has the column \"progress\", which means nothing here: take it out; the columns are learner, \
         course, enrolled_at, completed_at, withdrawn_at"
    );
    assert_eq!(
        said(&[(PAYMENTS, "key,learner,course,amount,currency,paid_at\n")]),
        "payments.csv lacks the column amount_minor; it has key, learner, course, amount, currency, paid_at"
    );
    assert_eq!(said(&[(ACCOUNTS, "")]), "accounts.csv is empty: its first line names the columns");
    let nothing = said(&[("enrollments.csv", "learner,course,enrolled_at\n")]);
    let expected = "holds none of accounts.csv, courses.csv, payments.csv, enrolments.csv: `registrar import files \
                    --help` tells what is in them";
    assert!(nothing.ends_with(expected), "{nothing}");
}

#[test]
fn a_file_of_another_name_is_told_of() {
    let listing = read(&[
        (ENROLMENTS, "learner,course,enrolled_at\n"),
        ("enrollments.csv", "learner,course\n"),
        ("Payments.csv.gz", ""),
        ("notes.txt", ""),
    ]);
    assert_eq!(listing.unread, ["Payments.csv.gz", "enrollments.csv"]);
    assert_eq!(listing.rows(), 0);
}

#[test]
fn a_source_is_a_plain_name() {
    for good in ["old-portal", "firebase.2024", "a", &"x".repeat(64)] {
        assert_eq!(source_name(good), Ok(good.to_owned()));
    }
    for bad in ["", "Old portal", "a/b", &"x".repeat(65)] {
        let expected =
            "1 to 64 lower-case letters, digits, dots, underscores and hyphens are expected, such as old-portal";
        assert_eq!(source_name(bad), Err(expected), "{bad}");
    }
}
