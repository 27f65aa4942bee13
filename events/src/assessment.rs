//! An assessment's definition: its items, their options, and the rules of an attempt.

use crate::{
    Aggregate, Event,
    ids::{AccountId, AssessmentId, CourseId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to an assessment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum AssessmentEvent {
    /// The assessment came to be, open for submissions.
    #[serde(rename = "registrar.assessment.created.v1")]
    Created {
        /// Who made it.
        author_id: AccountId,
        /// The course that it belongs to, where it does.
        course_id: Option<CourseId>,
        /// What it asks and how it is judged.
        definition: Definition,
    },
}

/// What an assessment asks and how it is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Definition {
    /// Title.
    pub title: String,
    /// What kind of test it is.
    pub kind: Kind,
    /// What it asks, in order.
    pub items: Vec<Item>,
    /// Share of the highest score that passes, 0 to 100; without it nobody passes or fails.
    pub pass_percent: Option<u8>,
    /// Time for one attempt, in seconds.
    pub time_limit_seconds: Option<u32>,
    /// How often a learner may submit; without it, as often as they like.
    pub max_attempts: Option<u32>,
}

/// What kind of test an assessment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Situational judgement test.
    Sjt,
    /// Job dilemma test.
    Jdt,
    /// One that is held and judged elsewhere: it has no items here, and its results are imported.
    External,
}

impl Kind {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sjt => "sjt",
            Self::Jdt => "jdt",
            Self::External => "external",
        }
    }
}

/// One question. With options it is keyed and scored at once; without, it is answered in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its id, unique within the assessment.
    pub id: String,
    /// The question.
    pub prompt: String,
    /// What can be chosen.
    pub options: Vec<AnswerOption>,
}

/// One choice of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerOption {
    /// Its id, unique within the item.
    pub id: String,
    /// What it says.
    pub text: String,
    /// What choosing it is worth.
    pub score: i32,
}

/// An assessment as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assessment {
    /// `None` until it is created.
    pub definition: Option<Definition>,
    /// The course that it belongs to, where it does.
    pub course_id: Option<CourseId>,
}

impl Aggregate for Assessment {
    const STREAM_TYPE: &'static str = "assessment";
    type Id = AssessmentId;
    type Event = AssessmentEvent;

    fn evolve(&mut self, event: &AssessmentEvent) {
        match event {
            AssessmentEvent::Created { course_id, definition, .. } => {
                self.definition = Some(definition.clone());
                self.course_id = *course_id;
            }
        }
    }

    fn own(event: Event) -> Option<AssessmentEvent> {
        if let Event::Assessment(event) = event { Some(event) } else { None }
    }
}
