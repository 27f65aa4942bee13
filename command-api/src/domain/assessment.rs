//! An assessment comes to be, with a definition that can be answered and judged.
//!
//! How long texts may be, and how many items there are, is a matter of form, which `http/assessment` keeps.

use super::course::{find_author, may_change};
use crate::execute::Context;
use events::{
    assessment::{AssessmentEvent, Definition, Item, Kind},
    course::Course,
    ids::CourseId,
};
use std::collections::HashSet;

/// Make an assessment.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// The course that it belongs to, where it does.
    pub course_id: Option<CourseId>,
    /// What it asks and how it is judged.
    pub definition: Definition,
}

/// Why an assessment is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller's role makes no assessments.
    #[error("only instructors and admins make assessments")]
    NotInstructor,
    /// The course is not there, or it is somebody else's.
    #[error("you have no such course")]
    UnknownCourse,
    /// Its kind is that of assessments which are held elsewhere.
    #[error("an assessment that is held elsewhere is not made here, but imported")]
    HeldElsewhere,
    /// The definition cannot be answered or judged.
    #[error("the items cannot be answered or judged as they are")]
    Faulty(Vec<Fault>),
}

/// What is wrong with a definition; places count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An answer could not tell which item it means.
    #[error("another item before it has this id")]
    DuplicateItem {
        /// Which item.
        item: usize,
    },
    /// There is nothing to choose between.
    #[error("an item has no options, or at least two")]
    SingleOption {
        /// Which item.
        item: usize,
    },
    /// An answer could not tell which option it means.
    #[error("another option of the item has this id")]
    DuplicateOption {
        /// Of which item.
        item: usize,
        /// Which option.
        option: usize,
    },
    /// Who answers best would lose points, and the highest score would not be one.
    #[error("the best option of an item is worth at least 0")]
    OnlyNegativeScores {
        /// Which item.
        item: usize,
    },
}

/// Decides on an assessment that has no history yet. `course` is the one that the command names.
pub fn decide(course: Option<&Course>, context: &Context, command: Create) -> Result<Vec<AssessmentEvent>, Refusal> {
    let author_id = find_author(context).ok_or(Refusal::NotInstructor)?;
    let Create { course_id, definition } = command;
    let is_own = course.is_some_and(|course| course.details.is_some() && may_change(course, context));
    if course_id.is_some() && !is_own {
        return Err(Refusal::UnknownCourse);
    }
    if definition.kind == Kind::External {
        return Err(Refusal::HeldElsewhere);
    }
    let faults = find_faults(&definition.items);
    if !faults.is_empty() {
        return Err(Refusal::Faulty(faults));
    }
    Ok(vec![AssessmentEvent::Created { author_id, course_id, definition }])
}

fn find_faults(items: &[Item]) -> Vec<Fault> {
    let mut faults = vec![];
    let mut item_ids = HashSet::new();
    for (item, Item { id, options, .. }) in items.iter().enumerate() {
        if !item_ids.insert(id) {
            faults.push(Fault::DuplicateItem { item });
        }
        if options.len() == 1 {
            faults.push(Fault::SingleOption { item });
        }
        let mut option_ids = HashSet::new();
        for (option, answer) in options.iter().enumerate() {
            if !option_ids.insert(&answer.id) {
                faults.push(Fault::DuplicateOption { item, option });
            }
        }
        if options.iter().map(|option| option.score).max().is_some_and(|best| best < 0) {
            faults.push(Fault::OnlyNegativeScores { item });
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ADA, BOB, ada_as, given, nobody, signed_in};
    use events::{
        Role,
        assessment::AnswerOption,
        course::{CourseDetails, CourseEvent},
    };
    use uuid::Uuid;

    const COURSE: CourseId = CourseId::new(Uuid::from_u128(9));

    fn option(id: &str, score: i32) -> AnswerOption {
        AnswerOption { id: id.to_owned(), text: "Ask first".to_owned(), score }
    }

    fn item(id: &str, options: Vec<AnswerOption>) -> Item {
        Item { id: id.to_owned(), prompt: "What do you do?".to_owned(), options }
    }

    fn definition(items: Vec<Item>) -> Definition {
        Definition {
            title: "At the counter".to_owned(),
            kind: Kind::Sjt,
            items,
            pass_percent: Some(60),
            time_limit_seconds: None,
            max_attempts: Some(3),
        }
    }

    fn sound() -> Definition {
        definition(vec![item("1", vec![option("a", 2), option("b", -1)]), item("2", vec![])])
    }

    fn adas_course() -> Course {
        let details = CourseDetails {
            title: "Contracts".to_owned(),
            description: None,
            price: None,
            category_id: None,
            thumbnail_url: None,
        };
        given([CourseEvent::Created { owner_id: ADA, details }])
    }

    fn faults(items: Vec<Item>) -> Vec<Fault> {
        let command = Create { course_id: None, definition: definition(items) };
        match decide(None, &ada_as(Role::Instructor), command) {
            Err(Refusal::Faulty(faults)) => faults,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn instructors_and_admins_make_assessments() {
        for role in [Role::Instructor, Role::Admin, Role::Superadmin] {
            let made = decide(None, &ada_as(role), Create { course_id: None, definition: sound() });
            let created = AssessmentEvent::Created { author_id: ADA, course_id: None, definition: sound() };
            assert_eq!(made, Ok(vec![created]), "{role}");
        }
    }

    #[test]
    fn nobody_else_makes_assessments() {
        for context in [ada_as(Role::Learner), ada_as(Role::Auditor), nobody()] {
            let refused = decide(None, &context, Create { course_id: None, definition: sound() });
            assert_eq!(refused, Err(Refusal::NotInstructor));
        }
    }

    #[test]
    fn an_assessment_belongs_to_a_course_of_ones_own_or_an_admins_choice() {
        let command = Create { course_id: Some(COURSE), definition: sound() };
        for context in [ada_as(Role::Instructor), signed_in(BOB, Role::Admin)] {
            let author_id = context.actor.as_ref().unwrap().account_id;
            let created = AssessmentEvent::Created { author_id, course_id: Some(COURSE), definition: sound() };
            assert_eq!(decide(Some(&adas_course()), &context, command.clone()), Ok(vec![created]));
        }
        let foreign = decide(Some(&adas_course()), &signed_in(BOB, Role::Instructor), command.clone());
        assert_eq!(foreign, Err(Refusal::UnknownCourse));
    }

    #[test]
    fn an_assessment_belongs_to_no_course_that_is_not_there() {
        let command = Create { course_id: Some(COURSE), definition: sound() };
        for course in [Some(Course::default()), None] {
            let refused = decide(course.as_ref(), &ada_as(Role::Admin), command.clone());
            assert_eq!(refused, Err(Refusal::UnknownCourse));
        }
    }

    #[test]
    fn item_ids_are_unique_within_the_assessment() {
        let found = faults(vec![item("1", vec![]), item("2", vec![]), item("1", vec![])]);
        assert_eq!(found, [Fault::DuplicateItem { item: 2 }]);
    }

    #[test]
    fn option_ids_are_unique_within_their_item_only() {
        let (twice, once) = (vec![option("a", 0), option("a", 1)], vec![option("a", 0), option("b", 1)]);
        let found = faults(vec![item("1", once), item("2", twice)]);
        assert_eq!(found, [Fault::DuplicateOption { item: 1, option: 1 }]);
    }

    #[test]
    fn one_option_is_no_choice() {
        assert_eq!(faults(vec![item("1", vec![option("a", 1)])]), [Fault::SingleOption { item: 0 }]);
    }

    #[test]
    fn the_best_option_costs_no_points() {
        let found = faults(vec![item("1", vec![option("a", -2), option("b", -1)])]);
        assert_eq!(found, [Fault::OnlyNegativeScores { item: 0 }]);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let found = faults(vec![item("1", vec![]), item("1", vec![option("a", -1)])]);
        let expected =
            [Fault::DuplicateItem { item: 1 }, Fault::SingleOption { item: 1 }, Fault::OnlyNegativeScores { item: 1 }];
        assert_eq!(found, expected);
    }
}
