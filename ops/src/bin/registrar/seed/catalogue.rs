//! What the academy offers: categories by the admin, courses with lessons and assessments by their instructors,
//! published, and one withdrawn, by the admin.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    AT_ONCE, SeedError,
    academy::{ASSESSMENTS, Assessment, CATEGORIES, COURSES, Category, Content, Course, Fate, Lesson},
    client::Client,
    history::History,
    progress::Stage,
    staff::Staff,
};

/// A course that is there.
#[derive(Debug)]
pub struct Offered {
    /// What it is.
    pub course: &'static Course,
    /// Its id.
    pub id: Uuid,
    /// The ids of its lessons, in their order.
    pub lessons: Vec<Uuid>,
}

/// An assessment that is there.
#[derive(Debug)]
pub struct Asked {
    /// What it is.
    pub assessment: &'static Assessment,
    /// Its id.
    pub id: Uuid,
    /// The id of its course, where it has one.
    pub course_id: Option<Uuid>,
}

/// Makes the courses that are missing, in their categories, and publishes those that are to be.
pub async fn offer(client: &Client, staff: &Staff, history: &History) -> Result<Vec<Offered>, SeedError> {
    let stage = Stage::begin("courses", CATEGORIES.len() + COURSES.len());
    let mut categories = Vec::new();
    for category in CATEGORIES {
        categories.push((category.name, create_category(client, staff, history, category).await?));
        stage.step();
    }
    let offered: Vec<Offered> = stream::iter(&COURSES)
        .map(|course| {
            let category = categories.iter().find(|(name, _)| *name == course.category).map(|(_, id)| *id);
            let stage = &stage;
            async move {
                let offered = create_course(client, staff, history, course, category).await?;
                stage.step();
                Ok::<_, SeedError>(offered)
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let lessons: usize = offered.iter().map(|offered| offered.lessons.len()).sum();
    stage.end(&format!("{} with {lessons} lessons, in {} categories", offered.len(), categories.len()));
    Ok(offered)
}

async fn create_category(
    client: &Client,
    staff: &Staff,
    history: &History,
    category: Category,
) -> Result<Uuid, SeedError> {
    if let Some(id) = history.categories.get(category.name) {
        return Ok(*id);
    }
    let body = json!({ "name": category.name, "description": category.description });
    let key = format!("category:{}", category.name);
    let created = client.ensure(Some(&staff.admin), "/v1/categories", &key, Some(body), &["category-name-taken"]);
    match created.await? {
        Some(done) => Ok(done.id()?),
        // Somebody else has made it, perhaps in another spelling.
        None => find_category(client, staff, category.name).await,
    }
}

async fn find_category(client: &Client, staff: &Staff, name: &str) -> Result<Uuid, SeedError> {
    let list = client.query(&staff.admin, "/v1/categories", &[("limit", "200")]).await?;
    let same = |item: &&Value| item["name"].as_str().is_some_and(|other| other.to_lowercase() == name.to_lowercase());
    let found = list["items"].as_array().and_then(|items| items.iter().find(same));
    let id = found.and_then(|item| item["id"].as_str()).and_then(|id| id.parse().ok());
    id.ok_or_else(|| SeedError::Lost(format!("the category {name:?}")))
}

async fn create_course(
    client: &Client,
    staff: &Staff,
    history: &History,
    course: &'static Course,
    category_id: Option<Uuid>,
) -> Result<Offered, SeedError> {
    let owner = &staff.instructors[course.owner];
    let id = if let Some(id) = history.courses.get(course.title) {
        *id
    } else {
        let mut body = json!({ "title": course.title, "description": course.description, "category_id": category_id });
        if course.price_cents > 0 {
            body["price"] = json!({ "amount_minor": course.price_cents, "currency": "EUR" });
        }
        client.command(Some(owner), "/v1/courses", &format!("course:{}", course.title), Some(body)).await?.id()?
    };
    let mut lessons = Vec::new();
    for lesson in course.lessons {
        lessons.push(if let Some(id) = history.lessons.get(&(id, lesson.title.to_owned())) {
            *id
        } else {
            let (path, key) = (format!("/v1/courses/{id}/lessons"), format!("lesson:{id}:{}", lesson.title));
            client.command(Some(owner), &path, &key, Some(lesson_body(lesson))).await?.id()?
        });
    }
    if course.fate != Fate::Draft && !history.published.contains(&id) {
        let (path, key) = (format!("/v1/courses/{id}/publish"), format!("publish:{id}"));
        client.ensure(Some(&staff.admin), &path, &key, None, &["course-already-published"]).await?;
    }
    Ok(Offered { course, id, lessons })
}

fn lesson_body(lesson: &Lesson) -> Value {
    let (content_type, member, value) = match lesson.content {
        Content::Text(text) => ("text", "content", text),
        Content::Video(url) => ("video", "url", url),
        Content::Pdf(url) => ("pdf", "url", url),
    };
    json!({ "title": lesson.title, "content_type": content_type, member: value, "preview": lesson.preview })
}

/// Makes the assessments that are missing.
pub async fn ask(
    client: &Client,
    staff: &Staff,
    history: &History,
    offered: &[Offered],
) -> Result<Vec<Asked>, SeedError> {
    let stage = Stage::begin("assessments", ASSESSMENTS.len());
    let mut asked = Vec::new();
    for assessment in &ASSESSMENTS {
        let course = offered.iter().find(|offered| Some(offered.course.title) == assessment.course);
        let course_id = course.map(|offered| offered.id);
        let id = if let Some(id) = history.assessments.get(assessment.title) {
            *id
        } else {
            let author = &staff.instructors[assessment.author];
            let (key, body) = (format!("assessment:{}", assessment.title), assessment_body(assessment, course_id));
            client.command(Some(author), "/v1/assessments", &key, Some(body)).await?.id()?
        };
        asked.push(Asked { assessment, id, course_id });
        stage.step();
    }
    stage.end(&asked.len().to_string());
    Ok(asked)
}

fn assessment_body(assessment: &Assessment, course_id: Option<Uuid>) -> Value {
    let items = assessment.items.iter().map(|item| {
        let options = item.options.iter().enumerate();
        let options = options.map(|(at, (text, score))| json!({ "id": option_id(at), "text": text, "score": score }));
        json!({ "id": item.id, "prompt": item.prompt, "options": options.collect::<Vec<_>>() })
    });
    let mut body = json!({
        "title": assessment.title,
        "kind": assessment.kind,
        "items": items.collect::<Vec<_>>(),
    });
    let optional = [
        ("course_id", course_id.map(|id| json!(id))),
        ("pass_percent", assessment.pass_percent.map(Value::from)),
        ("time_limit_seconds", assessment.time_limit_seconds.map(Value::from)),
        ("max_attempts", assessment.max_attempts.map(Value::from)),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            body[member] = value;
        }
    }
    body
}

/// The id of the option at a place: `a`, `b`, `c`, …
pub fn option_id(place: usize) -> String {
    ('a'..='z').nth(place).unwrap_or('z').to_string()
}

/// Withdraws the courses whose time is over.
pub async fn withdraw(client: &Client, staff: &Staff, history: &History, offered: &[Offered]) -> Result<(), SeedError> {
    for Offered { id, .. } in offered.iter().filter(|offered| offered.course.fate == Fate::Archived) {
        if !history.archived.contains(id) {
            let (path, key) = (format!("/v1/courses/{id}/archive"), format!("archive:{id}"));
            client.ensure(Some(&staff.admin), &path, &key, None, &["course-already-archived"]).await?;
        }
    }
    Ok(())
}
