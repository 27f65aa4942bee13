//! What happens in an academy: courses and assessments first, then two thousand learners at a time, each of whom
//! registers, logs in, enters courses, pays, learns, is assessed and leaves, while the others do the same.

use chrono::DateTime;
use events::{
    Aggregate, Currency, Event, Money, Personal, Role,
    account::{Account, AccountEvent, Origin},
    assessment::{AnswerOption, Assessment, AssessmentEvent, Definition, Item, Kind},
    auth_session::{AuthSession, AuthSessionEvent, EndReason, SessionScope},
    category::{Category, CategoryEvent},
    course::{ContentType, Course, CourseDetails, CourseEvent, Lesson},
    enrollment::{Basis, Enrollment, EnrollmentEvent},
    ids::{
        AccountId, AssessmentId, AttemptsId, AuthSessionId, CategoryId, CourseId, EnrollmentId, LessonId, PaymentId,
        SubmissionId,
    },
    payment::{Payment, PaymentEvent, Provider},
    submission::{Answer, Attempts, Response, Scored, SubmissionEvent},
};
use std::collections::VecDeque;
use uuid::Uuid;

const CATEGORIES: u64 = 20;
const COURSES: u64 = 500;
const LESSONS: u64 = 8;
/// Learners who are there at the same time.
const PRESENT: usize = 2_000;

/// One event on its way to the log.
pub struct Happening {
    pub stream_type: &'static str,
    pub stream_id: Uuid,
    pub event: Event,
    pub actor: AccountId,
    /// A person who needs a key before this can be sealed.
    pub new_person: Option<AccountId>,
}

/// Everything that happens, in order, up to a number of events.
pub struct Academy {
    left: usize,
    random: u64,
    learners: u64,
    beginning: VecDeque<Happening>,
    present: Vec<VecDeque<Happening>>,
}

impl Academy {
    pub fn new(events: usize) -> Self {
        let mut academy =
            Self { left: events, random: 1, learners: 0, beginning: VecDeque::new(), present: Vec::new() };
        academy.beginning = beginning();
        academy
    }

    /// The next number of a sequence that is always the same (Knuth's MMIX).
    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn next_of_a_learner(&mut self) -> Option<Happening> {
        if self.present.len() < PRESENT {
            self.learners += 1;
            let choices = [0; 3].map(|_| self.random(COURSES));
            self.present.push(life(self.learners, choices));
        }
        let one = self.random(self.present.len() as u64);
        let one = usize::try_from(one).ok()?;
        let next = self.present[one].pop_front();
        if self.present[one].is_empty() {
            self.present.swap_remove(one);
        }
        next
    }
}

impl Iterator for Academy {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        self.left = self.left.checked_sub(1)?;
        self.beginning.pop_front().or_else(|| self.next_of_a_learner())
    }
}

fn id(kind: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(0x0197_0000_0000_7000 | kind << 24, 0x8000_0000_0000_0000 | number)
}

fn instructor(number: u64) -> AccountId {
    AccountId::new(id(1, number % 50))
}

fn of<A: Aggregate>(stream_id: impl Into<Uuid>, actor: AccountId, event: impl Into<Event>) -> Happening {
    let (stream_type, stream_id, event) = (A::STREAM_TYPE, stream_id.into(), event.into());
    Happening { stream_type, stream_id, event, actor, new_person: None }
}

fn registered(person: AccountId, number: u64, role: Role) -> Happening {
    let personal = |text: String| Personal::new(person, text);
    let event = AccountEvent::Registered {
        account_id: person,
        email: personal(format!("person{number}@example.org")),
        username: None,
        role,
        first_name: personal(format!("Ada{number}")),
        last_name: personal("Lovelace".to_owned()),
        origin: Origin::SelfRegistration,
        portal_access: true,
        address: Some(personal("192.0.2.1".to_owned())),
        agent: Some(personal("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned())),
    };
    Happening { new_person: Some(person), ..of::<Account>(person, person, event) }
}

fn beginning() -> VecDeque<Happening> {
    let mut all: VecDeque<_> = (0..50).map(|number| registered(instructor(number), number, Role::Instructor)).collect();
    for number in 0..CATEGORIES {
        let event = CategoryEvent::Created { name: format!("Category {number}"), description: None };
        all.push_back(of::<Category>(id(2, number), instructor(0), event));
    }
    for number in 0..COURSES {
        let (course, owner_id) = (CourseId::new(id(3, number)), instructor(number));
        let details = CourseDetails {
            title: format!("Bookkeeping {number}"),
            description: Some("Debit and credit, from the first entry to the closing of the books.".to_owned()),
            price: number.is_multiple_of(2).then_some(Money { amount_minor: 4_999, currency: Currency::EUR }),
            category_id: Some(CategoryId::new(id(2, number % CATEGORIES))),
            thumbnail_url: None,
        };
        all.push_back(of::<Course>(course, owner_id, CourseEvent::Created { owner_id, details }));
        for lesson in 0..LESSONS {
            all.push_back(of::<Course>(
                course,
                owner_id,
                CourseEvent::LessonAdded { lesson: self::lesson(number, lesson) },
            ));
        }
        all.push_back(of::<Course>(course, owner_id, CourseEvent::Published {}));
        let event = AssessmentEvent::Created { author_id: owner_id, course_id: Some(course), definition: definition() };
        all.push_back(of::<Assessment>(id(4, number), owner_id, event));
    }
    all
}

fn lesson_id(course: u64, lesson: u64) -> LessonId {
    LessonId::new(id(5, course << 8 | lesson))
}

fn lesson(course: u64, lesson: u64) -> Lesson {
    Lesson {
        lesson_id: lesson_id(course, lesson),
        title: format!("Lesson {lesson}"),
        content_type: ContentType::Text,
        content: Some("Two columns, and what stands in them. ".repeat(10)),
        url: None,
        preview: lesson == 0,
        order_index: u32::try_from(lesson + 1).unwrap_or(u32::MAX),
    }
}

fn definition() -> Definition {
    let option = |id: &str, score| AnswerOption { id: id.to_owned(), text: "Ask before you act".to_owned(), score };
    let item = |number| Item {
        id: format!("q{number}"),
        prompt: "A customer is angry. What now?".to_owned(),
        options: vec![option("a", 2), option("b", 0)],
    };
    Definition {
        title: "First day".to_owned(),
        kind: Kind::Sjt,
        items: (0..5).map(item).collect(),
        pass_percent: Some(60),
        time_limit_seconds: None,
        max_attempts: Some(3),
    }
}

/// All that one learner does, in order: three courses, to different ends.
fn life(number: u64, courses: [u64; 3]) -> VecDeque<Happening> {
    let learner = AccountId::new(id(6, number));
    let mut all = VecDeque::from([registered(learner, number + 1_000, Role::Learner)]);
    for (visit, (course, lessons)) in (0_u64..).zip(courses.into_iter().zip([LESSONS, 3, 1])) {
        let session = AuthSessionId::new(id(7, number << 2 | visit));
        let expires_at = DateTime::from_timestamp(1_900_000_000, 0).unwrap_or_default();
        let started = AuthSessionEvent::Started {
            account_id: learner,
            scope: SessionScope::Full,
            expires_at,
            address: Some(Personal::new(learner, "192.0.2.1".to_owned())),
            agent: Some(Personal::new(learner, "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned())),
        };
        all.push_back(of::<AuthSession>(session, learner, started));
        if courses[..usize::try_from(visit).unwrap_or(0)].contains(&course) {
            continue;
        }
        visit_course(&mut all, learner, number << 2 | visit, course, lessons);
        all.push_back(of::<AuthSession>(session, learner, AuthSessionEvent::Refreshed { expires_at }));
        all.push_back(of::<AuthSession>(session, learner, AuthSessionEvent::Ended { reason: EndReason::LoggedOut }));
    }
    all
}

fn visit_course(all: &mut VecDeque<Happening>, learner_id: AccountId, visit: u64, number: u64, lessons: u64) {
    let course_id = CourseId::new(id(3, number));
    let enrollment_id = EnrollmentId::of(learner_id, course_id);
    let payment_id = PaymentId::new(id(8, visit));
    let is_paid = number.is_multiple_of(2);
    if is_paid {
        let captured = PaymentEvent::Captured {
            learner_id,
            course_id,
            enrollment_id,
            amount: Money { amount_minor: 4_999, currency: Currency::EUR },
            transaction_id: format!("TXN-{visit:012X}"),
            provider: Provider::Dummy,
        };
        all.push_back(of::<Payment>(payment_id, learner_id, captured));
    }
    let basis = if is_paid { Basis::Payment { payment_id } } else { Basis::Free };
    let enrolled = EnrollmentEvent::Enrolled { learner_id, course_id, basis };
    all.push_back(of::<Enrollment>(enrollment_id, learner_id, enrolled));
    for lesson in 0..lessons {
        let progress_percent = u8::try_from((lesson + 1) * 100 / LESSONS).unwrap_or(100);
        let lesson_id = lesson_id(number, lesson);
        let completed = EnrollmentEvent::LessonCompleted { learner_id, course_id, lesson_id, progress_percent };
        all.push_back(of::<Enrollment>(enrollment_id, learner_id, completed));
    }
    if lessons == LESSONS {
        let completed = EnrollmentEvent::Completed { learner_id, course_id };
        all.push_back(of::<Enrollment>(enrollment_id, learner_id, completed));
    }
    let assessment_id = AssessmentId::new(id(4, number));
    for attempt in 1..=2 {
        let answer = |item| Answer { item_id: format!("q{item}"), response: Response::OptionId("a".to_owned()) };
        let submitted = SubmissionEvent::Submitted {
            submission_id: SubmissionId::new(id(9, visit << 2 | u64::from(attempt))),
            assessment_id,
            course_id: Some(course_id),
            learner_id,
            attempt,
            answers: (0..5).map(answer).collect(),
            banked: false,
            result: Some(Scored { score: i64::from(attempt), max_score: 2, passed: Some(attempt == 2) }),
        };
        all.push_back(of::<Attempts>(AttemptsId::of(learner_id, assessment_id), learner_id, submitted));
    }
}
