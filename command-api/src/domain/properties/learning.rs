//! Enrolments and payments, while their courses change under them.

use super::{COURSES, LEARNERS};
use crate::domain::{
    enrollment, given,
    payment::{self, Pay},
};
use events::{
    Aggregate, Money, Role,
    course::{ContentType, Course, CourseDetails, CourseEvent, CourseStatus, Lesson},
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{AccountId, EnrollmentId, LessonId, PaymentId},
    payment::PaymentEvent,
};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

const LESSONS: u32 = 3;
/// More than a course ever has.
const UNKNOWN_LESSON: u32 = 99;

/// What somebody tries.
#[derive(Debug, Clone, Copy)]
enum Step {
    Enroll,
    /// What the payer believes the price to be.
    Pay(Option<i64>),
    Complete(u32),
    /// The course costs so much from now on; nothing makes it free.
    Reprice(Option<i64>),
    AddLesson,
    Archive,
}

fn steps() -> impl Strategy<Value = Vec<(usize, usize, Step)>> {
    let amount = || prop::option::of(prop::sample::select(vec![100_i64, 4_999]));
    let step = prop_oneof![
        6 => Just(Step::Enroll),
        6 => amount().prop_map(Step::Pay),
        18 => (1..=LESSONS + 2).prop_map(Step::Complete),
        1 => Just(Step::Complete(UNKNOWN_LESSON)),
        2 => amount().prop_map(Step::Reprice),
        1 => Just(Step::AddLesson),
        1 => Just(Step::Archive),
    ];
    prop::collection::vec((0..LEARNERS.len(), 0..COURSES.len(), step), 0..80)
}

fn lesson_id(number: u32) -> LessonId {
    LessonId::new(Uuid::from_u128(number.into()))
}

fn lesson_added(number: u32) -> CourseEvent {
    let lesson = Lesson {
        lesson_id: lesson_id(number),
        title: "Offer".to_owned(),
        content_type: ContentType::Text,
        content: Some("An offer is …".to_owned()),
        url: None,
        preview: false,
        order_index: number,
    };
    CourseEvent::LessonAdded { lesson }
}

fn details(price: Option<Money>) -> CourseDetails {
    CourseDetails { title: "Contracts".to_owned(), description: None, price, category_id: None, thumbnail_url: None }
}

/// The first is free; the others cost something.
fn course(index: usize) -> Course {
    let price = (index > 0).then(|| given::euro(4_999));
    let created = CourseEvent::Created { owner_id: AccountId::new(Uuid::nil()), details: details(price) };
    given::given(std::iter::once(created).chain((1..=LESSONS).map(lesson_added)).chain([CourseEvent::Published {}]))
}

fn is_entrance(event: &EnrollmentEvent) -> bool {
    matches!(event, EnrollmentEvent::Enrolled { .. })
}

fn is_open(course: &Course) -> bool {
    course.status == CourseStatus::Published
}

/// One learner in one course: the enrolment, its history, and the payments for it.
#[derive(Debug, Default)]
struct Place {
    enrollment: Enrollment,
    history: Vec<EnrollmentEvent>,
    payments: Vec<(PaymentId, PaymentEvent)>,
}

impl Place {
    fn record(&mut self, events: impl IntoIterator<Item = EnrollmentEvent>) {
        for event in events {
            self.enrollment.evolve(&event);
            self.history.push(event);
        }
    }

    fn count(&self, which: impl Fn(&EnrollmentEvent) -> bool) -> usize {
        self.history.iter().filter(|event| which(event)).count()
    }
}

/// Two learners, three courses, and all that has happened.
struct School {
    courses: Vec<Course>,
    places: HashMap<(usize, usize), Place>,
    /// How many payments were tried: each has an id of its own.
    tried: u128,
}

impl School {
    fn new() -> Self {
        Self { courses: (0..COURSES.len()).map(course).collect(), places: HashMap::new(), tried: 0 }
    }

    fn take(&mut self, who: usize, which: usize, step: Step) -> Result<(), TestCaseError> {
        let context = given::signed_in(LEARNERS[who], Role::Learner);
        let course = &mut self.courses[which];
        let place = self.places.entry((who, which)).or_default();
        let decide = |enrollment: &_, course: &_, command| {
            enrollment::decide(enrollment, course, &context, command).unwrap_or_default()
        };
        match step {
            Step::Enroll => {
                let events =
                    decide(&place.enrollment, course, enrollment::Command::Enroll { course_id: COURSES[which] });
                prop_assert!(events.is_empty() || (course.price().is_none() && is_open(course)));
                place.record(events);
            }
            Step::Complete(number) => {
                let command = enrollment::Command::CompleteLesson { lesson_id: lesson_id(number) };
                let events = decide(&place.enrollment, course, command);
                prop_assert!(events.is_empty() || place.enrollment.is_enrolled());
                place.record(events);
            }
            Step::Pay(believed) => {
                self.tried += 1;
                let payment_id = PaymentId::new(Uuid::from_u128(self.tried));
                let transaction_id = format!("TXN-{:012X}", self.tried);
                let amount = believed.map(given::euro);
                let command = Pay { payment_id, transaction_id, course_id: COURSES[which], amount };
                if let Ok(paid) = payment::decide(course, &place.enrollment, &context, command) {
                    prop_assert!(is_open(course));
                    prop_assert!(amount.is_none() || amount == course.price());
                    let PaymentEvent::Captured { amount, .. } = &paid.payment;
                    prop_assert_eq!(Some(*amount), course.price());
                    place.payments.push((payment_id, paid.payment));
                    place.record([paid.enrollment]);
                }
            }
            Step::Reprice(price) => course.evolve(&CourseEvent::Updated { details: details(price.map(given::euro)) }),
            Step::AddLesson => course.evolve(&lesson_added(u32::try_from(course.lessons.len()).unwrap() + 1)),
            Step::Archive => course.evolve(&CourseEvent::Archived {}),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_learner_enters_a_course_once_and_finishes_it_once(steps in steps()) {
        let mut school = School::new();
        for (who, which, step) in steps {
            school.take(who, which, step)?;
            let place = &school.places[&(who, which)];
            let progress = enrollment::progress(&place.enrollment, &school.courses[which]);
            prop_assert!(progress.percent <= 100);
            // What was finished stays so, though the course grows.
            prop_assert!(progress.completed || progress.percent < 100);
        }
        for place in school.places.values() {
            let entrances = place.count(is_entrance);
            prop_assert_eq!(entrances, usize::from(!place.history.is_empty()), "and nothing comes before it");
            prop_assert!(place.history.first().is_none_or(is_entrance));
            prop_assert!(place.count(|event| matches!(event, EnrollmentEvent::Completed { .. })) <= 1, "twice completed");
            let finished: Vec<LessonId> = place.history.iter().filter_map(|event| match event {
                EnrollmentEvent::LessonCompleted { lesson_id, .. } => Some(*lesson_id),
                _ => None,
            }).collect();
            let distinct: BTreeSet<LessonId> = finished.iter().copied().collect();
            prop_assert_eq!(finished.len(), distinct.len(), "no lesson is finished twice");
            prop_assert_eq!(&distinct, &place.enrollment.completed_lessons);
            prop_assert!(!distinct.contains(&lesson_id(UNKNOWN_LESSON)));
        }
    }

    #[test]
    fn a_course_is_paid_for_once_and_paying_is_entering(steps in steps()) {
        let mut school = School::new();
        for (who, which, step) in steps {
            school.take(who, which, step)?;
        }
        for ((who, which), place) in &school.places {
            prop_assert!(place.payments.len() <= 1);
            let entered_by = match place.enrollment.basis {
                Some(Basis::Payment { payment_id }) => Some(payment_id),
                Some(Basis::Free | Basis::Import) | None => None,
            };
            prop_assert_eq!(entered_by, place.payments.first().map(|(payment_id, _)| *payment_id));
            for (_, PaymentEvent::Captured { learner_id, course_id, enrollment_id, .. }) in &place.payments {
                prop_assert_eq!((*learner_id, *course_id), (LEARNERS[*who], COURSES[*which]));
                prop_assert_eq!(*enrollment_id, EnrollmentId::of(*learner_id, *course_id));
            }
        }
    }
}
