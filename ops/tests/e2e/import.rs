//! `registrar import oulad`, as an operator runs it, on a small data set that is made up.

use crate::{
    client::Call,
    world::{PASSWORD, World, binary},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use uuid::Uuid;

const FILES: [&str; 5] =
    ["courses.csv", "assessments.csv", "studentInfo.csv", "studentRegistration.csv", "studentAssessment.csv"];

/// A copy of a sample that goes with this value.
pub struct Sample(pub PathBuf);

impl Sample {
    fn new() -> Self {
        Self::of("oulad", &FILES)
    }

    /// The files of a folder beside this one.
    pub fn of(name: &str, files: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("registrar-import-{}", Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
        for file in files {
            fs::copy(sample.join(file), folder.join(file)).unwrap();
        }
        Self(folder)
    }

    pub fn append(&self, file: &str, rows: &str) {
        let path = self.0.join(file);
        let content = fs::read_to_string(&path).unwrap() + rows;
        fs::write(path, content).unwrap();
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn import(world: &World, sample: &Sample, more: &[&str]) -> Command {
    command(world, "oulad", sample, more)
}

fn command(world: &World, kind: &str, sample: &Sample, more: &[&str]) -> Command {
    let mut command = Command::new(binary("registrar"));
    command
        .args(["import", kind])
        .arg(&sample.0)
        .args(["--command-api", &world.command_api, "--query-api", &world.query_api, "--email", "root@example.org"])
        .args(more)
        .env("IMPORT_PASSWORD", PASSWORD)
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command
}

/// Runs it to its end: the exit code and what it says.
async fn run(world: &World, sample: &Sample, more: &[&str]) -> (i32, String) {
    run_kind(world, "oulad", sample, more).await
}

/// Runs an import of a kind to its end: the exit code and what it says.
pub async fn run_kind(world: &World, kind: &str, sample: &Sample, more: &[&str]) -> (i32, String) {
    let output = command(world, kind, sample, more).output().await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// What a stage says of itself, without how long it took.
pub fn stage<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {said}"));
    line[name.len()..].split(" in ").next().unwrap().trim()
}

/// Both figures of a line of the comparison.
fn figures(said: &str, name: &str) -> (i64, i64) {
    let line =
        said.lines().rfind(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name}: {said}"));
    let mut numbers = line.split_whitespace().rev();
    let shown = numbers.next().unwrap().parse().unwrap();
    (numbers.next().unwrap().parse().unwrap(), shown)
}

async fn head(world: &World, token: &str) -> i64 {
    let projections = world.read("/v1/projections", token, 0).await.expect(200);
    projections["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap()).max().unwrap()
}

#[tokio::test]
async fn the_views_show_what_the_files_hold_and_a_second_run_changes_nothing() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let sample = Sample::new();

    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage(&said, "files"), "6 students, 3 courses, 8 registrations, 4 assessments, 9 submissions");
    for (name, count) in [("courses", 9), ("accounts", 6), ("registrations", 8), ("submissions", 9)] {
        assert_eq!(stage(&said, name), format!("{count} imported"));
    }
    for (name, count) in [
        ("dashboard: learners", 6),
        ("dashboard: enrolments", 8),
        ("dashboard: completions", 3),
        ("dashboard: withdrawals", 3),
        ("dashboard: submissions  ", 9),
        ("dashboard: submissions that passed", 5),
        ("courses  ", 3),
        ("students in them", 5),
    ] {
        assert_eq!(figures(&said, name), (count, count), "{name}");
    }

    let events = world.read("/v1/audit/events?limit=200", &root, 0).await.expect(200);
    let imported: Vec<&Value> =
        events["items"].as_array().unwrap().iter().filter(|event| event["imported"] == "oulad").collect();
    // Three courses are created, published and archived; three registrations completed, three withdrawn.
    assert_eq!(imported.len(), 2 + 3 * 3 + 4 + 6 + 8 + 6 + 9);
    let days = |kind: &str| -> BTreeSet<&str> {
        let of_kind = imported.iter().filter(|event| event["type"] == kind);
        of_kind.map(|event| &event["time"].as_str().unwrap()[..10]).collect()
    };
    assert_eq!(days("registrar.enrollment.withdrawn.v1"), BTreeSet::from(["2013-11-15", "2014-01-12", "2015-06-08"]));
    assert_eq!(days("registrar.course.created.v1"), BTreeSet::from(["2013-10-01", "2014-02-01", "2014-10-01"]));
    assert!(!events.to_string().contains("import.invalid"), "addresses are sealed");

    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage(&said, "submissions"), "0 imported, 9 there already");
    let again = world.read("/v1/audit/events?limit=200", &root, 0).await.expect(200);
    let events = again["items"].as_array().unwrap().iter();
    assert_eq!(events.filter(|event| event["imported"] == "oulad").count(), imported.len());

    let (code, said) = run(&world, &sample, &["--check"]).await;
    assert_eq!(code, 0, "{said}");
    sample.append("studentAssessment.csv", "103,5,10,0,66\n");
    let (code, said) = run(&world, &sample, &["--check"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.lines()
            .any(|line| line.starts_with("dashboard: submissions  ") && line.ends_with("10          9  differs")),
        "{said}"
    );
}

#[tokio::test]
async fn rows_that_are_refused_are_told_and_the_others_come_in() {
    let world = World::start().await;
    world.superadmin().await;
    // Somebody has the address of a student already.
    let person = json!({
        "email": "oulad-6@import.invalid", "password": PASSWORD, "first_name": "Eve", "last_name": "Early",
    });
    world.post("/v1/auth/register", "", person).await.expect(201);
    let sample = Sample::new();
    sample.append("studentAssessment.csv", "101,1,19,0,40\n999,1,19,0,40\n102,3,1,0,half\n");
    let list = sample.0.join("refused.csv");

    let (code, said) = run(&world, &sample, &["--refused", list.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(stage(&said, "accounts"), "5 imported");
    assert_eq!(stage(&said, "registrations"), "7 imported");
    assert_eq!(stage(&said, "submissions"), "8 imported");
    let written = fs::read_to_string(list).unwrap();
    let expected = [
        "file,line,reason",
        "studentAssessment.csv,11,assessment 101 by student 1 was told before",
        "studentAssessment.csv,12,assessments.csv does not tell of assessment 999",
        "studentAssessment.csv,13,\"score is \"\"half\"\", which is no whole number\"",
        "studentRegistration.csv,9,email-taken: an account with this e-mail address exists already",
        "studentRegistration.csv,9,invalid-request: /learner what it names was not imported from this source: import that first",
        "studentAssessment.csv,10,invalid-request: /learner the learner was never in the assessment's course",
    ];
    assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    assert!(said.contains("6 rows were refused"), "{said}");
}

#[tokio::test]
async fn an_interrupted_import_is_taken_up_where_it_stopped() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let sample = Sample::new();
    let (mut students, mut registrations) = (String::new(), String::new());
    for student in 1_000..3_000 {
        writeln!(students, "YYY,2014J,{student},?,?,?,?,?,?,?,?,Pass").unwrap();
        writeln!(registrations, "YYY,2014J,{student},-7,?").unwrap();
    }
    sample.append("studentInfo.csv", &students);
    sample.append("studentRegistration.csv", &registrations);

    let mut cut = import(&world, &sample, &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(cut.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("accounts") {
            break;
        }
    }
    cut.kill().await.unwrap();

    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage(&said, "accounts"), "0 imported, 2006 there already");
    assert_eq!(figures(&said, "dashboard: enrolments"), (2_008, 2_008));
    let (code, said) = run(&world, &sample, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage(&said, "registrations"), "0 imported, 2008 there already");
    assert!(head(&world, &root).await > 6_000);
}

#[tokio::test]
async fn only_admins_import_and_each_line_stands_or_falls_alone() {
    let world = World::start().await;
    let root = world.superadmin().await;
    let (learner, _) = world.learner("ada").await;
    let line = |key: &str, fact: Value| {
        let mut line = json!({"key": key, "occurred_at": "2013-10-01T00:00:00Z"});
        line.as_object_mut().unwrap().extend(fact.as_object().unwrap().clone());
        line.to_string()
    };
    let course = line("law", json!({"course": {"title": "Law"}}));
    assert_eq!(world.post_lines("/v1/imports/old", &learner, &course).await.problem(403), "forbidden");
    let csv = Call::post("/v1/imports/old").token(&root).header("content-type", "text/csv").text("key");
    assert_eq!(world.send(csv).await.problem(415), "unsupported-media-type");
    assert_eq!(world.post_lines("/v1/imports/Old%20one", &root, &course).await.problem(422), "invalid-request");

    // The enrolment comes before what it names, and in time all the same.
    let body = [
        line("law/1", json!({"enrollment": {"learner": "1", "course": "law"}})),
        "{".to_owned(),
        line(
            "1",
            json!({"account": {"email": "one@example.org", "role": "learner", "first_name": "A", "last_name": "B"}}),
        ),
        line(
            "2",
            json!({"account": {"email": "one@example.org", "role": "learner", "first_name": "A", "last_name": "B"}}),
        ),
        line("law/3", json!({"enrollment": {"learner": "3", "course": "law"}})),
        course,
    ];
    let answer = world.post_lines("/v1/imports/old", &root, &body.join("\n")).await.expect(200);
    let outcomes: Vec<Value> =
        answer.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome["outcome"].as_str().unwrap(), outcome["problem"]["status"].as_u64()))
        .collect();
    let expected = [
        ("imported", None),
        ("refused", Some(400)),
        ("imported", None),
        ("refused", Some(409)),
        ("refused", Some(422)),
        ("imported", None),
    ];
    assert_eq!(told, expected, "{answer}");
    assert_eq!(outcomes[4]["problem"]["errors"][0]["pointer"], "/learner");

    // Nobody logs in to an imported account, whatever the password.
    let login = json!({"email": "one@example.org", "password": ""});
    assert_eq!(world.post("/v1/auth/login", "", login).await.status.as_u16() / 100, 4);
    let login = json!({"email": "one@example.org", "password": PASSWORD});
    assert_eq!(world.post("/v1/auth/login", "", login).await.problem(401), "wrong-credentials");
}
