//! One learner in one course. The stream's id is derived from the two, so that there can be only one.

use crate::{
    Aggregate, Event,
    ids::{AccountId, CourseId, EnrollmentId, LessonId, PaymentId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What can happen to an enrolment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum EnrollmentEvent {
    /// The learner entered the course.
    #[serde(rename = "registrar.enrollment.enrolled.v1")]
    Enrolled {
        /// Who.
        learner_id: AccountId,
        /// Into what.
        course_id: CourseId,
        /// What gave them the right.
        basis: Basis,
    },
    /// The learner finished a lesson.
    #[serde(rename = "registrar.enrollment.lesson_completed.v1")]
    LessonCompleted {
        /// Who.
        learner_id: AccountId,
        /// In what course.
        course_id: CourseId,
        /// The lesson.
        lesson_id: LessonId,
        /// Share of the course's lessons finished, as it then was: 0 to 100, rounded down.
        progress_percent: u8,
    },
    /// The learner finished the last open lesson.
    #[serde(rename = "registrar.enrollment.completed.v1")]
    Completed {
        /// Who.
        learner_id: AccountId,
        /// What course.
        course_id: CourseId,
    },
    /// The learner left the course. What they finished stays; they may enter it again.
    #[serde(rename = "registrar.enrollment.withdrawn.v1")]
    Withdrawn {
        /// Who.
        learner_id: AccountId,
        /// What course.
        course_id: CourseId,
    },
}

/// What gave a learner the right to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Basis {
    /// The course costs nothing.
    Free,
    /// It was paid for.
    Payment {
        /// By this payment.
        payment_id: PaymentId,
    },
    /// They were in it in the system that it was imported from.
    Import,
}

/// An enrolment as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enrollment {
    /// Who; `None` until enrolled.
    pub learner_id: Option<AccountId>,
    /// Into what.
    pub course_id: Option<CourseId>,
    /// What gave them the right.
    pub basis: Option<Basis>,
    /// The lessons finished.
    pub completed_lessons: BTreeSet<LessonId>,
    /// Whether the course was finished.
    pub is_completed: bool,
    /// Whether the learner left it.
    pub is_withdrawn: bool,
    /// How often the learner left it.
    pub withdrawals: u32,
}

impl Enrollment {
    /// Whether the learner is in the course.
    pub const fn is_enrolled(&self) -> bool {
        self.learner_id.is_some() && !self.is_withdrawn
    }
}

impl Aggregate for Enrollment {
    const STREAM_TYPE: &'static str = "enrollment";
    type Id = EnrollmentId;
    type Event = EnrollmentEvent;

    fn evolve(&mut self, event: &EnrollmentEvent) {
        match event {
            EnrollmentEvent::Enrolled { learner_id, course_id, basis } => {
                self.learner_id = Some(*learner_id);
                self.course_id = Some(*course_id);
                self.basis = Some(*basis);
                self.is_withdrawn = false;
            }
            EnrollmentEvent::LessonCompleted { lesson_id, .. } => {
                self.completed_lessons.insert(*lesson_id);
            }
            EnrollmentEvent::Completed { .. } => self.is_completed = true,
            EnrollmentEvent::Withdrawn { .. } => {
                self.is_withdrawn = true;
                self.withdrawals += 1;
            }
        }
    }

    fn own(event: Event) -> Option<EnrollmentEvent> {
        if let Event::Enrollment(event) = event { Some(event) } else { None }
    }
}
