//! Rows as facts, in stages: what a fact names is in a stage before it.

use serde_json::{Value, json};

use super::{
    super::send::Line,
    dataset::{ASSESSMENTS, COURSES, Dataset, REGISTRATIONS, SUBMISSIONS},
};

/// What passes, of a score out of 100: the Open University's own bar.
pub const PASS_PERCENT: i64 = 40;

/// The stages of the import by name, each with its facts.
pub fn stages(dataset: &Dataset) -> [(&'static str, Vec<Line>); 4] {
    [
        ("courses", courses(dataset)),
        ("accounts", accounts(dataset)),
        ("registrations", registrations(dataset)),
        ("submissions", submissions(dataset)),
    ]
}

/// Categories, courses and assessments: few enough to come together, and the command API takes them in order.
fn courses(dataset: &Dataset) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut modules = Vec::new();
    for (key, course) in &dataset.courses {
        if !modules.contains(&&course.module) {
            modules.push(&course.module);
            let first = dataset.courses.iter().filter(|(_, other)| other.module == course.module);
            let since = first.map(|(_, other)| other.start).min();
            let fact = json!({"key": course.module, "occurred_at": since, "category": {"name": course.module}});
            lines.push(Line::new(&fact, COURSES, course.line));
        }
        let fact = json!({
            "key": &**key, "occurred_at": course.start,
            "course": {
                "title": course.title(),
                "description": format!(
                    "Presentation {} of module {}, {} days long.", course.presentation, course.module, course.length
                ),
                "category": course.module,
                "published_at": course.start,
                "archived_at": course.end(),
            },
        });
        lines.push(Line::new(&fact, COURSES, course.line));
    }
    for assessment in &dataset.assessments {
        let course = dataset.courses.iter().find(|(key, _)| *key == assessment.course);
        let fact = json!({
            "key": assessment.id.to_string(), "occurred_at": course.map(|(_, course)| course.start),
            "assessment": {
                "title": format!("{} {}", assessment.kind, assessment.id),
                "course": &*assessment.course,
                "pass_percent": PASS_PERCENT,
            },
        });
        lines.push(Line::new(&fact, ASSESSMENTS, assessment.line));
    }
    lines
}

fn accounts(dataset: &Dataset) -> Vec<Line> {
    let students = dataset.students.iter().map(|student| {
        let fact = json!({
            "key": student.id.to_string(), "occurred_at": student.since,
            "account": {
                "email": format!("oulad-{}@import.invalid", student.id),
                "role": "learner", "first_name": "Student", "last_name": student.id.to_string(),
            },
        });
        Line::new(&fact, REGISTRATIONS, student.line)
    });
    students.collect()
}

fn registrations(dataset: &Dataset) -> Vec<Line> {
    let registrations = dataset.registrations.iter().map(|registration| {
        let mut enrollment = json!({"learner": registration.student.to_string(), "course": &*registration.course});
        for (member, at) in [("completed_at", registration.completed_at), ("withdrawn_at", registration.withdrawn_at)] {
            if let Some(at) = at {
                enrollment[member] = Value::from(at.to_rfc3339());
            }
        }
        let fact = json!({
            "key": format!("{}/{}", registration.course, registration.student),
            "occurred_at": registration.enrolled_at, "enrollment": enrollment,
        });
        Line::new(&fact, REGISTRATIONS, registration.line)
    });
    registrations.collect()
}

fn submissions(dataset: &Dataset) -> Vec<Line> {
    let submissions = dataset.submissions.iter().map(|submission| {
        let mut result = json!({
            "learner": submission.student.to_string(), "assessment": submission.assessment.to_string(),
        });
        if let Some(score) = submission.score {
            result["score"] = score.into();
        }
        if submission.banked {
            result["banked"] = true.into();
        }
        let fact = json!({
            "key": format!("{}/{}", submission.assessment, submission.student),
            "occurred_at": submission.submitted_at, "submission": result,
        });
        Line::new(&fact, SUBMISSIONS, submission.line)
    });
    submissions.collect()
}
