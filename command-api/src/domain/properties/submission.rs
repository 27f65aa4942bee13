//! Attempts at assessments.

use super::{COURSES, LEARNERS};
use crate::domain::{
    given,
    submission::{self, Submit},
};
use events::{
    Aggregate, Role,
    assessment::{AnswerOption, Assessment, AssessmentEvent, Definition, Item, Kind},
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{AssessmentId, SubmissionId},
    submission::{Answer, Attempts, Response, SubmissionEvent},
};
use proptest::prelude::*;
use uuid::Uuid;

/// Points of the best and of the worst option of each of two items.
const SCORES: [(i32, i32); 2] = [(1, 0), (5, -2)];

/// One try: who, and which option of each item they choose; `None` leaves it out.
#[derive(Debug, Clone)]
struct Try {
    who: usize,
    role: Role,
    chosen: [Option<&'static str>; 2],
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let option = || prop::option::weighted(0.95, prop::sample::select(vec!["best", "best", "bad", "bad", "unknown"]));
    let role = prop_oneof![9 => Just(Role::Learner), 1 => Just(Role::Instructor)];
    let one = (0..LEARNERS.len(), role, option(), option());
    prop::collection::vec(one.prop_map(|(who, role, a, b)| Try { who, role, chosen: [a, b] }), 0..40)
}

fn assessment(max_attempts: Option<u32>, is_of_a_course: bool) -> Assessment {
    let item = |(index, (best, bad)): (usize, &(i32, i32))| {
        let option = |id: &str, score| AnswerOption { id: id.to_owned(), text: "Ask first".to_owned(), score };
        let prompt = "What do you do?".to_owned();
        Item { id: index.to_string(), prompt, options: vec![option("best", *best), option("bad", *bad)] }
    };
    let items = SCORES.iter().enumerate().map(item).collect();
    let (title, kind) = ("At the counter".to_owned(), Kind::Sjt);
    let definition = Definition { title, kind, items, pass_percent: Some(50), time_limit_seconds: None, max_attempts };
    let course_id = is_of_a_course.then_some(COURSES[0]);
    given::given([AssessmentEvent::Created { author_id: given::BOB, course_id, definition }])
}

/// The first learner is in the course; nobody else is.
fn enrollment(who: usize) -> Enrollment {
    let enrolled = EnrollmentEvent::Enrolled { learner_id: LEARNERS[who], course_id: COURSES[0], basis: Basis::Free };
    given::given((who == 0).then_some(enrolled))
}

proptest! {
    #[test]
    fn attempts_are_numbered_limited_scored_within_bounds_and_only_by_those_who_may(
        max_attempts in prop::option::of(1..8_u32),
        is_of_a_course: bool,
        tries in tries(),
    ) {
        let assessment = assessment(max_attempts, is_of_a_course);
        let mut attempts = [Attempts::default(), Attempts::default()];
        let mut taken = [0_u32; 2];
        for (number, Try { who, role, chosen }) in tries.into_iter().enumerate() {
            let answers = chosen.into_iter().enumerate().filter_map(|(item, option)| {
                Some(Answer { item_id: item.to_string(), response: Response::OptionId(option?.to_owned()) })
            });
            let command = Submit {
                submission_id: SubmissionId::new(Uuid::from_u128(number as u128)),
                assessment_id: AssessmentId::new(Uuid::nil()),
                answers: answers.collect(),
            };
            let (context, enrollment) = (given::signed_in(LEARNERS[who], role), enrollment(who));
            let decided = submission::decide(&attempts[who], &assessment, Some(&enrollment), &context, command);

            let is_whole = chosen.iter().all(|option| option.is_some_and(|option| option != "unknown"));
            let is_left = max_attempts.is_none_or(|max_attempts| taken[who] < max_attempts);
            let is_admitted = role == Role::Learner && (!is_of_a_course || who == 0);
            prop_assert_eq!(decided.is_ok(), is_whole && is_left && is_admitted, "{:?}", decided);

            for event in decided.unwrap_or_default() {
                taken[who] += 1;
                let SubmissionEvent::Submitted { attempt, learner_id, result, .. } = &event;
                prop_assert_eq!((*attempt, *learner_id), (taken[who], LEARNERS[who]));
                let result = result.unwrap();
                prop_assert_eq!(result.max_score, 6);
                prop_assert!((-2..=6).contains(&result.score));
                prop_assert_eq!(result.passed, Some(result.score * 2 >= result.max_score));
                attempts[who].evolve(&event);
            }
            prop_assert_eq!(attempts[who].count, taken[who]);
        }
    }
}
