//! What must hold after any sequence of commands, whatever their order and outcome.

mod learning;
mod session;
mod submission;

use super::given;
use events::ids::{AccountId, CourseId};
use uuid::Uuid;

const LEARNERS: [AccountId; 2] = [given::ADA, given::BOB];
/// The first is free, and the others cost something.
const COURSES: [CourseId; 3] =
    [CourseId::new(Uuid::from_u128(1)), CourseId::new(Uuid::from_u128(2)), CourseId::new(Uuid::from_u128(3))];
