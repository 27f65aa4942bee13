//! What must hold after any sequence of learning commands, whatever their order and outcome.

use super::{
    enrollment, given,
    payment::{self, Pay},
    submission::{self, Submit},
};
use crate::execute::Context;
use events::{
    Aggregate, Role,
    assessment::{AnswerOption, Assessment, AssessmentEvent, Definition, Item, Kind},
    course::{ContentType, Course, CourseDetails, CourseEvent, Lesson},
    enrollment::{Enrollment, EnrollmentEvent},
    ids::{AccountId, AssessmentId, CourseId, LessonId, PaymentId, SubmissionId},
    submission::{Answer, Attempts, Response},
};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

const LEARNERS: [AccountId; 2] = [given::ADA, given::BOB];
/// A free course and one that costs something.
const COURSES: [CourseId; 2] = [CourseId::new(Uuid::from_u128(1)), CourseId::new(Uuid::from_u128(2))];
const LESSONS: u32 = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Enroll,
    Pay,
    Complete(u32),
}

fn steps() -> impl Strategy<Value = Vec<(usize, usize, Step)>> {
    let step = prop_oneof![
        2 => Just(Step::Enroll),
        2 => Just(Step::Pay),
        // One number more than there are lessons.
        6 => (1..=LESSONS + 1).prop_map(Step::Complete),
    ];
    prop::collection::vec((0..LEARNERS.len(), 0..COURSES.len(), step), 0..60)
}

fn lesson_id(number: u32) -> LessonId {
    LessonId::new(Uuid::from_u128(number.into()))
}

fn course(index: usize) -> Course {
    let details = CourseDetails {
        title: "Contracts".to_owned(),
        description: None,
        price: (index == 1).then(|| given::euro(4999)),
        category_id: None,
        thumbnail_url: None,
    };
    let lesson = |number| Lesson {
        lesson_id: lesson_id(number),
        title: "Offer".to_owned(),
        content_type: ContentType::Text,
        content: Some("An offer is …".to_owned()),
        url: None,
        preview: false,
        order_index: number,
    };
    let created = CourseEvent::Created { owner_id: AccountId::new(Uuid::nil()), details };
    let added = (1..=LESSONS).map(|number| CourseEvent::LessonAdded { lesson: lesson(number) });
    given::given(std::iter::once(created).chain(added).chain([CourseEvent::Published {}]))
}

/// What one step adds to the learner's enrolment; nothing where it is refused.
fn take(step: Step, enrollment: &Enrollment, course: &Course, id: CourseId, context: &Context) -> Vec<EnrollmentEvent> {
    let decide = |command| enrollment::decide(enrollment, course, context, command).unwrap_or_default();
    match step {
        Step::Enroll => decide(enrollment::Command::Enroll { course_id: id }),
        Step::Complete(number) => decide(enrollment::Command::CompleteLesson { lesson_id: lesson_id(number) }),
        Step::Pay => {
            let payment_id = PaymentId::new(Uuid::nil());
            let transaction_id = "TXN-0123456789AB".to_owned();
            let command = Pay { payment_id, transaction_id, course_id: id, amount: None };
            payment::decide(course, enrollment, context, command).map(|paid| vec![paid.enrollment]).unwrap_or_default()
        }
    }
}

fn of_one_item(max_attempts: Option<u32>) -> Assessment {
    let option = |id: &str, score| AnswerOption { id: id.to_owned(), text: "Ask first".to_owned(), score };
    let options = vec![option("best", 1), option("bad", 0)];
    let items = vec![Item { id: "1".to_owned(), prompt: "What do you do?".to_owned(), options }];
    let (title, kind) = ("At the counter".to_owned(), Kind::Sjt);
    let definition = Definition { title, kind, items, pass_percent: Some(50), time_limit_seconds: None, max_attempts };
    given::given([AssessmentEvent::Created { author_id: given::BOB, course_id: None, definition }])
}

fn entrances(history: &[EnrollmentEvent]) -> usize {
    history.iter().filter(|event| matches!(event, EnrollmentEvent::Enrolled { .. })).count()
}

fn completions(history: &[EnrollmentEvent]) -> usize {
    history.iter().filter(|event| matches!(event, EnrollmentEvent::Completed { .. })).count()
}

fn progress_over_time(history: &[EnrollmentEvent]) -> Vec<u8> {
    let percent = |event: &EnrollmentEvent| match event {
        EnrollmentEvent::LessonCompleted { progress_percent, .. } => Some(*progress_percent),
        EnrollmentEvent::Enrolled { .. } | EnrollmentEvent::Completed { .. } | EnrollmentEvent::Withdrawn { .. } => {
            None
        }
    };
    history.iter().filter_map(percent).collect()
}

proptest! {
    #[test]
    fn a_learner_enters_a_course_once_and_finishes_it_with_its_last_lesson(steps in steps()) {
        let courses = [course(0), course(1)];
        let mut histories: HashMap<(usize, usize), (Enrollment, Vec<EnrollmentEvent>)> = HashMap::new();
        for (who, which, step) in steps {
            let (enrollment, history) = histories.entry((who, which)).or_default();
            let context = given::signed_in(LEARNERS[who], Role::Learner);
            for event in take(step, enrollment, &courses[which], COURSES[which], &context) {
                enrollment.evolve(&event);
                history.push(event);
            }
            let progress = enrollment::progress(enrollment, &courses[which]);
            prop_assert!(progress.percent <= 100);
            prop_assert_eq!(progress.completed, progress.percent == 100);
            let all: BTreeSet<LessonId> = courses[which].lessons.iter().copied().collect();
            prop_assert_eq!(progress.completed, enrollment.completed_lessons == all);
        }
        for (_, history) in histories.values() {
            prop_assert_eq!(entrances(history), usize::from(!history.is_empty()));
            prop_assert!(completions(history) <= 1);
            let percents = progress_over_time(history);
            prop_assert!(percents.is_sorted() && percents.len() <= LESSONS as usize);
        }
    }

    #[test]
    fn attempts_never_exceed_their_limit(max_attempts in prop::option::of(1..8_u32), tries in 0..20_u32) {
        let assessment = of_one_item(max_attempts);
        let mut attempts = Attempts::default();
        for number in 0..tries {
            let option_id = if number % 3 == 0 { "unknown" } else { "best" };
            let answers =
                vec![Answer { item_id: "1".to_owned(), response: Response::OptionId(option_id.to_owned()) }];
            let submission_id = SubmissionId::new(Uuid::from_u128(number.into()));
            let command = Submit { submission_id, assessment_id: AssessmentId::new(Uuid::nil()), answers };
            let context = given::ada_as(Role::Learner);
            for event in submission::decide(&attempts, &assessment, None, &context, command).unwrap_or_default() {
                attempts.evolve(&event);
            }
        }
        let valid = (0..tries).filter(|number| number % 3 != 0).count();
        prop_assert_eq!(attempts.count as usize, max_attempts.map_or(valid, |max| valid.min(max as usize)));
    }
}
