//! A course and its lessons, from draft to archive.

use crate::{
    Aggregate, Event, Money,
    ids::{AccountId, CategoryId, CourseId, LessonId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum CourseEvent {
    /// The course came to be, as a draft.
    #[serde(rename = "registrar.course.created.v1")]
    Created {
        /// Who made it, and may change it.
        owner_id: AccountId,
        /// What it says of itself.
        details: CourseDetails,
    },
    /// Its details changed; the event carries all of them as they then were.
    #[serde(rename = "registrar.course.updated.v1")]
    Updated {
        /// What it says of itself.
        details: CourseDetails,
    },
    /// A lesson was added at the end.
    #[serde(rename = "registrar.course.lesson_added.v1")]
    LessonAdded {
        /// The new lesson.
        lesson: Lesson,
    },
    /// It can be found and taken.
    #[serde(rename = "registrar.course.published.v1")]
    Published {},
    /// It can no longer be found or entered.
    #[serde(rename = "registrar.course.archived.v1")]
    Archived {},
}

/// What a course says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CourseDetails {
    /// Title.
    pub title: String,
    /// What it teaches.
    pub description: Option<String>,
    /// What it costs; nothing where absent or zero.
    pub price: Option<Money>,
    /// Where it is found.
    pub category_id: Option<CategoryId>,
    /// Where a picture is.
    pub thumbnail_url: Option<String>,
}

/// One lesson.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lesson {
    /// Its id.
    pub lesson_id: LessonId,
    /// Title, public with the outline.
    pub title: String,
    /// What it is made of.
    pub content_type: ContentType,
    /// The text of a `text` lesson.
    pub content: Option<String>,
    /// Where the video or document is.
    pub url: Option<String>,
    /// Whether anyone may see its content.
    pub preview: bool,
    /// Place in the course, from 1.
    pub order_index: u32,
}

/// What a lesson is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentType {
    /// Text in the lesson itself.
    Text,
    /// A video at a URL.
    Video,
    /// A PDF document at a URL.
    Pdf,
}

impl ContentType {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Video => "video",
            Self::Pdf => "pdf",
        }
    }
}

/// Where a course stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CourseStatus {
    /// Being made; seen by its owner and admins.
    #[default]
    Draft,
    /// Found and taken by anyone.
    Published,
    /// Withdrawn; those in it keep it.
    Archived,
}

impl CourseStatus {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }
}

/// A course as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// Who made it; `None` until it is created.
    pub owner_id: Option<AccountId>,
    /// What it says of itself.
    pub details: Option<CourseDetails>,
    /// Where it stands.
    pub status: CourseStatus,
    /// Its lessons in order.
    pub lessons: Vec<LessonId>,
}

impl Course {
    /// What has to be paid to enter it; `None` where it is free.
    pub fn price(&self) -> Option<Money> {
        self.details.as_ref().and_then(|details| details.price).filter(|price| !price.is_zero())
    }
}

impl Aggregate for Course {
    const STREAM_TYPE: &'static str = "course";
    type Id = CourseId;
    type Event = CourseEvent;

    fn evolve(&mut self, event: &CourseEvent) {
        match event {
            CourseEvent::Created { owner_id, details } => {
                self.owner_id = Some(*owner_id);
                self.details = Some(details.clone());
            }
            CourseEvent::Updated { details } => self.details = Some(details.clone()),
            CourseEvent::LessonAdded { lesson } => self.lessons.push(lesson.lesson_id),
            CourseEvent::Published {} => self.status = CourseStatus::Published,
            CourseEvent::Archived {} => self.status = CourseStatus::Archived,
        }
    }

    fn own(event: Event) -> Option<CourseEvent> {
        if let Event::Course(event) = event { Some(event) } else { None }
    }
}
