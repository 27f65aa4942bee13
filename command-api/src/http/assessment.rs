//! `POST /v1/assessments`.

use super::size::fits_an_event;
use crate::{
    domain::assessment::{self, Create, Fault, Refusal},
    execute::{Answer, Context, Executor, Reply},
    openapi::Done,
};
use axum::extract::State;
use events::{
    assessment::{AnswerOption, Assessment, Definition, Item, Kind},
    course::Course,
    ids::{AssessmentId, CourseId},
};
use ops::{
    extract::Json,
    problem::{FieldError, Problem, ProblemType},
    validate::not_blank,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

/// What this file refuses with, beside the problems of every route: nothing.
pub const PROBLEMS: &[ProblemType] = &[];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotInstructor => Self::forbidden(detail),
            Refusal::UnknownCourse => Self::invalid_field("/course_id", "unknown", detail),
            Refusal::HeldElsewhere => Self::invalid_field("/kind", "external", detail),
            Refusal::Faulty(faults) => Self::invalid(faults.into_iter().map(field_error)).detail(detail),
        }
    }
}

fn field_error(fault: Fault) -> FieldError {
    let (pointer, code) = match fault {
        Fault::DuplicateItem { item } => (format!("/items/{item}/id"), "duplicate"),
        Fault::SingleOption { item } => (format!("/items/{item}/options"), "length"),
        Fault::DuplicateOption { item, option } => (format!("/items/{item}/options/{option}/id"), "duplicate"),
        Fault::OnlyNegativeScores { item } => (format!("/items/{item}/options"), "range"),
    };
    FieldError::new(pointer, code, fault.to_string())
}

/// An assessment to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAssessment {
    /// Title.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// What kind of test it is: `sjt` (situational judgement) or `jdt` (job dilemma).
    #[schema(value_type = String, pattern = "^(sjt|jdt)$", example = "sjt")]
    kind: Kind,
    /// The course that it belongs to: one of the caller's own, or any where an admin asks. Without it, it is open to
    /// every learner.
    course_id: Option<Uuid>,
    /// What it asks, in order; at most 768 KiB together.
    #[validate(length(min = 1, max = 200), custom(function = fits_an_event), nested)]
    #[schema(min_items = 1, max_items = 200)]
    items: Vec<NewItem>,
    /// Share of the highest score that passes; without it nobody passes or fails.
    #[validate(range(max = 100))]
    #[schema(minimum = 0, maximum = 100)]
    pass_percent: Option<u8>,
    /// Time for one attempt, in seconds: at most a day.
    #[validate(range(min = 10, max = 86_400))]
    #[schema(minimum = 10, maximum = 86_400)]
    time_limit_seconds: Option<u32>,
    /// How often a learner may submit; without it, as often as they like.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<u32>,
}

/// One question.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// Its id, unique within the assessment.
    #[validate(length(max = 64), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 64)]
    id: String,
    /// The question.
    #[validate(length(max = 4_000), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 4_000)]
    prompt: String,
    /// What can be chosen: two to twenty options, or none for an answer in words.
    #[serde(default)]
    #[validate(length(max = 20), nested)]
    #[schema(max_items = 20)]
    options: Vec<NewOption>,
}

/// One choice of an item.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOption {
    /// Its id, unique within the item.
    #[validate(length(max = 64), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 64)]
    id: String,
    /// What it says.
    #[validate(length(max = 1_000), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 1_000)]
    text: String,
    /// What choosing it is worth. An item's best option is worth at least 0.
    #[validate(range(min = -1_000_000, max = 1_000_000))]
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    score: i32,
}

impl From<CreateAssessment> for Create {
    fn from(body: CreateAssessment) -> Self {
        let definition = Definition {
            title: body.title.trim().to_owned(),
            kind: body.kind,
            items: body.items.into_iter().map(Into::into).collect(),
            pass_percent: body.pass_percent,
            time_limit_seconds: body.time_limit_seconds,
            max_attempts: body.max_attempts,
        };
        Self { course_id: body.course_id.map(CourseId::new), definition }
    }
}

impl From<NewItem> for Item {
    fn from(NewItem { id, prompt, options }: NewItem) -> Self {
        Self { id, prompt, options: options.into_iter().map(Into::into).collect() }
    }
}

impl From<NewOption> for AnswerOption {
    fn from(NewOption { id, text, score }: NewOption) -> Self {
        Self { id, text, score }
    }
}

/// Makes an assessment, open for submissions.
#[utoipa::path(
    post,
    path = "/v1/assessments",
    tag = "assessment",
    security(("bearer" = [])),
    request_body = CreateAssessment,
    responses(
        (status = 201, description = "The assessment", body = Done),
        (status = 403, description = "`forbidden`"),
    )
)]
pub async fn create(
    State(executor): State<Executor>,
    context: Context,
    Json(body): Json<CreateAssessment>,
) -> Result<Answer, Problem> {
    let id = AssessmentId::new(Uuid::now_v7());
    let command = Create::from(body);
    let (context, command) = (&context, &command);
    executor
        .execute(context, "assessment.create", |work| {
            Box::pin(async move {
                let course = match command.course_id {
                    Some(course_id) => Some(work.load::<Course>(course_id).await?.state),
                    None => None,
                };
                let events = assessment::decide(course.as_deref(), context, command.clone())?;
                work.append::<Assessment>(id, events);
                Ok(Reply::created(id, format!("/v1/assessments/{id}")))
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops::extract::decode_json;
    use serde_json::{Value, json};

    fn wrong(body: &Value) -> Vec<(String, String)> {
        let problem = decode_json::<CreateAssessment>(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(problem.slug(), "invalid-request");
        problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
    }

    fn is(pointer: &str, code: &str) -> (String, String) {
        (pointer.to_owned(), code.to_owned())
    }

    fn with(member: &str, value: Value) -> Value {
        let mut body = json!({
            "title": "At the counter",
            "kind": "sjt",
            "items": [
                {"id": "1", "prompt": "What do you do?", "options": [
                    {"id": "a", "text": "Ask first", "score": 2}, {"id": "b", "text": "Leave", "score": -1},
                ]},
                {"id": "2", "prompt": "Why?"},
            ],
            "pass_percent": 60,
            "time_limit_seconds": 600,
            "max_attempts": 3,
        });
        *body.pointer_mut(member).unwrap() = value;
        body
    }

    #[test]
    fn every_part_of_a_definition_is_bounded() {
        decode_json::<CreateAssessment>(with("/kind", json!("jdt")).to_string().as_bytes()).unwrap();
        let item = json!({"id": "1", "prompt": "Why?"});
        let option = json!({"id": "a", "text": "Ask first", "score": 0});
        for (pointer, value, code) in [
            ("/title", json!(" "), "blank"),
            ("/kind", json!("mcq"), "invalid"),
            ("/items", json!([]), "length"),
            ("/items", json!(vec![item; 201]), "length"),
            ("/items", json!(vec![json!({"id": "1", "prompt": "é".repeat(4_000)}); 100]), "size"),
            ("/items/0/id", json!("x".repeat(65)), "length"),
            ("/items/0/prompt", json!("x".repeat(4_001)), "length"),
            ("/items/0/options", json!(vec![option; 21]), "length"),
            ("/items/0/options/1/id", json!(""), "blank"),
            ("/items/0/options/1/text", json!("x".repeat(1_001)), "length"),
            ("/items/0/options/1/score", json!(1_000_001), "range"),
            ("/pass_percent", json!(101), "range"),
            ("/time_limit_seconds", json!(9), "range"),
            ("/time_limit_seconds", json!(86_401), "range"),
            ("/max_attempts", json!(0), "range"),
            ("/max_attempts", json!(101), "range"),
        ] {
            assert_eq!(wrong(&with(pointer, value)), [is(pointer, code)]);
        }
    }

    #[test]
    fn a_fault_is_named_by_its_field() {
        for (fault, pointer, code) in [
            (Fault::DuplicateItem { item: 2 }, "/items/2/id", "duplicate"),
            (Fault::SingleOption { item: 1 }, "/items/1/options", "length"),
            (Fault::DuplicateOption { item: 1, option: 3 }, "/items/1/options/3/id", "duplicate"),
            (Fault::OnlyNegativeScores { item: 0 }, "/items/0/options", "range"),
        ] {
            let error = field_error(fault);
            assert_eq!((error.pointer.as_str(), error.code.as_str()), (pointer, code));
        }
    }
}
