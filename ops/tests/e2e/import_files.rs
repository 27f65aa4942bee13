//! `registrar import files`, as an operator runs it, on a small sample that is made up.

use crate::{
    import::{Sample, run_kind, stage},
    world::{PASSWORD, World},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

const FILES: [&str; 4] = ["accounts.csv", "courses.csv", "payments.csv", "enrolments.csv"];
const STAGES: [&str; 5] = ["accounts", "categories", "courses", "payments", "enrolments"];

async fn run(world: &World, sample: &Sample, more: &[&str]) -> (i32, String) {
    run_kind(world, "files", sample, &[&["--source", "old-portal"], more].concat()).await
}

/// What each stage says of itself.
fn stages(said: &str) -> [&str; 5] {
    STAGES.map(|name| stage(said, name))
}

/// How often each type of event came from the import.
async fn imported(world: &World, root: &str) -> BTreeMap<String, usize> {
    let events = world.read("/v1/audit/events?limit=200", root, 0).await.expect(200);
    assert!(!events.to_string().contains("$2b$"), "no hash is in the log");
    let mut counts = BTreeMap::new();
    for event in events["items"].as_array().unwrap().iter().filter(|event| event["imported"] == "old-portal") {
        *counts.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn find<'a>(list: &'a Value, title: &str) -> &'a Value {
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| item["course_title"] == title).unwrap_or_else(|| panic!("{title} in {list}"))
}

#[tokio::test]
async fn all_four_kinds_come_in_and_a_second_run_changes_nothing() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let sample = Sample::of("files", &FILES);

    let (code, said) = run(&world, &sample, &["--dry-run"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage(&said, "files"), "4 accounts, 2 courses, 3 payments, 4 enrolments");
    assert!(said.ends_with("no row was refused\nnothing was posted\n"), "{said}");
    assert_eq!(imported(&world, &root).await, BTreeMap::new());

    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!(code, 0, "{said}");
    // Of the enrolment of an account that only paid, its payment has told everything.
    let expected = ["4 imported", "1 imported", "2 imported", "3 imported", "3 imported, 1 there already"];
    assert_eq!(stages(&said), expected);
    assert!(said.ends_with("no row was refused\nthe views show all that was taken\n"), "{said}");
    let events = imported(&world, &root).await;
    let expected = [
        ("registrar.account.password_set.v1", 1),
        ("registrar.account.registered.v1", 4),
        ("registrar.category.created.v1", 1),
        ("registrar.course.created.v1", 2),
        ("registrar.course.published.v1", 2),
        ("registrar.enrollment.completed.v1", 1),
        ("registrar.enrollment.enrolled.v1", 4),
        ("registrar.enrollment.withdrawn.v1", 1),
        ("registrar.payment.captured.v1", 3),
    ];
    assert_eq!(events, expected.map(|(name, count)| (name.to_owned(), count)).into());

    // A hash of "U*U", from the test vectors of crypt_blowfish.
    let ada = world.log_in("ada@example.org", "U*U").await;
    let payments = world.read("/v1/me/payments", &ada, 0).await.expect(200);
    assert_eq!(payments["items"].as_array().unwrap().len(), 1);
    let paid = find(&payments, "Law of contract");
    assert_eq!(paid["amount"], json!({"amount_minor": 4_999, "currency": "EUR"}));
    let told = ["status", "provider", "transaction_id", "paid_at"].map(|member| paid[member].as_str().unwrap());
    assert_eq!(told, ["completed", "import", "TXN-00C0FFEE0001", "2023-09-03T08:15:00Z"]);
    let enrolments = world.read("/v1/me/enrollments", &ada, 0).await.expect(200);
    let law = find(&enrolments, "Law of contract");
    assert_eq!((&law["basis"], &law["payment_id"]), (&json!("payment"), &paid["id"]));
    assert_eq!((&law["id"], &law["completed"]), (&paid["enrollment_id"], &json!(true)));
    assert_eq!(law["enrolled_at"], "2023-09-03T08:15:05Z");
    let art = find(&enrolments, "History of art");
    assert_eq!((&art["basis"], &art["payment_id"]), (&json!("import"), &Value::Null));
    // Whoever paid there does not pay here.
    let again = json!({"course_id": paid["course_id"]});
    assert_eq!(world.post_once("/v1/payments", &ada, "again", again).await.problem(409), "already-paid");

    let dashboard = world.read("/v1/dashboards/admin", &root, 0).await.expect(200);
    let sums = ["payments", "enrollments", "completions", "withdrawals"].map(|sum| dashboard[sum].as_i64().unwrap());
    assert_eq!(sums, [3, 4, 1, 1]);
    assert_eq!(dashboard["revenue"], json!([{"amount_minor": 13_997, "currency": "EUR"}]));

    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!(code, 0, "{said}");
    let expected = [4, 1, 2, 3, 4].map(|count| format!("0 imported, {count} there already"));
    assert_eq!(stages(&said).map(str::to_owned), expected);
    assert_eq!(imported(&world, &root).await, events);
}

#[tokio::test]
async fn rows_that_are_refused_are_told_and_come_in_once_they_are_mended() {
    let world = World::start().await;
    let root = world.superadmin().await;
    // Somebody has the address of an account already.
    let person = json!({
        "email": "max@example.org", "password": PASSWORD, "first_name": "Max", "last_name": "Early",
    });
    world.post("/v1/auth/register", "", person).await.expect(201);
    let sample = Sample::of("files", &FILES);
    sample.append("accounts.csv", "u-5,max@example.org,student,Max,Late,2023-09-02,,,\nu-1,x,learner,X,Y,2023,,,\n");
    sample.append("courses.csv", "lab,Laboratory,2023-08-02,,,,,u-9,\n");
    sample.append("payments.csv", "p-4,u-5,law,4999,EUR,2023-09-05,,\np-5,u-4,art,12.50,EUR,2023-09-05,,\n");
    sample.append("enrolments.csv", "u-4,music,2023-09-07,,\nu-4,art,2200-01-01,,\n");
    let list = sample.0.join("refused.csv");

    let (code, said) = run(&world, &sample, &["--refused", list.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{said}");
    let expected = ["4 imported", "1 imported", "2 imported", "3 imported", "3 imported, 1 there already"];
    assert_eq!(stages(&said), expected);
    let unknown = "what it names was not imported from this source: import that first";
    let written = fs::read_to_string(&list).unwrap();
    let expected = [
        "file,line,reason".to_owned(),
        "accounts.csv,7,\"email is \"\"x\"\": an address is expected, such as ada@example.org\"".to_owned(),
        "payments.csv,6,\"amount_minor is \"\"12.50\"\": cents are expected, 0 to 100000000, such as 4999 for 49.99\""
            .to_owned(),
        "accounts.csv,6,email-taken: an account with this e-mail address exists already".to_owned(),
        format!("courses.csv,5,invalid-request: /owner {unknown}"),
        format!("payments.csv,5,invalid-request: /learner {unknown}"),
        format!("enrolments.csv,6,invalid-request: /course {unknown}"),
        "enrolments.csv,7,invalid-request: /occurred_at it has not happened yet".to_owned(),
    ];
    assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    assert!(said.contains("7 rows were refused"), "{said}");

    // The same folder, mended: what was taken stays as it is.
    let mended = Sample::of("files", &FILES);
    mended.append("accounts.csv", "u-5,max.late@example.org,student,Max,Late,2023-09-02,,,\n");
    mended.append("payments.csv", "p-4,u-5,law,4999,EUR,2023-09-05,,\np-5,u-4,art,1250,EUR,2023-09-05,,\n");
    let (code, said) = run(&world, &mended, &[]).await;
    assert_eq!(code, 0, "{said}");
    let already = |new, old| format!("{new} imported, {old} there already");
    assert_eq!(
        stages(&said).map(str::to_owned),
        [already(1, 4), already(0, 1), already(0, 2), already(2, 3), already(0, 4)]
    );
    let events = imported(&world, &root).await;
    assert_eq!((events["registrar.payment.captured.v1"], events["registrar.enrollment.enrolled.v1"]), (5, 6));
}

#[tokio::test]
async fn a_folder_of_another_form_is_refused_before_anything_is_posted() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let sample = Sample::of("files", &FILES);
    fs::write(sample.0.join("enrolments.csv"), "learner,course,enrolled_at,progress\nu-2,law,2023-09-03,80\n").unwrap();
    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!((code, said.as_str()), (1, ""));
    assert_eq!(imported(&world, &root).await, BTreeMap::new());
}
