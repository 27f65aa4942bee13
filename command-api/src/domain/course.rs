//! A course from draft to archive: its owner and the admins shape it, an admin publishes and archives it.

use crate::execute::Context;
use events::{
    Money, Role,
    category::Category,
    course::{ContentType, Course, CourseDetails, CourseEvent, CourseStatus, Lesson},
    ids::{AccountId, CategoryId, LessonId},
};

/// A course holds no more lessons than this, so that its state and its outline stay small.
pub const MAX_LESSONS: usize = 500;

/// What can be asked of a course.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Make a course, as a draft of the caller's own.
    Create {
        /// What it says of itself.
        details: CourseDetails,
        /// The category that the details name, as its events leave it.
        category: Option<Category>,
    },
    /// Change what it says of itself.
    Change {
        /// What is to be different.
        changes: Changes,
        /// The category that the changes name, as its events leave it.
        category: Option<Category>,
    },
    /// Add a lesson at the end.
    AddLesson(NewLesson),
    /// Let it be found and taken.
    Publish,
    /// Withdraw it; those in it keep it.
    Archive,
}

/// What is to be different: `None` leaves a detail as it is, `Some(None)` takes it away.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Title.
    pub title: Option<String>,
    /// What it teaches.
    pub description: Option<Option<String>>,
    /// What it costs.
    pub price: Option<Option<Money>>,
    /// Where it is found.
    pub category_id: Option<Option<CategoryId>>,
    /// Where a picture is.
    pub thumbnail_url: Option<Option<String>>,
}

/// A lesson to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLesson {
    /// Its id, newly drawn.
    pub lesson_id: LessonId,
    /// Title.
    pub title: String,
    /// What it is made of.
    pub content_type: ContentType,
    /// The text of a `text` lesson.
    pub content: Option<String>,
    /// Where the video or document is.
    pub url: Option<String>,
    /// Whether anyone may see its content.
    pub preview: bool,
}

/// Why a course stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such course.
    #[error("there is no such course")]
    NotFound,
    /// The caller's role makes no courses.
    #[error("only instructors and admins make courses")]
    NotInstructor,
    /// It is somebody else's.
    #[error("only the course's owner or an admin changes it")]
    NotOwner,
    /// The caller does not run the tenant.
    #[error("only an admin publishes or archives courses")]
    NotAdmin,
    /// The category is not there.
    #[error("there is no such category")]
    UnknownCategory,
    /// It was withdrawn.
    #[error("the course is archived: it can no longer be changed or published")]
    Archived,
    /// It was published before.
    #[error("the course is already published")]
    AlreadyPublished,
    /// It was archived before.
    #[error("the course is already archived")]
    AlreadyArchived,
    /// There is nothing to learn in it yet.
    #[error("a course needs a lesson before it can be published")]
    NoLessons,
    /// It can hold no more lessons.
    #[error("a course holds at most {MAX_LESSONS} lessons")]
    Full,
    /// A lesson of text has no text.
    #[error("a text lesson needs content")]
    ContentMissing,
    /// A lesson that is elsewhere does not say where.
    #[error("a {} lesson needs a url", .0.as_str())]
    UrlMissing(ContentType),
    /// A lesson that is elsewhere has a text.
    #[error("only a text lesson has content, not a {} lesson", .0.as_str())]
    ContentNotApplicable(ContentType),
    /// A lesson of text says that it is elsewhere.
    #[error("a text lesson has content, not a url")]
    UrlNotApplicable,
}

/// Decides what becomes of a course; one that is to be made has the default state.
pub fn decide(course: &Course, context: &Context, command: Command) -> Result<Vec<CourseEvent>, Refusal> {
    match command {
        Command::Create { details, category } => {
            let owner_id = find_author(context).ok_or(Refusal::NotInstructor)?;
            ensure_known(details.category_id, category.as_ref())?;
            Ok(vec![CourseEvent::Created { owner_id, details }])
        }
        Command::Change { changes, category } => {
            let current = open_for_change(course, context)?;
            ensure_known(changes.category_id.flatten(), category.as_ref())?;
            let details = changes.apply_to(current.clone());
            Ok(if details == *current { vec![] } else { vec![CourseEvent::Updated { details }] })
        }
        Command::AddLesson(lesson) => {
            open_for_change(course, context)?;
            ensure_fits(&lesson)?;
            if course.lessons.len() >= MAX_LESSONS {
                return Err(Refusal::Full);
            }
            Ok(vec![CourseEvent::LessonAdded { lesson: lesson.at_end_of(course) }])
        }
        Command::Publish => {
            ensure_admin_of(course, context)?;
            match course.status {
                CourseStatus::Archived => Err(Refusal::Archived),
                CourseStatus::Published => Err(Refusal::AlreadyPublished),
                CourseStatus::Draft if course.lessons.is_empty() => Err(Refusal::NoLessons),
                CourseStatus::Draft => Ok(vec![CourseEvent::Published {}]),
            }
        }
        Command::Archive => {
            ensure_admin_of(course, context)?;
            match course.status {
                CourseStatus::Archived => Err(Refusal::AlreadyArchived),
                CourseStatus::Draft | CourseStatus::Published => Ok(vec![CourseEvent::Archived {}]),
            }
        }
    }
}

/// Whether the caller owns the course or runs its tenant.
pub fn may_change(course: &Course, context: &Context) -> bool {
    context.actor.as_ref().is_some_and(|actor| actor.role.administers() || course.owner_id == Some(actor.account_id))
}

/// The caller, where their role makes courses and assessments.
pub(super) fn find_author(context: &Context) -> Option<AccountId> {
    let actor = context.actor.as_ref()?;
    (actor.role == Role::Instructor || actor.role.administers()).then_some(actor.account_id)
}

fn open_for_change<'a>(course: &'a Course, context: &Context) -> Result<&'a CourseDetails, Refusal> {
    let details = course.details.as_ref().ok_or(Refusal::NotFound)?;
    if !may_change(course, context) {
        return Err(Refusal::NotOwner);
    }
    if course.status == CourseStatus::Archived {
        return Err(Refusal::Archived);
    }
    Ok(details)
}

fn ensure_admin_of(course: &Course, context: &Context) -> Result<(), Refusal> {
    if !context.actor.as_ref().is_some_and(|actor| actor.role.administers()) {
        return Err(Refusal::NotAdmin);
    }
    course.details.as_ref().map(|_| ()).ok_or(Refusal::NotFound)
}

fn ensure_known(category_id: Option<CategoryId>, category: Option<&Category>) -> Result<(), Refusal> {
    let known = category.is_some_and(|category| category.name.is_some());
    if category_id.is_none() || known { Ok(()) } else { Err(Refusal::UnknownCategory) }
}

fn ensure_fits(lesson: &NewLesson) -> Result<(), Refusal> {
    let kind = lesson.content_type;
    let has_content = lesson.content.as_ref().is_some_and(|content| !content.trim().is_empty());
    match kind {
        ContentType::Text if !has_content => Err(Refusal::ContentMissing),
        ContentType::Text if lesson.url.is_some() => Err(Refusal::UrlNotApplicable),
        ContentType::Video | ContentType::Pdf if lesson.url.is_none() => Err(Refusal::UrlMissing(kind)),
        ContentType::Video | ContentType::Pdf if lesson.content.is_some() => Err(Refusal::ContentNotApplicable(kind)),
        ContentType::Text | ContentType::Video | ContentType::Pdf => Ok(()),
    }
}

impl Changes {
    fn apply_to(self, details: CourseDetails) -> CourseDetails {
        CourseDetails {
            title: self.title.unwrap_or(details.title),
            description: self.description.unwrap_or(details.description),
            price: self.price.unwrap_or(details.price),
            category_id: self.category_id.unwrap_or(details.category_id),
            thumbnail_url: self.thumbnail_url.unwrap_or(details.thumbnail_url),
        }
    }
}

impl NewLesson {
    fn at_end_of(self, course: &Course) -> Lesson {
        let Self { lesson_id, title, content_type, content, url, preview } = self;
        // Never cut short: a course holds at most MAX_LESSONS.
        let order_index = u32::try_from(course.lessons.len() + 1).unwrap_or(u32::MAX);
        Lesson { lesson_id, title, content_type, content, url, preview, order_index }
    }
}

#[cfg(test)]
mod tests;
