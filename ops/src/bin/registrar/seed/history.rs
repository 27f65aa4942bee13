//! What of the sample data is there already, as the query API tells it: posting it again posts what is missing.
//!
//! It is read from the events themselves, by type, so that one look tells of every learner without logging in as each.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::client::{Client, ClientError, Session};

const AUDIT_EVENTS: &str = "/v1/audit/events";

/// What has happened so far.
#[derive(Debug, Default)]
pub struct History {
    /// Categories by name.
    pub categories: HashMap<String, Uuid>,
    /// Courses by title.
    pub courses: HashMap<String, Uuid>,
    /// Lessons by course and title.
    pub lessons: HashMap<(Uuid, String), Uuid>,
    /// Courses that were published at some time.
    pub published: HashSet<Uuid>,
    /// Courses that were withdrawn.
    pub archived: HashSet<Uuid>,
    /// Assessments by title.
    pub assessments: HashMap<String, Uuid>,
    /// Enrolments by learner and course.
    pub enrollments: HashMap<(Uuid, Uuid), Uuid>,
    /// Lessons that were finished, by enrolment.
    pub completed: HashSet<(Uuid, Uuid)>,
    /// How often a learner has submitted to an assessment.
    pub submissions: HashMap<(Uuid, Uuid), u32>,
    /// Accounts by address.
    pub accounts: HashMap<String, Uuid>,
}

impl History {
    /// Reads it, as somebody who may read the audit trail and the accounts.
    pub async fn read(client: &Client, session: &Session) -> Result<Self, ClientError> {
        let mut history = Self::default();
        for event_type in TYPES {
            each(client, session, AUDIT_EVENTS, &[("type", event_type)], |event| history.take(event_type, event))
                .await?;
        }
        each(client, session, "/v1/accounts", &[], |account| {
            let email = account["email"].as_str().map(str::to_owned);
            history.accounts.extend(email.zip(uuid(&account["id"])));
        })
        .await?;
        Ok(history)
    }

    /// Notes one event. What is not of the expected shape is not of the sample data.
    fn take(&mut self, event_type: &str, event: &Value) {
        let data = &event["data"];
        let Some(stream) = uuid(&event["streamid"]) else { return };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match event_type {
            CATEGORY_CREATED => self.categories.extend(text(&data["name"]).map(|name| (name, stream))),
            COURSE_CREATED => self.courses.extend(text(&data["details"]["title"]).map(|title| (title, stream))),
            LESSON_ADDED => {
                let lesson = text(&data["lesson"]["title"]).zip(uuid(&data["lesson"]["lesson_id"]));
                self.lessons.extend(lesson.map(|(title, id)| ((stream, title), id)));
            }
            COURSE_PUBLISHED => self.published.extend([stream]),
            COURSE_ARCHIVED => self.archived.extend([stream]),
            ASSESSMENT_CREATED => {
                self.assessments.extend(text(&data["definition"]["title"]).map(|title| (title, stream)));
            }
            ENROLLED => {
                let key = uuid(&data["learner_id"]).zip(uuid(&data["course_id"]));
                self.enrollments.extend(key.map(|key| (key, stream)));
            }
            LESSON_COMPLETED => self.completed.extend(uuid(&data["lesson_id"]).map(|lesson| (stream, lesson))),
            SUBMITTED => {
                if let Some(key) = uuid(&data["learner_id"]).zip(uuid(&data["assessment_id"])) {
                    *self.submissions.entry(key).or_default() += 1;
                }
            }
            _ => {}
        }
    }
}

const CATEGORY_CREATED: &str = "registrar.category.created.v1";
const COURSE_CREATED: &str = "registrar.course.created.v1";
const LESSON_ADDED: &str = "registrar.course.lesson_added.v1";
const COURSE_PUBLISHED: &str = "registrar.course.published.v1";
const COURSE_ARCHIVED: &str = "registrar.course.archived.v1";
const ASSESSMENT_CREATED: &str = "registrar.assessment.created.v1";
const ENROLLED: &str = "registrar.enrollment.enrolled.v1";
const LESSON_COMPLETED: &str = "registrar.enrollment.lesson_completed.v1";
const SUBMITTED: &str = "registrar.submission.submitted.v1";

const TYPES: [&str; 9] = [
    CATEGORY_CREATED,
    COURSE_CREATED,
    LESSON_ADDED,
    COURSE_PUBLISHED,
    COURSE_ARCHIVED,
    ASSESSMENT_CREATED,
    ENROLLED,
    LESSON_COMPLETED,
    SUBMITTED,
];

fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

/// Visits every item of a list, page by page.
async fn each(
    client: &Client,
    session: &Session,
    path: &str,
    filter: &[(&str, &str)],
    mut visit: impl FnMut(&Value),
) -> Result<(), ClientError> {
    let mut cursor: Option<String> = None;
    loop {
        let mut parameters = filter.to_vec();
        parameters.push(("limit", "200"));
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.query(session, path, &parameters).await?;
        let items = page["items"].as_array();
        let lacks = || ClientError::Answer { request: format!("GET {path}"), member: "items".to_owned() };
        items.ok_or_else(lacks)?.iter().for_each(&mut visit);
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_happened_is_known_by_its_name() {
        let (course, lesson, learner, enrolment) =
            (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3), Uuid::from_u128(4));
        let mut history = History::default();
        let mut take = |event_type: &str, stream: Uuid, data: Value| {
            history.take(event_type, &json!({ "streamid": stream, "data": data }));
        };
        take(COURSE_CREATED, course, json!({ "owner_id": learner, "details": { "title": "Maps" } }));
        take(LESSON_ADDED, course, json!({ "lesson": { "lesson_id": lesson, "title": "Symbols" } }));
        take(ENROLLED, enrolment, json!({ "learner_id": learner, "course_id": course }));
        take(LESSON_COMPLETED, enrolment, json!({ "learner_id": learner, "course_id": course, "lesson_id": lesson }));
        take(SUBMITTED, course, json!({ "learner_id": learner, "assessment_id": course }));
        take(SUBMITTED, course, json!({ "learner_id": learner, "assessment_id": course }));
        take(COURSE_CREATED, course, json!("of another shape"));
        assert_eq!(history.courses["Maps"], course);
        assert_eq!(history.lessons[&(course, "Symbols".to_owned())], lesson);
        assert_eq!(history.enrollments[&(learner, course)], enrolment);
        assert!(history.completed.contains(&(enrolment, lesson)));
        assert_eq!(history.submissions[&(learner, course)], 2);
    }
}
