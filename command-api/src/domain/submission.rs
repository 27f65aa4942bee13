//! A learner hands in an attempt at an assessment. Where every item is keyed it is scored at once; what is answered in
//! words waits for a person.

use crate::execute::Context;
use events::{
    Role,
    assessment::{Assessment, Definition, Item, Kind},
    enrollment::Enrollment,
    ids::{AssessmentId, SubmissionId},
    submission::{Answer, Attempts, Response, Scored, SubmissionEvent},
};
use std::collections::HashMap;

/// Hand in an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The attempt's id, newly drawn.
    pub submission_id: SubmissionId,
    /// What is answered to.
    pub assessment_id: AssessmentId,
    /// What is answered.
    pub answers: Vec<Answer>,
}

/// Why an attempt is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller is no learner.
    #[error("only learners take assessments")]
    NotLearner,
    /// There is no such assessment.
    #[error("there is no such assessment")]
    NotFound,
    /// The assessment belongs to a course that the learner is not in.
    #[error("the assessment is for those who are enrolled in its course")]
    EnrollmentRequired,
    /// It is held and judged elsewhere.
    #[error("the assessment is held elsewhere: only its results come here")]
    HeldElsewhere,
    /// The learner has none left.
    #[error("all {max_attempts} attempts are used up")]
    AttemptsExhausted {
        /// How many there were.
        max_attempts: u32,
    },
    /// Answers do not fit the items.
    #[error("the answers do not fit the items")]
    BadAnswers(Vec<Fault>),
}

/// What is wrong with the answers; places count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It answers what was not asked.
    #[error("the assessment has no such item")]
    UnknownItem {
        /// Which answer.
        answer: usize,
    },
    /// It answers what was answered before.
    #[error("another answer before it is to the same item")]
    DuplicateItem {
        /// Which answer.
        answer: usize,
    },
    /// It says in words what has to be chosen.
    #[error("this item is answered by choosing an option")]
    OptionMissing {
        /// Which answer.
        answer: usize,
    },
    /// It chooses what there is not.
    #[error("the item has no such option")]
    UnknownOption {
        /// Which answer.
        answer: usize,
    },
    /// It chooses where words are asked for.
    #[error("this item is answered in words")]
    TextMissing {
        /// Which answer.
        answer: usize,
    },
    /// An item was left out.
    #[error("item “{item_id}” is not answered")]
    Unanswered {
        /// Which item.
        item_id: String,
    },
}

/// Decides on one more attempt of the caller's. `enrollment` is the caller's in the assessment's course, where it has one.
pub fn decide(
    attempts: &Attempts,
    assessment: &Assessment,
    enrollment: Option<&Enrollment>,
    context: &Context,
    command: Submit,
) -> Result<Vec<SubmissionEvent>, Refusal> {
    let learner = context.actor.as_ref().filter(|actor| actor.role == Role::Learner).ok_or(Refusal::NotLearner)?;
    let definition = assessment.definition.as_ref().ok_or(Refusal::NotFound)?;
    if assessment.course_id.is_some() && !enrollment.is_some_and(Enrollment::is_enrolled) {
        return Err(Refusal::EnrollmentRequired);
    }
    if definition.kind == Kind::External {
        return Err(Refusal::HeldElsewhere);
    }
    if let Some(max_attempts) = definition.max_attempts.filter(|max_attempts| attempts.count >= *max_attempts) {
        return Err(Refusal::AttemptsExhausted { max_attempts });
    }
    let Submit { submission_id, assessment_id, answers } = command;
    let faults = find_faults(definition, &answers);
    if !faults.is_empty() {
        return Err(Refusal::BadAnswers(faults));
    }
    Ok(vec![SubmissionEvent::Submitted {
        submission_id,
        assessment_id,
        course_id: assessment.course_id,
        learner_id: learner.account_id,
        attempt: attempts.count + 1,
        result: score(definition, &answers),
        answers,
        banked: false,
    }])
}

fn find_faults(definition: &Definition, answers: &[Answer]) -> Vec<Fault> {
    let mut open: HashMap<&str, &Item> = definition.items.iter().map(|item| (item.id.as_str(), item)).collect();
    let mut faults = vec![];
    for (answer, Answer { item_id, response }) in answers.iter().enumerate() {
        let Some(item) = open.remove(item_id.as_str()) else {
            let is_asked = definition.items.iter().any(|item| item.id == *item_id);
            faults.push(if is_asked { Fault::DuplicateItem { answer } } else { Fault::UnknownItem { answer } });
            continue;
        };
        faults.extend(match response {
            Response::OptionId(_) if item.options.is_empty() => Some(Fault::TextMissing { answer }),
            Response::Text(_) if !item.options.is_empty() => Some(Fault::OptionMissing { answer }),
            Response::OptionId(id) if item.options.iter().all(|option| option.id != *id) => {
                Some(Fault::UnknownOption { answer })
            }
            Response::OptionId(_) | Response::Text(_) => None,
        });
    }
    let unanswered = definition.items.iter().filter(|item| open.contains_key(item.id.as_str()));
    faults.extend(unanswered.map(|item| Fault::Unanswered { item_id: item.id.clone() }));
    faults
}

/// `None` where an item is answered in words: a person has yet to judge it. Expects answers without faults.
fn score(definition: &Definition, answers: &[Answer]) -> Option<Scored> {
    let responses: HashMap<&str, &Response> =
        answers.iter().map(|answer| (answer.item_id.as_str(), &answer.response)).collect();
    let (mut score, mut max_score) = (0, 0);
    for item in &definition.items {
        let Response::OptionId(chosen) = responses.get(item.id.as_str())? else { return None };
        score += i64::from(item.options.iter().find(|option| option.id == *chosen)?.score);
        max_score += i64::from(item.options.iter().map(|option| option.score).max()?);
    }
    let passed = definition.pass_percent.map(|percent| score * 100 >= max_score * i64::from(percent));
    Some(Scored { score, max_score, passed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ADA, BOB, ada_as, given, nobody};
    use events::{
        assessment::{AnswerOption, AssessmentEvent},
        enrollment::{Basis, EnrollmentEvent},
        ids::CourseId,
    };
    use uuid::Uuid;

    const COURSE: CourseId = CourseId::new(Uuid::from_u128(9));
    const ASSESSMENT: AssessmentId = AssessmentId::new(Uuid::from_u128(7));
    const SUBMISSION: SubmissionId = SubmissionId::new(Uuid::from_u128(6));

    fn keyed(id: &str) -> Item {
        let option = |id: &str, score| AnswerOption { id: id.to_owned(), text: "Ask first".to_owned(), score };
        let options = vec![option("best", 2), option("fair", 1), option("bad", -1)];
        Item { id: id.to_owned(), prompt: "What do you do?".to_owned(), options }
    }

    fn in_words(id: &str) -> Item {
        Item { id: id.to_owned(), prompt: "Why?".to_owned(), options: vec![] }
    }

    fn definition(items: Vec<Item>) -> Definition {
        Definition {
            title: "At the counter".to_owned(),
            kind: Kind::Sjt,
            items,
            pass_percent: Some(75),
            time_limit_seconds: None,
            max_attempts: Some(2),
        }
    }

    fn assessment(definition: Definition, course_id: Option<CourseId>) -> Assessment {
        given([AssessmentEvent::Created { author_id: BOB, course_id, definition }])
    }

    fn two_keyed() -> Assessment {
        assessment(definition(vec![keyed("1"), keyed("2")]), None)
    }

    fn choice(item_id: &str, option_id: &str) -> Answer {
        Answer { item_id: item_id.to_owned(), response: Response::OptionId(option_id.to_owned()) }
    }

    fn words(item_id: &str) -> Answer {
        Answer { item_id: item_id.to_owned(), response: Response::Text("Because.".to_owned()) }
    }

    fn submit(answers: Vec<Answer>) -> Submit {
        Submit { submission_id: SUBMISSION, assessment_id: ASSESSMENT, answers }
    }

    fn attempts(count: u32) -> Attempts {
        Attempts { count, submissions: (0..count).map(|n| SubmissionId::new(Uuid::from_u128(n.into()))).collect() }
    }

    fn submitted(attempt: u32, answers: Vec<Answer>, result: Option<Scored>) -> SubmissionEvent {
        let (submission_id, assessment_id) = (SUBMISSION, ASSESSMENT);
        SubmissionEvent::Submitted {
            submission_id,
            assessment_id,
            course_id: None,
            learner_id: ADA,
            attempt,
            answers,
            result,
            banked: false,
        }
    }

    fn result_of(assessment: &Assessment, answers: Vec<Answer>) -> Option<Scored> {
        match decide(&attempts(0), assessment, None, &ada_as(Role::Learner), submit(answers)).as_deref() {
            Ok([SubmissionEvent::Submitted { result, .. }]) => *result,
            other => panic!("{other:?}"),
        }
    }

    fn faults(assessment: &Assessment, answers: Vec<Answer>) -> Vec<Fault> {
        match decide(&attempts(0), assessment, None, &ada_as(Role::Learner), submit(answers)) {
            Err(Refusal::BadAnswers(faults)) => faults,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_attempt_is_scored_by_its_key() {
        let answers = vec![choice("1", "best"), choice("2", "fair")];
        let taken = decide(&attempts(1), &two_keyed(), None, &ada_as(Role::Learner), submit(answers.clone()));
        let result = Scored { score: 3, max_score: 4, passed: Some(true) };
        assert_eq!(taken, Ok(vec![submitted(2, answers, Some(result))]));
    }

    #[test]
    fn less_than_the_bar_does_not_pass() {
        let result = result_of(&two_keyed(), vec![choice("1", "best"), choice("2", "bad")]);
        assert_eq!(result, Some(Scored { score: 1, max_score: 4, passed: Some(false) }));
    }

    #[test]
    fn without_a_bar_nobody_passes_or_fails() {
        let no_bar = assessment(Definition { pass_percent: None, ..definition(vec![keyed("1")]) }, None);
        let result = result_of(&no_bar, vec![choice("1", "best")]);
        assert_eq!(result, Some(Scored { score: 2, max_score: 2, passed: None }));
    }

    #[test]
    fn what_is_answered_in_words_waits_for_a_person() {
        let mixed = assessment(definition(vec![keyed("1"), in_words("2")]), None);
        assert_eq!(result_of(&mixed, vec![choice("1", "best"), words("2")]), None);
    }

    #[test]
    fn only_learners_take_assessments() {
        let answers = vec![choice("1", "best"), choice("2", "best")];
        let others = [Role::Instructor, Role::Auditor, Role::Admin, Role::Superadmin].map(ada_as);
        for context in others.into_iter().chain([nobody()]) {
            let refused = decide(&attempts(0), &two_keyed(), None, &context, submit(answers.clone()));
            assert_eq!(refused, Err(Refusal::NotLearner));
        }
    }

    #[test]
    fn an_assessment_that_is_not_there_is_not_found() {
        let refused = decide(&attempts(0), &Assessment::default(), None, &ada_as(Role::Learner), submit(vec![]));
        assert_eq!(refused, Err(Refusal::NotFound));
    }

    #[test]
    fn an_assessment_of_a_course_is_for_those_in_the_course() {
        let of_course = assessment(definition(vec![keyed("1")]), Some(COURSE));
        let enrolled = EnrollmentEvent::Enrolled { learner_id: ADA, course_id: COURSE, basis: Basis::Free };
        let outcome = |enrollment: Option<Enrollment>| {
            let command = submit(vec![choice("1", "best")]);
            decide(&attempts(0), &of_course, enrollment.as_ref(), &ada_as(Role::Learner), command)
                .map(|events| events.len())
        };
        assert_eq!(outcome(None), Err(Refusal::EnrollmentRequired));
        assert_eq!(outcome(Some(Enrollment::default())), Err(Refusal::EnrollmentRequired));
        assert_eq!(outcome(Some(given([enrolled]))), Ok(1));
    }

    #[test]
    fn what_is_held_elsewhere_is_not_taken_here() {
        let external = assessment(Definition { kind: Kind::External, ..definition(vec![]) }, None);
        let refused = decide(&attempts(0), &external, None, &ada_as(Role::Learner), submit(vec![]));
        assert_eq!(refused, Err(Refusal::HeldElsewhere));
    }

    #[test]
    fn attempts_run_out() {
        let command = submit(vec![choice("1", "best"), choice("2", "best")]);
        let refused = decide(&attempts(2), &two_keyed(), None, &ada_as(Role::Learner), command);
        assert_eq!(refused, Err(Refusal::AttemptsExhausted { max_attempts: 2 }));
    }

    #[test]
    fn without_a_limit_attempts_do_not_run_out() {
        let unlimited = assessment(Definition { max_attempts: None, ..definition(vec![keyed("1")]) }, None);
        let command = submit(vec![choice("1", "best")]);
        let taken = decide(&attempts(1000), &unlimited, None, &ada_as(Role::Learner), command);
        assert_eq!(taken.map(|events| events.len()), Ok(1));
    }

    #[test]
    fn every_item_is_answered() {
        let found = faults(&two_keyed(), vec![choice("2", "best")]);
        assert_eq!(found, [Fault::Unanswered { item_id: "1".to_owned() }]);
    }

    #[test]
    fn only_items_that_were_asked_are_answered() {
        let found = faults(&two_keyed(), vec![choice("1", "best"), choice("3", "best"), choice("2", "best")]);
        assert_eq!(found, [Fault::UnknownItem { answer: 1 }]);
    }

    #[test]
    fn an_item_is_answered_once() {
        let found = faults(&two_keyed(), vec![choice("1", "best"), choice("2", "best"), choice("1", "bad")]);
        assert_eq!(found, [Fault::DuplicateItem { answer: 2 }]);
    }

    #[test]
    fn only_options_of_the_item_are_chosen() {
        let found = faults(&two_keyed(), vec![choice("1", "best"), choice("2", "ideal")]);
        assert_eq!(found, [Fault::UnknownOption { answer: 1 }]);
    }

    #[test]
    fn what_has_options_is_chosen_and_what_has_none_is_written() {
        let mixed = assessment(definition(vec![keyed("1"), in_words("2")]), None);
        let found = faults(&mixed, vec![words("1"), choice("2", "best")]);
        assert_eq!(found, [Fault::OptionMissing { answer: 0 }, Fault::TextMissing { answer: 1 }]);
    }

    #[test]
    fn all_bad_answers_are_told_at_once() {
        let found = faults(&two_keyed(), vec![choice("3", "best"), choice("1", "ideal")]);
        let expected = [
            Fault::UnknownItem { answer: 0 },
            Fault::UnknownOption { answer: 1 },
            Fault::Unanswered { item_id: "2".to_owned() },
        ];
        assert_eq!(found, expected);
    }
}
