//! The rules of a course, as given, when, then.

use super::*;
use crate::domain::given::{ADA, BOB, ada_as, euro, given, nobody, signed_in};
use events::category::CategoryEvent;
use uuid::Uuid;

const LAW: CategoryId = CategoryId::new(Uuid::from_u128(1));

fn details() -> CourseDetails {
    CourseDetails {
        title: "Contracts".to_owned(),
        description: Some("Offer and acceptance".to_owned()),
        price: Some(euro(4999)),
        category_id: Some(LAW),
        thumbnail_url: None,
    }
}

fn law() -> Category {
    given([CategoryEvent::Created { name: "Law".to_owned(), description: None }])
}

fn lesson(number: u128) -> NewLesson {
    NewLesson {
        lesson_id: LessonId::new(Uuid::from_u128(number)),
        title: "Offer".to_owned(),
        content_type: ContentType::Text,
        content: Some("An offer is …".to_owned()),
        url: None,
        preview: false,
    }
}

fn created() -> CourseEvent {
    CourseEvent::Created { owner_id: ADA, details: details() }
}

fn lesson_added(number: usize) -> CourseEvent {
    let before = Course { lessons: vec![LessonId::new(Uuid::nil()); number - 1], ..Course::default() };
    CourseEvent::LessonAdded { lesson: lesson(number as u128).at_end_of(&before) }
}

fn draft() -> Course {
    given([created(), lesson_added(1)])
}

fn published() -> Course {
    given([created(), lesson_added(1), CourseEvent::Published {}])
}

fn archived() -> Course {
    given([created(), lesson_added(1), CourseEvent::Archived {}])
}

fn change(changes: Changes) -> Command {
    Command::Change { changes, category: None }
}

fn rename() -> Command {
    change(Changes { title: Some("Torts".to_owned()), ..Changes::default() })
}

#[test]
fn instructors_and_admins_make_courses_of_their_own() {
    for role in [Role::Instructor, Role::Admin, Role::Superadmin] {
        let command = Command::Create { details: details(), category: Some(law()) };
        assert_eq!(decide(&Course::default(), &ada_as(role), command), Ok(vec![created()]), "{role}");
    }
}

#[test]
fn nobody_else_makes_courses() {
    for context in [ada_as(Role::Learner), ada_as(Role::Auditor), nobody()] {
        let command = Command::Create { details: details(), category: Some(law()) };
        assert_eq!(decide(&Course::default(), &context, command), Err(Refusal::NotInstructor));
    }
}

#[test]
fn a_course_names_only_a_category_that_is_there() {
    let missing = Some(Category::default());
    let command = Command::Create { details: details(), category: missing.clone() };
    let refused = decide(&Course::default(), &ada_as(Role::Instructor), command);
    assert_eq!(refused, Err(Refusal::UnknownCategory));

    let elsewhere = Some(Some(CategoryId::new(Uuid::from_u128(2))));
    let changes = Changes { category_id: elsewhere, ..Changes::default() };
    let refused = decide(&draft(), &ada_as(Role::Instructor), Command::Change { changes, category: missing });
    assert_eq!(refused, Err(Refusal::UnknownCategory));
}

#[test]
fn a_course_needs_no_category() {
    let details = CourseDetails { category_id: None, ..details() };
    let command = Command::Create { details: details.clone(), category: None };
    let made = decide(&Course::default(), &ada_as(Role::Instructor), command);
    assert_eq!(made, Ok(vec![CourseEvent::Created { owner_id: ADA, details }]));
}

#[test]
fn a_change_leaves_what_it_does_not_name() {
    let changed = decide(&draft(), &ada_as(Role::Instructor), rename());
    let details = CourseDetails { title: "Torts".to_owned(), ..details() };
    assert_eq!(changed, Ok(vec![CourseEvent::Updated { details }]));
}

#[test]
fn a_change_takes_away_what_it_clears() {
    let clearing = Changes {
        description: Some(None),
        price: Some(None),
        category_id: Some(None),
        thumbnail_url: Some(None),
        ..Changes::default()
    };
    let bare = CourseDetails {
        title: "Contracts".to_owned(),
        description: None,
        price: None,
        category_id: None,
        thumbnail_url: None,
    };
    let changed = decide(&draft(), &ada_as(Role::Instructor), change(clearing));
    assert_eq!(changed, Ok(vec![CourseEvent::Updated { details: bare }]));
}

#[test]
fn a_change_that_changes_nothing_is_no_event() {
    let same = Changes { title: Some("Contracts".to_owned()), price: Some(Some(euro(4999))), ..Changes::default() };
    assert_eq!(decide(&draft(), &ada_as(Role::Instructor), change(same)), Ok(vec![]));
    assert_eq!(decide(&draft(), &ada_as(Role::Instructor), change(Changes::default())), Ok(vec![]));
}

#[test]
fn only_its_owner_or_an_admin_changes_a_course() {
    for command in [rename(), Command::AddLesson(lesson(2))] {
        for context in [signed_in(BOB, Role::Instructor), signed_in(BOB, Role::Learner), nobody()] {
            assert_eq!(decide(&draft(), &context, command.clone()), Err(Refusal::NotOwner));
        }
        for context in [ada_as(Role::Instructor), signed_in(BOB, Role::Admin)] {
            assert_eq!(decide(&draft(), &context, command.clone()).map(|events| events.len()), Ok(1));
        }
    }
}

#[test]
fn a_course_that_is_not_there_is_not_found() {
    for command in [rename(), Command::AddLesson(lesson(1)), Command::Publish, Command::Archive] {
        assert_eq!(decide(&Course::default(), &ada_as(Role::Admin), command), Err(Refusal::NotFound));
    }
}

#[test]
fn an_archived_course_can_no_longer_be_changed() {
    for command in [rename(), Command::AddLesson(lesson(2)), Command::Publish] {
        assert_eq!(decide(&archived(), &ada_as(Role::Admin), command), Err(Refusal::Archived));
    }
}

#[test]
fn a_published_course_can_still_be_changed() {
    for command in [rename(), Command::AddLesson(lesson(2))] {
        assert_eq!(decide(&published(), &ada_as(Role::Instructor), command).map(|events| events.len()), Ok(1));
    }
}

#[test]
fn a_lesson_goes_to_the_end() {
    let added = decide(&draft(), &ada_as(Role::Instructor), Command::AddLesson(lesson(2)));
    assert_eq!(added, Ok(vec![lesson_added(2)]));
    let Ok([CourseEvent::LessonAdded { lesson }]) = added.as_deref() else { panic!("{added:?}") };
    assert_eq!(lesson.order_index, 2);
}

#[test]
fn a_course_holds_no_more_lessons_than_its_bound() {
    let lessons = |count| given::<Course>(std::iter::once(created()).chain((1..=count).map(lesson_added)));
    let last = decide(&lessons(MAX_LESSONS - 1), &ada_as(Role::Instructor), Command::AddLesson(lesson(0)));
    assert_eq!(last.map(|events| events.len()), Ok(1));
    let one_more = decide(&lessons(MAX_LESSONS), &ada_as(Role::Instructor), Command::AddLesson(lesson(0)));
    assert_eq!(one_more, Err(Refusal::Full));
}

#[test]
fn a_text_lesson_has_content_and_no_url() {
    let add = |content: Option<&str>, url: Option<&str>| {
        let (content, url) = (content.map(str::to_owned), url.map(str::to_owned));
        let lesson = NewLesson { content, url, ..lesson(2) };
        decide(&draft(), &ada_as(Role::Instructor), Command::AddLesson(lesson)).map(|events| events.len())
    };
    assert_eq!(add(Some("text"), None), Ok(1));
    assert_eq!(add(None, None), Err(Refusal::ContentMissing));
    assert_eq!(add(Some(" \n"), None), Err(Refusal::ContentMissing));
    assert_eq!(add(Some("text"), Some("https://example.org")), Err(Refusal::UrlNotApplicable));
}

#[test]
fn a_video_or_document_lesson_has_a_url_and_no_content() {
    for kind in [ContentType::Video, ContentType::Pdf] {
        let add = |content: Option<&str>, url: Option<&str>| {
            let (content, url) = (content.map(str::to_owned), url.map(str::to_owned));
            let lesson = NewLesson { content_type: kind, content, url, ..lesson(2) };
            decide(&draft(), &ada_as(Role::Instructor), Command::AddLesson(lesson)).map(|events| events.len())
        };
        assert_eq!(add(None, Some("https://example.org")), Ok(1));
        assert_eq!(add(None, None), Err(Refusal::UrlMissing(kind)));
        assert_eq!(add(Some("text"), Some("https://example.org")), Err(Refusal::ContentNotApplicable(kind)));
    }
}

#[test]
fn an_admin_publishes_a_course_with_a_lesson() {
    assert_eq!(decide(&draft(), &ada_as(Role::Admin), Command::Publish), Ok(vec![CourseEvent::Published {}]));
}

#[test]
fn a_course_without_lessons_is_not_published() {
    let empty = given::<Course>([created()]);
    assert_eq!(decide(&empty, &ada_as(Role::Admin), Command::Publish), Err(Refusal::NoLessons));
}

#[test]
fn a_course_is_published_once() {
    assert_eq!(decide(&published(), &ada_as(Role::Admin), Command::Publish), Err(Refusal::AlreadyPublished));
}

#[test]
fn an_admin_archives_a_draft_or_a_published_course() {
    for course in [draft(), published()] {
        assert_eq!(decide(&course, &ada_as(Role::Admin), Command::Archive), Ok(vec![CourseEvent::Archived {}]));
    }
}

#[test]
fn a_course_is_archived_once() {
    assert_eq!(decide(&archived(), &ada_as(Role::Admin), Command::Archive), Err(Refusal::AlreadyArchived));
}

#[test]
fn only_an_admin_publishes_and_archives_even_for_its_owner() {
    for command in [Command::Publish, Command::Archive] {
        for course in [draft(), Course::default()] {
            let refused = decide(&course, &ada_as(Role::Instructor), command.clone());
            assert_eq!(refused, Err(Refusal::NotAdmin));
        }
    }
}
