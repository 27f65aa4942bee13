//! Who and what there is to measure with: learners who have registered and signed in as anyone does, published courses
//! that cost something, and assessments. Every pair of a learner and a course is one payment on new streams; every pair
//! of a learner and an assessment one submission.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Error, world::World};
use crate::seed::client::{Client, Session};

/// Courses that can be paid for, and as many assessments.
const OFFERED: usize = 1_500;
/// Courses that can be entered without paying.
const FREE: usize = 100;
/// Commands that set up at once.
const AT_ONCE: usize = 32;
/// The learners' password.
pub const PASSWORD: &str = "bench: a long way to Timbuktu";
const PRICE_MINOR: i64 = 4_999;

/// Everybody and everything.
#[derive(Debug)]
pub struct People {
    tokens: Vec<String>,
    emails: Vec<String>,
    courses: Vec<Uuid>,
    free_courses: Vec<Uuid>,
    assessments: Vec<Uuid>,
    next: AtomicUsize,
    next_enrollment: AtomicUsize,
    run: Uuid,
}

impl People {
    /// Sets all of it up through the command API.
    pub async fn gather(world: &World<'_>, learners: usize) -> Result<Arc<Self>, Error> {
        let client = Client::new(&world.places.command_api, &world.places.query_api);
        let admin = superadmin(world, &client).await?;
        let signed_in: Vec<(String, Session)> =
            stream::iter(0..learners).map(|number| learner(&client, number)).buffered(AT_ONCE).try_collect().await?;
        let numbers = || stream::iter(0..OFFERED);
        let courses = numbers()
            .map(|number| course(&client, &admin, number, Some(PRICE_MINOR)))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let free_courses = stream::iter(OFFERED..OFFERED + FREE)
            .map(|number| course(&client, &admin, number, None))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let assessments =
            numbers().map(|number| assessment(&client, &admin, number)).buffered(AT_ONCE).try_collect().await?;
        let (emails, sessions): (Vec<_>, Vec<_>) = signed_in.into_iter().unzip();
        Ok(Arc::new(Self {
            tokens: sessions.iter().map(|session| session.token().to_owned()).collect(),
            emails,
            courses,
            free_courses,
            assessments,
            next: AtomicUsize::new(0),
            next_enrollment: AtomicUsize::new(0),
            run: Uuid::now_v7(),
        }))
    }

    /// A learner's token.
    pub fn token(&self, learner: usize) -> &str {
        &self.tokens[learner % self.tokens.len()]
    }

    /// Commands that can still be made without any of them touching a stream that is there.
    pub fn commands_left(&self) -> usize {
        (2 * self.tokens.len() * self.courses.len()).saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Writes the next command, a payment or a submission in turn; the answer is whose it is.
    pub fn write_command(&self, request: &mut Vec<u8>) -> usize {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(2) {
            self.write_payment(request, number)
        } else {
            self.write_submission(request, number)
        }
    }

    /// Writes the next payment; the answer is whose it is.
    pub fn write_next_payment(&self, request: &mut Vec<u8>) -> usize {
        let number = self.next.fetch_add(2, Ordering::Relaxed);
        self.write_payment(request, number - number % 2)
    }

    fn write_payment(&self, request: &mut Vec<u8>, number: usize) -> usize {
        let (learner, course) = self.pair(number);
        let course_id = self.courses[course % self.courses.len()];
        let body =
            format!(r#"{{"course_id":"{course_id}","amount":{{"amount_minor":{PRICE_MINOR},"currency":"EUR"}}}}"#);
        self.post(request, learner, format_args!("/v1/payments"), number, "pay", &body);
        learner
    }

    fn write_submission(&self, request: &mut Vec<u8>, number: usize) -> usize {
        let (learner, assessment) = self.pair(number);
        let id = self.assessments[assessment % self.assessments.len()];
        let body = r#"{"answers":[{"item_id":"1","option_id":"a"},{"item_id":"2","option_id":"b"},{"item_id":"3","option_id":"a"}]}"#;
        self.post(request, learner, format_args!("/v1/assessments/{id}/submissions"), number, "submit", body);
        learner
    }

    /// Writes the next enrolment in a course that costs nothing.
    pub fn write_enrollment(&self, request: &mut Vec<u8>) {
        let number = self.next_enrollment.fetch_add(1, Ordering::Relaxed);
        let (learner, course) = (number % self.tokens.len(), number / self.tokens.len());
        let body = format!(r#"{{"course_id":"{}"}}"#, self.free_courses[course % self.free_courses.len()]);
        self.post(request, learner, format_args!("/v1/enrollments"), number, "enrol", &body);
    }

    /// Of every two commands, one pair.
    fn pair(&self, number: usize) -> (usize, usize) {
        let pair = number / 2;
        (pair % self.tokens.len(), pair / self.tokens.len())
    }

    fn post(
        &self,
        request: &mut Vec<u8>,
        learner: usize,
        path: std::fmt::Arguments<'_>,
        number: usize,
        kind: &str,
        body: &str,
    ) {
        // Writing to a Vec cannot fail.
        let _ = write!(
            request,
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\nidempotency-key: {}-{kind}-{number}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token(learner),
            self.run,
            body.len(),
        );
    }

    /// Writes a query of a learner, which is to reflect a position where one is given.
    pub fn write_query(&self, request: &mut Vec<u8>, learner: usize, path: &str, min_position: Option<i64>) {
        let _ =
            write!(request, "GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n", self.token(learner));
        if let Some(position) = min_position {
            let _ = write!(request, "registrar-min-position: {position}\r\n");
        }
        request.extend_from_slice(b"\r\n");
    }

    /// Writes a query that needs no sign-in, of one of the courses.
    pub fn write_course_query(&self, request: &mut Vec<u8>) {
        let id = self.courses[rand::random::<u32>() as usize % self.courses.len()];
        let _ = write!(request, "GET /v1/courses/{id} HTTP/1.1\r\nhost: bench\r\n\r\n");
    }

    /// Writes a log-in.
    pub fn write_log_in(&self, request: &mut Vec<u8>) {
        let email = &self.emails[rand::random::<u32>() as usize % self.emails.len()];
        let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        let _ = write!(
            request,
            "POST /v1/auth/login HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len(),
        );
    }
}

async fn superadmin(world: &World<'_>, client: &Client) -> Result<Session, Error> {
    let email = "bench@example.org";
    let body = json!({
        "token": world.keys.read_bootstrap_token()?,
        "email": email,
        "password": PASSWORD,
        "first_name": "Bench",
        "last_name": "Marker",
    });
    client.command(None, "/v1/auth/bootstrap", "bench:bootstrap", Some(body)).await?;
    sign_in(client, email).await
}

async fn sign_in(client: &Client, email: &str) -> Result<Session, Error> {
    client.log_in(email, PASSWORD).await?.ok_or_else(|| Error::Locked(email.to_owned()))
}

async fn learner(client: &Client, number: usize) -> Result<(String, Session), Error> {
    let email = format!("learner-{number}@bench.example.org");
    let body =
        json!({ "email": email, "password": PASSWORD, "first_name": "Learner", "last_name": number.to_string() });
    client.command(None, "/v1/auth/register", &format!("bench:register:{number}"), Some(body)).await?;
    let session = sign_in(client, &email).await?;
    Ok((email, session))
}

async fn course(client: &Client, admin: &Session, number: usize, price_minor: Option<i64>) -> Result<Uuid, Error> {
    let post = async |path: &str, key: String, body: Option<Value>| {
        Ok::<_, Error>(client.command(Some(admin), path, &format!("bench:{key}"), body).await?.id()?)
    };
    let price = price_minor.map(|price| json!({ "amount_minor": price, "currency": "EUR" }));
    let body = json!({ "title": format!("Course {number}"), "description": "What one measures with.", "price": price });
    let id = post("/v1/courses", format!("course:{number}"), Some(body)).await?;
    let lesson = json!({ "title": "The only one", "content_type": "text", "content": "Read me." });
    post(&format!("/v1/courses/{id}/lessons"), format!("lesson:{number}"), Some(lesson)).await?;
    post(&format!("/v1/courses/{id}/publish"), format!("publish:{number}"), None).await?;
    Ok(id)
}

async fn assessment(client: &Client, admin: &Session, number: usize) -> Result<Uuid, Error> {
    let options = json!([{ "id": "a", "text": "Yes", "score": 1 }, { "id": "b", "text": "No", "score": 0 }]);
    let items: Vec<Value> =
        (1..=3).map(|item| json!({ "id": item.to_string(), "prompt": "Is it so?", "options": options })).collect();
    let body = json!({ "title": format!("Assessment {number}"), "kind": "sjt", "items": items, "pass_percent": 50 });
    let done =
        client.command(Some(admin), "/v1/assessments", &format!("bench:assessment:{number}"), Some(body)).await?;
    Ok(done.id()?)
}
