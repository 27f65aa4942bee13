//! What the rows of the files tell, after what they say in days and names was turned into times and keys.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};

/// A presentation of a module, by its key: `AAA-2013J`.
pub type CourseKey = Rc<str>;

/// One presentation of one module.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the data set calls its code so")]
pub struct Presentation {
    /// The line that tells it.
    pub line: u64,
    /// The module: `AAA`.
    pub module: String,
    /// When it was given: `2013J`.
    pub presentation: String,
    /// The first day.
    pub start: DateTime<Utc>,
    /// How many days it has.
    pub length: i64,
}

impl Presentation {
    /// A day of it, counted from its start.
    pub fn day(&self, number: i64) -> DateTime<Utc> {
        self.start + TimeDelta::days(number)
    }

    /// Its last day.
    pub fn end(&self) -> DateTime<Utc> {
        self.day(self.length)
    }

    /// What the course is called.
    pub fn title(&self) -> String {
        format!("{} {}", self.module, self.presentation)
    }
}

/// One assessment.
#[derive(Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The line that tells it.
    pub line: u64,
    /// Its number.
    pub id: u64,
    /// Its course.
    pub course: CourseKey,
    /// `TMA`, `CMA` or `Exam`.
    pub kind: String,
}

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalResult {
    Distinction,
    Pass,
    Fail,
    Withdrawn,
}

/// A student in a presentation.
#[derive(Debug, PartialEq, Eq)]
pub struct Registration {
    /// The line that tells it.
    pub line: u64,
    /// The student's number.
    pub student: u64,
    /// The course.
    pub course: CourseKey,
    /// When the student entered.
    pub enrolled_at: DateTime<Utc>,
    /// When they finished it.
    pub completed_at: Option<DateTime<Utc>>,
    /// When they left it.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// What a student handed in.
#[derive(Debug, PartialEq, Eq)]
pub struct Submission {
    /// The line that tells it.
    pub line: u64,
    /// The student's number.
    pub student: u64,
    /// The assessment's number.
    pub assessment: u64,
    /// When.
    pub submitted_at: DateTime<Utc>,
    /// Whether the result was carried over.
    pub banked: bool,
    /// The result, 0 to 100.
    pub score: Option<i64>,
}

/// A student, from the first line that tells of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Student {
    /// The line, of the registrations.
    pub line: u64,
    /// The student's number.
    pub id: u64,
    /// When they first entered a course.
    pub since: DateTime<Utc>,
}
