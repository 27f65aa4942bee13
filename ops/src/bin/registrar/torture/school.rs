//! What the load needs before it begins: somebody who may do everything, courses to enter, assessments to hand in.

use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Order};

/// The one password of everybody here.
pub const PASSWORD: &str = "violet-harbour-candle-42";
/// Who may do everything.
pub const ADMIN: &str = "root@example.org";
/// What a course costs that is not free.
const PRICE: i64 = 4_999;
const LESSONS: usize = 3;

/// What learners find.
#[derive(Debug, Clone)]
pub struct School {
    /// The access token of the superadmin, for as long as one lives.
    admin: String,
    /// Courses to enter.
    pub courses: Vec<Course>,
    /// Assessments to hand in.
    pub assessments: Vec<Assessment>,
}

/// A published course.
#[derive(Debug, Clone)]
pub struct Course {
    /// Its id.
    pub id: Uuid,
    /// Its lessons' ids.
    pub lessons: Vec<Uuid>,
    /// Whether it has to be paid for.
    pub is_paid: bool,
}

/// An assessment of one item, `q1`, with the options `a` and `b`.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// Its id.
    pub id: Uuid,
    /// How often one may hand it in.
    pub max_attempts: Option<usize>,
}

/// The price of every course that has one.
fn price() -> Value {
    json!({"amount_minor": PRICE, "currency": "EUR"})
}

impl School {
    /// Opens it; none where one of its commands was not answered as it must be, which is a breach in the ledger.
    pub async fn open(client: &Client, rng: &mut StdRng, bootstrap_token: &str) -> Option<Self> {
        let root = json!({
            "token": bootstrap_token, "email": ADMIN, "password": PASSWORD,
            "first_name": "Grace", "last_name": "Hopper",
        });
        client.carry_out(rng, &Order::new("bootstrap", "/v1/auth/bootstrap", None, root).events(2)).await?;
        let admin = log_in(client, rng, ADMIN).await?;
        let mut school = Self { admin, courses: Vec::new(), assessments: Vec::new() };
        for is_paid in [false, true, false, true] {
            let course = school.publish(client, rng, is_paid).await?;
            school.courses.push(course);
        }
        for max_attempts in [Some(2), None] {
            let assessment = school.assess(client, rng, max_attempts).await?;
            school.assessments.push(assessment);
        }
        Some(school)
    }

    async fn publish(&self, client: &Client, rng: &mut StdRng, is_paid: bool) -> Option<Course> {
        let mut body = json!({"title": "Bookkeeping", "description": "Debit and credit"});
        if is_paid {
            body["price"] = price();
        }
        let token = Some(&*self.admin);
        let id = client.carry_out(rng, &Order::new("create course", "/v1/courses", token, body)).await?.id()?;
        let mut lessons = Vec::new();
        for number in 1..=LESSONS {
            let body = json!({"title": format!("Lesson {number}"), "content_type": "text", "content": "Two columns."});
            let order = Order::new("add lesson", format!("/v1/courses/{id}/lessons"), token, body);
            let added = client.carry_out(rng, &order.of_another_stream()).await?.body;
            let lesson = added["lesson_id"].as_str().or(added["id"].as_str());
            lessons.push(lesson?.parse().ok()?);
        }
        let publish = Order::new("publish course", format!("/v1/courses/{id}/publish"), token, json!({}));
        client.carry_out(rng, &publish).await?;
        Some(Course { id, lessons, is_paid })
    }

    async fn assess(&self, client: &Client, rng: &mut StdRng, max_attempts: Option<usize>) -> Option<Assessment> {
        let options = json!([{"id": "a", "text": "Ask", "score": 2}, {"id": "b", "text": "Wait", "score": 0}]);
        let mut body = json!({
            "title": "First day", "kind": "sjt", "pass_percent": 50,
            "items": [{"id": "q1", "prompt": "What now?", "options": options}],
        });
        if let Some(max_attempts) = max_attempts {
            body["max_attempts"] = max_attempts.into();
        }
        let order = Order::new("create assessment", "/v1/assessments", Some(&self.admin), body);
        let id = client.carry_out(rng, &order).await?.id()?;
        Some(Assessment { id, max_attempts })
    }
}

/// The access token of a new session. Tokens are shown once: where the answer to the first try was lost, the second is
/// told that it was carried out, without them, and one logs in again.
pub async fn log_in(client: &Client, rng: &mut StdRng, email: &str) -> Option<String> {
    let body = json!({"email": email, "password": PASSWORD});
    loop {
        let order = Order::new("log in", "/v1/auth/login", None, body.clone());
        let answer = client.carry_out(rng, &order).await?;
        if let Some(token) = answer.body["access_token"].as_str() {
            return Some(token.to_owned());
        }
    }
}
