//! A learner enters a free course, finishes its lessons, and so the course. Entering a course that costs something is
//! `payment`'s.

use crate::execute::Context;
use events::{
    Money,
    course::{Course, CourseStatus},
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{CourseId, LessonId},
};

/// What can be asked of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Enter the course.
    Enroll {
        /// Which.
        course_id: CourseId,
    },
    /// Finish a lesson. Finishing it again changes nothing.
    CompleteLesson {
        /// Which.
        lesson_id: LessonId,
    },
}

/// Why an enrolment stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody in particular asks.
    #[error("sign in to take courses")]
    NotSignedIn,
    /// There is no such course.
    #[error("there is no such course")]
    CourseNotFound,
    /// The course is not open to learners.
    #[error("the course is not published")]
    CourseNotPublished,
    /// The course costs something.
    #[error("the course costs {price}: pay for it, and you are enrolled")]
    PaymentRequired {
        /// How much.
        price: Money,
    },
    /// The learner is in the course.
    #[error("you are already enrolled in this course")]
    AlreadyEnrolled,
    /// There is no such enrolment, or it is somebody else's.
    #[error("there is no such enrolment")]
    NotFound,
    /// The course has no such lesson.
    #[error("the course has no such lesson")]
    LessonNotFound,
}

/// How far a learner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Share of the course's lessons finished: 0 to 100, rounded down.
    pub percent: u8,
    /// Whether the course was finished. It stays so when the course grows.
    pub completed: bool,
}

/// Decides what becomes of the caller's enrolment in `course`.
pub fn decide(
    enrollment: &Enrollment,
    course: &Course,
    context: &Context,
    command: Command,
) -> Result<Vec<EnrollmentEvent>, Refusal> {
    let learner_id = context.actor.as_ref().map(|actor| actor.account_id).ok_or(Refusal::NotSignedIn)?;
    match command {
        Command::Enroll { course_id } => {
            if course.details.is_none() {
                return Err(Refusal::CourseNotFound);
            }
            if enrollment.is_enrolled() {
                return Err(Refusal::AlreadyEnrolled);
            }
            if course.status != CourseStatus::Published {
                return Err(Refusal::CourseNotPublished);
            }
            let basis = match (enrollment.basis, course.price()) {
                // Whoever paid and left comes back without paying again.
                (Some(paid @ Basis::Payment { .. }), _) => paid,
                (_, Some(price)) => return Err(Refusal::PaymentRequired { price }),
                (_, None) => Basis::Free,
            };
            Ok(vec![EnrollmentEvent::Enrolled { learner_id, course_id, basis }])
        }
        Command::CompleteLesson { lesson_id } => {
            let is_own = enrollment.is_enrolled() && enrollment.learner_id == Some(learner_id);
            let course_id = enrollment.course_id.filter(|_| is_own).ok_or(Refusal::NotFound)?;
            if !course.lessons.contains(&lesson_id) {
                return Err(Refusal::LessonNotFound);
            }
            if enrollment.completed_lessons.contains(&lesson_id) {
                return Ok(vec![]);
            }
            let is_done = |lesson: &LessonId| *lesson == lesson_id || enrollment.completed_lessons.contains(lesson);
            let progress_percent = percent_done(course, is_done);
            let mut events =
                vec![EnrollmentEvent::LessonCompleted { learner_id, course_id, lesson_id, progress_percent }];
            if progress_percent == 100 && !enrollment.is_completed {
                events.push(EnrollmentEvent::Completed { learner_id, course_id });
            }
            Ok(events)
        }
    }
}

/// How far the learner is in the course as it now stands.
pub fn progress(enrollment: &Enrollment, course: &Course) -> Progress {
    let percent = percent_done(course, |lesson| enrollment.completed_lessons.contains(lesson));
    Progress { percent, completed: enrollment.is_completed }
}

fn percent_done(course: &Course, is_done: impl Fn(&LessonId) -> bool) -> u8 {
    let done = course.lessons.iter().filter(|lesson| is_done(lesson)).count();
    // A course without lessons has none to finish.
    let percent = (done * 100).checked_div(course.lessons.len()).unwrap_or(0);
    u8::try_from(percent).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ADA, BOB, ada_as, euro, given, nobody, signed_in};
    use events::{
        Role,
        course::{ContentType, CourseDetails, CourseEvent, Lesson},
        ids::PaymentId,
    };
    use uuid::Uuid;

    const COURSE: CourseId = CourseId::new(Uuid::from_u128(9));
    const ENROLL: Command = Command::Enroll { course_id: COURSE };
    const ENROLLED: EnrollmentEvent =
        EnrollmentEvent::Enrolled { learner_id: ADA, course_id: COURSE, basis: Basis::Free };

    fn draft(price: Option<Money>, lessons: u32) -> Vec<CourseEvent> {
        let details = CourseDetails {
            title: "Contracts".to_owned(),
            description: None,
            price,
            category_id: None,
            thumbnail_url: None,
        };
        let lesson = |number| Lesson {
            lesson_id: lesson(number),
            title: "Offer".to_owned(),
            content_type: ContentType::Text,
            content: Some("An offer is …".to_owned()),
            url: None,
            preview: false,
            order_index: number,
        };
        let created = CourseEvent::Created { owner_id: BOB, details };
        let added = (1..=lessons).map(|number| CourseEvent::LessonAdded { lesson: lesson(number) });
        std::iter::once(created).chain(added).collect()
    }

    fn published(lessons: u32) -> Course {
        given(draft(None, lessons).into_iter().chain([CourseEvent::Published {}]))
    }

    fn lesson(number: u32) -> LessonId {
        LessonId::new(Uuid::from_u128(number.into()))
    }

    fn complete(number: u32) -> Command {
        Command::CompleteLesson { lesson_id: lesson(number) }
    }

    fn lesson_completed(number: u32, progress_percent: u8) -> EnrollmentEvent {
        let lesson_id = lesson(number);
        EnrollmentEvent::LessonCompleted { learner_id: ADA, course_id: COURSE, lesson_id, progress_percent }
    }

    fn completed() -> EnrollmentEvent {
        EnrollmentEvent::Completed { learner_id: ADA, course_id: COURSE }
    }

    #[test]
    fn whoever_is_signed_in_enters_a_free_course() {
        for role in [Role::Learner, Role::Instructor, Role::Auditor, Role::Admin, Role::Superadmin] {
            let entered = decide(&Enrollment::default(), &published(1), &ada_as(role), ENROLL);
            assert_eq!(entered, Ok(vec![ENROLLED]), "{role}");
        }
        let refused = decide(&Enrollment::default(), &published(1), &nobody(), ENROLL);
        assert_eq!(refused, Err(Refusal::NotSignedIn));
    }

    #[test]
    fn whoever_left_may_come_again_and_does_nothing_in_the_course_before() {
        let withdrawn = EnrollmentEvent::Withdrawn { learner_id: ADA, course_id: COURSE };
        let left: Enrollment = given([ENROLLED, withdrawn]);
        let refused = decide(&left, &published(1), &ada_as(Role::Learner), complete(1));
        assert_eq!(refused, Err(Refusal::NotFound));
        let entered = decide(&left, &published(1), &ada_as(Role::Learner), ENROLL);
        assert_eq!(entered, Ok(vec![ENROLLED]));
    }

    #[test]
    fn whoever_paid_and_left_comes_back_without_paying_again() {
        let course = given(draft(Some(euro(4999)), 1).into_iter().chain([CourseEvent::Published {}]));
        let basis = Basis::Payment { payment_id: PaymentId::new(Uuid::from_u128(8)) };
        let paid = EnrollmentEvent::Enrolled { learner_id: ADA, course_id: COURSE, basis };
        let left = given([paid.clone(), EnrollmentEvent::Withdrawn { learner_id: ADA, course_id: COURSE }]);
        assert_eq!(decide(&left, &course, &ada_as(Role::Learner), ENROLL), Ok(vec![paid]));
    }

    #[test]
    fn a_price_of_nothing_is_free() {
        let course = given(draft(Some(euro(0)), 1).into_iter().chain([CourseEvent::Published {}]));
        assert_eq!(decide(&Enrollment::default(), &course, &ada_as(Role::Learner), ENROLL), Ok(vec![ENROLLED]));
    }

    #[test]
    fn a_paid_course_cannot_be_entered_without_payment() {
        let course = given(draft(Some(euro(4999)), 1).into_iter().chain([CourseEvent::Published {}]));
        let refused = decide(&Enrollment::default(), &course, &ada_as(Role::Learner), ENROLL);
        assert_eq!(refused, Err(Refusal::PaymentRequired { price: euro(4999) }));
    }

    #[test]
    fn only_a_published_course_can_be_entered() {
        let archived = draft(None, 1).into_iter().chain([CourseEvent::Published {}, CourseEvent::Archived {}]);
        for course in [given(draft(None, 1)), given(archived)] {
            let refused = decide(&Enrollment::default(), &course, &ada_as(Role::Learner), ENROLL);
            assert_eq!(refused, Err(Refusal::CourseNotPublished));
        }
    }

    #[test]
    fn a_course_that_is_not_there_cannot_be_entered() {
        let refused = decide(&Enrollment::default(), &Course::default(), &ada_as(Role::Learner), ENROLL);
        assert_eq!(refused, Err(Refusal::CourseNotFound));
    }

    #[test]
    fn a_course_is_entered_once() {
        let refused = decide(&given([ENROLLED]), &published(1), &ada_as(Role::Learner), ENROLL);
        assert_eq!(refused, Err(Refusal::AlreadyEnrolled));
    }

    #[test]
    fn a_finished_lesson_moves_progress_rounded_down() {
        let finished = decide(&given([ENROLLED]), &published(3), &ada_as(Role::Learner), complete(2));
        assert_eq!(finished, Ok(vec![lesson_completed(2, 33)]));
        let enrollment = given([ENROLLED, lesson_completed(2, 33)]);
        assert_eq!(progress(&enrollment, &published(3)), Progress { percent: 33, completed: false });
    }

    #[test]
    fn the_last_lesson_finishes_the_course() {
        let enrollment = given([ENROLLED, lesson_completed(2, 50)]);
        let finished = decide(&enrollment, &published(2), &ada_as(Role::Learner), complete(1));
        assert_eq!(finished, Ok(vec![lesson_completed(1, 100), completed()]));
    }

    #[test]
    fn a_lesson_finished_twice_is_no_event() {
        let enrollment = given([ENROLLED, lesson_completed(1, 100), completed()]);
        assert_eq!(decide(&enrollment, &published(1), &ada_as(Role::Learner), complete(1)), Ok(vec![]));
    }

    #[test]
    fn a_course_that_grows_after_it_was_finished_stays_finished() {
        let enrollment = given([ENROLLED, lesson_completed(1, 100), completed()]);
        assert_eq!(progress(&enrollment, &published(2)), Progress { percent: 50, completed: true });
        let finished = decide(&enrollment, &published(2), &ada_as(Role::Learner), complete(2));
        assert_eq!(finished, Ok(vec![lesson_completed(2, 100)]));
    }

    #[test]
    fn those_in_an_archived_course_go_on() {
        let archived = given(draft(None, 2).into_iter().chain([CourseEvent::Archived {}]));
        let finished = decide(&given([ENROLLED]), &archived, &ada_as(Role::Learner), complete(1));
        assert_eq!(finished, Ok(vec![lesson_completed(1, 50)]));
    }

    #[test]
    fn an_enrolment_is_known_only_to_its_learner() {
        for context in [signed_in(BOB, Role::Learner), signed_in(BOB, Role::Admin)] {
            let refused = decide(&given([ENROLLED]), &published(1), &context, complete(1));
            assert_eq!(refused, Err(Refusal::NotFound));
        }
        let refused = decide(&Enrollment::default(), &published(1), &ada_as(Role::Learner), complete(1));
        assert_eq!(refused, Err(Refusal::NotFound));
    }

    #[test]
    fn a_lesson_of_another_course_is_not_found() {
        let refused = decide(&given([ENROLLED]), &published(1), &ada_as(Role::Learner), complete(7));
        assert_eq!(refused, Err(Refusal::LessonNotFound));
    }
}
