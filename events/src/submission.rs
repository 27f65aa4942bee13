//! All that one learner submitted to one assessment. One stream for all attempts, so that their number can be kept.

use crate::{
    Aggregate, Event,
    ids::{AccountId, AssessmentId, AttemptsId, CourseId, SubmissionId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to a learner's attempts at an assessment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum SubmissionEvent {
    /// The learner handed in an attempt.
    #[serde(rename = "registrar.submission.submitted.v1")]
    Submitted {
        /// This attempt's id.
        submission_id: SubmissionId,
        /// What was answered to.
        assessment_id: AssessmentId,
        /// The course of the assessment, where it has one.
        course_id: Option<CourseId>,
        /// Who.
        learner_id: AccountId,
        /// Which attempt, from 1.
        attempt: u32,
        /// What was answered; nothing where only the result is known, as of an imported one.
        answers: Vec<Answer>,
        /// How it was judged; absent while a person has yet to.
        result: Option<Scored>,
        /// Whether the result was carried over from an earlier time that the learner took the course.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        banked: bool,
    },
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The item answered.
    pub item_id: String,
    /// What was chosen or written.
    #[serde(flatten)]
    pub response: Response,
}

/// What was chosen or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The option chosen.
    OptionId(String),
    /// The words written.
    Text(String),
}

/// How an attempt was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scored {
    /// Points reached.
    pub score: i64,
    /// Points that could be reached.
    pub max_score: i64,
    /// Whether that is enough; absent where the assessment sets no bar.
    pub passed: Option<bool>,
}

/// A learner's attempts as their events leave them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attempts {
    /// How many were handed in.
    pub count: u32,
    /// Which they are.
    pub submissions: Vec<SubmissionId>,
}

impl Aggregate for Attempts {
    const STREAM_TYPE: &'static str = "submission";
    type Id = AttemptsId;
    type Event = SubmissionEvent;

    fn evolve(&mut self, event: &SubmissionEvent) {
        match event {
            SubmissionEvent::Submitted { submission_id, attempt, .. } => {
                self.count = self.count.max(*attempt);
                self.submissions.push(*submission_id);
            }
        }
    }

    fn own(event: Event) -> Option<SubmissionEvent> {
        if let Event::Submission(event) = event { Some(event) } else { None }
    }
}
