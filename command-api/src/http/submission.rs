//! `POST /v1/assessments/{id}/submissions`.

use super::size::fits_an_event;
use crate::{
    domain::submission::{self, Fault, Refusal, Submit},
    execute::{self, Context, Executor, Reply},
    openapi::Done,
};
use axum::extract::State;
use events::{
    assessment::Assessment,
    enrollment::Enrollment,
    ids::{AssessmentId, AttemptsId, EnrollmentId, SubmissionId},
    submission::{Answer, Attempts, Response, SubmissionEvent},
};
use ops::{
    extract::{Json, Path},
    problem::{FieldError, Problem, ProblemType},
    validate::{not_blank, refusal},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

const ATTEMPTS_EXHAUSTED: ProblemType = ProblemType {
    slug: "attempts-exhausted",
    status: 409,
    title: "No attempts left",
    meaning: "The caller has submitted as often as the assessment allows.",
};
const ENROLLMENT_REQUIRED: ProblemType = ProblemType {
    slug: "enrollment-required",
    status: 403,
    title: "Enrol in the course first",
    meaning: "The assessment belongs to a course that the caller is not enrolled in.",
};

const ASSESSMENT_HELD_ELSEWHERE: ProblemType = ProblemType {
    slug: "assessment-held-elsewhere",
    status: 409,
    title: "The assessment is held elsewhere",
    meaning: "The assessment has no items here: it is taken elsewhere, and only its results are imported.",
};

/// What this file refuses with, beside the problems of every route.
pub const PROBLEMS: &[ProblemType] = &[ATTEMPTS_EXHAUSTED, ENROLLMENT_REQUIRED, ASSESSMENT_HELD_ELSEWHERE];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotLearner => Self::forbidden(detail),
            Refusal::NotFound => Self::not_found().detail(detail),
            Refusal::EnrollmentRequired => Self::new(ENROLLMENT_REQUIRED).detail(detail),
            Refusal::HeldElsewhere => Self::new(ASSESSMENT_HELD_ELSEWHERE).detail(detail),
            Refusal::AttemptsExhausted { max_attempts } => {
                Self::new(ATTEMPTS_EXHAUSTED).detail(detail).with("max_attempts", max_attempts)
            }
            Refusal::BadAnswers(faults) => Self::invalid(faults.iter().map(field_error)).detail(detail),
        }
    }
}

fn field_error(fault: &Fault) -> FieldError {
    let (pointer, code) = match fault {
        Fault::UnknownItem { answer } => (format!("/answers/{answer}/item_id"), "unknown"),
        Fault::DuplicateItem { answer } => (format!("/answers/{answer}/item_id"), "duplicate"),
        Fault::OptionMissing { answer } => (format!("/answers/{answer}/option_id"), "missing"),
        Fault::UnknownOption { answer } => (format!("/answers/{answer}/option_id"), "unknown"),
        Fault::TextMissing { answer } => (format!("/answers/{answer}/text"), "missing"),
        Fault::Unanswered { .. } => ("/answers".to_owned(), "missing"),
    };
    FieldError::new(pointer, code, fault.to_string())
}

/// An attempt to hand in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitAnswers {
    /// One answer to every item; at most 768 KiB together.
    #[validate(length(max = 200), custom(function = fits_an_event), nested)]
    #[schema(max_items = 200)]
    answers: Vec<GivenAnswer>,
}

/// An answer to one item: an option chosen, or words written.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = chosen_or_written))]
pub struct GivenAnswer {
    /// The item answered.
    #[validate(length(max = 64))]
    #[schema(max_length = 64)]
    item_id: String,
    /// The option chosen, where the item has options.
    #[validate(length(max = 64))]
    #[schema(max_length = 64)]
    option_id: Option<String>,
    /// The words written, where it has none.
    #[validate(length(max = 20_000), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 20_000)]
    text: Option<String>,
}

fn chosen_or_written(answer: &GivenAnswer) -> Result<(), ValidationError> {
    if answer.option_id.is_some() == answer.text.is_some() {
        return Err(refusal("one-of", "must have either option_id or text"));
    }
    Ok(())
}

impl GivenAnswer {
    /// `None` for what [`chosen_or_written`] refuses.
    fn into_answer(self) -> Option<Answer> {
        let response = match (self.option_id, self.text) {
            (Some(option_id), None) => Response::OptionId(option_id),
            (None, Some(text)) => Response::Text(text),
            _ => return None,
        };
        Some(Answer { item_id: self.item_id, response })
    }
}

/// An attempt that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneWithResult {
    /// As every command answers.
    #[serde(flatten)]
    pub done: Done,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Points reached; absent while a person has yet to judge what was answered in words.
    #[schema(nullable = false)]
    pub score: Option<i64>,
    /// Points that could be reached.
    #[schema(nullable = false)]
    pub max_score: Option<i64>,
    /// Whether that is enough; absent where the assessment sets no bar.
    #[schema(nullable = false)]
    pub passed: Option<bool>,
}

/// Hands in an attempt; where all items are keyed, the answer has its score.
#[utoipa::path(
    post,
    path = "/v1/assessments/{id}/submissions",
    tag = "submission",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The assessment"),
    ),
    request_body = SubmitAnswers,
    responses(
        (status = 201, description = "The submission", body = DoneWithResult),
        (status = 403, description = "`forbidden`, `enrollment-required`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`attempts-exhausted`, `assessment-held-elsewhere`"),
    )
)]
pub async fn submit(
    State(executor): State<Executor>,
    context: Context,
    Path(assessment_id): Path<AssessmentId>,
    Json(body): Json<SubmitAnswers>,
) -> Result<execute::Answer, Problem> {
    let learner_id = context.actor.ok_or_else(Problem::unauthenticated)?.account_id;
    let id = AttemptsId::of(learner_id, assessment_id);
    let submission_id = SubmissionId::new(Uuid::now_v7());
    let answers = body.answers.into_iter().filter_map(GivenAnswer::into_answer).collect();
    let command = Submit { submission_id, assessment_id, answers };
    let (context, command) = (&context, &command);
    executor
        .execute(context, "submission.submit", |work| {
            Box::pin(async move {
                let assessment = work.load::<Assessment>(assessment_id).await?;
                let attempts = work.load::<Attempts>(id).await?;
                let enrollment = match assessment.state.course_id {
                    Some(course_id) => {
                        Some(work.load::<Enrollment>(EnrollmentId::of(learner_id, course_id)).await?.state)
                    }
                    None => None,
                };
                let events = submission::decide(
                    &attempts.state,
                    &assessment.state,
                    enrollment.as_deref(),
                    context,
                    command.clone(),
                )?;
                let reply = Reply::created(submission_id, "/v1/me/submissions").of_stream(id);
                let reply = events.iter().fold(reply, tell);
                work.append::<Attempts>(id, events);
                Ok(reply)
            })
        })
        .await
}

/// Adds which attempt it was, and how it was judged where it was.
fn tell(reply: Reply, event: &SubmissionEvent) -> Reply {
    let SubmissionEvent::Submitted { attempt, result, .. } = event;
    let reply = reply.with("attempt", *attempt);
    let Some(result) = result else { return reply };
    let reply = reply.with("score", result.score).with("max_score", result.max_score);
    match result.passed {
        Some(passed) => reply.with("passed", passed),
        None => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops::extract::decode_json;
    use serde_json::{Value, json};

    fn wrong(body: &Value) -> Vec<(String, String)> {
        let problem = decode_json::<SubmitAnswers>(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(problem.slug(), "invalid-request");
        problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
    }

    fn is(pointer: &str, code: &str) -> (String, String) {
        (pointer.to_owned(), code.to_owned())
    }

    #[test]
    fn an_answer_is_either_chosen_or_written() {
        let good = json!({"answers": [{"item_id": "1", "option_id": "a"}, {"item_id": "2", "text": "Because."}]});
        let body = decode_json::<SubmitAnswers>(good.to_string().as_bytes()).unwrap();
        let answers: Vec<Answer> = body.answers.into_iter().filter_map(GivenAnswer::into_answer).collect();
        assert_eq!(answers.len(), 2);
        let bad = json!({"answers": [{"item_id": "1"}, {"item_id": "2", "option_id": "a", "text": "Because."}]});
        assert_eq!(wrong(&bad), [is("/answers/0", "one-of"), is("/answers/1", "one-of")]);
    }

    #[test]
    fn written_answers_are_bounded() {
        let written = |text: String| json!({"answers": [{"item_id": "1", "text": text}]});
        assert_eq!(wrong(&written("x".repeat(20_001))), [is("/answers/0/text", "length")]);
        let much = json!({"answers": vec![json!({"item_id": "1", "text": "x".repeat(20_000)}); 40]});
        assert_eq!(wrong(&much), [is("/answers", "size")]);
        assert_eq!(wrong(&written(" ".to_owned())), [is("/answers/0/text", "blank")]);
    }

    #[test]
    fn a_bad_answer_is_named_by_its_field() {
        for (fault, pointer, code) in [
            (Fault::UnknownItem { answer: 1 }, "/answers/1/item_id", "unknown"),
            (Fault::DuplicateItem { answer: 1 }, "/answers/1/item_id", "duplicate"),
            (Fault::OptionMissing { answer: 1 }, "/answers/1/option_id", "missing"),
            (Fault::UnknownOption { answer: 1 }, "/answers/1/option_id", "unknown"),
            (Fault::TextMissing { answer: 1 }, "/answers/1/text", "missing"),
            (Fault::Unanswered { item_id: "1".to_owned() }, "/answers", "missing"),
        ] {
            let error = field_error(&fault);
            assert_eq!((error.pointer.as_str(), error.code.as_str()), (pointer, code));
        }
    }
}
