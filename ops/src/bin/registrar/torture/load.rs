//! The load: learners and an administrator who send random commands, good and bad, one after the other, and know what
//! each must come to, because nobody else acts on what is theirs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    client::{Body, Client, Expected, Order},
    school::{self, ADMIN, Course, PASSWORD, School},
};

const LEARNERS: u64 = 12;
/// Commands of one learner, before the next one registers.
const CAREER: std::ops::Range<u32> = 15..40;
/// Milliseconds between two commands of one person.
const THOUGHT: std::ops::Range<u64> = 20..160;
/// What nobody has.
const NOTHING: Uuid = Uuid::from_u128(0xc0de);

/// Starts everybody. They stop when they are told to, each after the command that they are at.
pub fn start(client: &Client, school: &Arc<School>, seed: u64, stop: &CancellationToken) -> TaskTracker {
    let people = TaskTracker::new();
    for number in 0..LEARNERS {
        let (client, school, stop) = (client.clone(), Arc::clone(school), stop.clone());
        let rng = StdRng::seed_from_u64(seed.wrapping_add(number + 1));
        people.spawn(async move { learn(client, school, rng, stop).await });
    }
    let (client, stop) = (client.clone(), stop.clone());
    let rng = StdRng::seed_from_u64(seed.wrapping_add(LEARNERS + 1));
    people.spawn(async move { administer(client, rng, stop).await });
    people.close();
    people
}

async fn think(rng: &mut StdRng) {
    sleep(Duration::from_millis(rng.random_range(THOUGHT))).await;
}

async fn learn(client: Client, school: Arc<School>, mut rng: StdRng, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let Some(mut learner) = Learner::register(&client, &mut rng).await else {
            think(&mut rng).await;
            continue;
        };
        for _ in 0..rng.random_range(CAREER) {
            if stop.is_cancelled() {
                return;
            }
            learner.act(&client, &school, &mut rng).await;
            think(&mut rng).await;
        }
    }
}

/// Somebody who learns, and what they have done.
#[derive(Debug)]
struct Learner {
    email: String,
    token: String,
    entered: BTreeSet<Uuid>,
    finished: BTreeMap<Uuid, BTreeSet<Uuid>>,
    enrollments: BTreeMap<Uuid, Uuid>,
    attempts: BTreeMap<Uuid, usize>,
}

fn registration(email: &str) -> serde_json::Value {
    json!({"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"})
}

impl Learner {
    async fn register(client: &Client, rng: &mut StdRng) -> Option<Self> {
        let email = format!("learner-{:016x}@example.org", rng.random::<u64>());
        // The account, and its password.
        let order = Order::new("register", "/v1/auth/register", None, registration(&email)).events(2);
        client.carry_out(rng, &order).await?;
        let token = school::log_in(client, rng, &email).await?;
        Some(Self {
            email,
            token,
            entered: BTreeSet::new(),
            finished: BTreeMap::new(),
            enrollments: BTreeMap::new(),
            attempts: BTreeMap::new(),
        })
    }

    async fn act(&mut self, client: &Client, school: &School, rng: &mut StdRng) {
        let Some(course) = school.courses.choose(rng) else { return };
        match rng.random_range(0..20) {
            0..4 if course.is_paid => self.pay(client, course, rng).await,
            0..4 => self.enroll(client, course, rng).await,
            4..9 => self.complete(client, course, rng).await,
            9..13 => self.submit(client, school, rng).await,
            13 => self.log_in_again(client, rng).await,
            14..17 => self.read(client, rng).await,
            _ => self.blunder(client, course, rng).await,
        }
    }

    fn order(&self, kind: &'static str, path: impl Into<String>, body: serde_json::Value) -> Order {
        Order::new(kind, path, Some(&self.token), body)
    }

    async fn enroll(&mut self, client: &Client, course: &Course, rng: &mut StdRng) {
        let mut order = self.order("enrol", "/v1/enrollments", json!({"course_id": course.id}));
        if self.entered.contains(&course.id) {
            order = order.refused("already-enrolled");
        }
        self.enter(client, &order, course, "id", rng).await;
    }

    async fn pay(&mut self, client: &Client, course: &Course, rng: &mut StdRng) {
        let mut order = self.order("pay", "/v1/payments", json!({"course_id": course.id})).events(2);
        if self.entered.contains(&course.id) {
            order = order.refused("already-paid");
        }
        self.enter(client, &order, course, "enrollment_id", rng).await;
    }

    async fn enter(&mut self, client: &Client, order: &Order, course: &Course, member: &str, rng: &mut StdRng) {
        let answer = client.carry_out(rng, order).await;
        let enrollment = answer.and_then(|answer| answer.body[member].as_str()?.parse().ok());
        if let (Expected::Done(_), Some(enrollment)) = (order.expected, enrollment) {
            self.entered.insert(course.id);
            self.enrollments.insert(course.id, enrollment);
        }
    }

    async fn complete(&mut self, client: &Client, course: &Course, rng: &mut StdRng) {
        let Some(enrollment) = self.enrollments.get(&course.id) else { return };
        let Some(&lesson) = course.lessons.choose(rng) else { return };
        let finished = self.finished.entry(course.id).or_default();
        let is_new = !finished.contains(&lesson);
        let is_last = is_new && finished.len() + 1 == course.lessons.len();
        let path = format!("/v1/enrollments/{enrollment}/lessons/{lesson}/complete");
        let order = Order::new("complete lesson", path, Some(&self.token), json!({}));
        let order = order.events(usize::from(is_new) + usize::from(is_last));
        if client.carry_out(rng, &order).await.is_some() {
            finished.insert(lesson);
        }
    }

    async fn submit(&mut self, client: &Client, school: &School, rng: &mut StdRng) {
        let Some(assessment) = school.assessments.choose(rng) else { return };
        let attempts = self.attempts.entry(assessment.id).or_default();
        let option = if rng.random() { "a" } else { "b" };
        let path = format!("/v1/assessments/{}/submissions", assessment.id);
        let body = json!({"answers": [{"item_id": "q1", "option_id": option}]});
        let mut order = Order::new("submit", path, Some(&self.token), body).of_another_stream();
        if assessment.max_attempts.is_some_and(|most| *attempts >= most) {
            order = order.refused("attempts-exhausted");
        }
        if client.carry_out(rng, &order).await.is_some() && matches!(order.expected, Expected::Done(_)) {
            *attempts += 1;
        }
    }

    async fn log_in_again(&mut self, client: &Client, rng: &mut StdRng) {
        if let Some(token) = school::log_in(client, rng, &self.email).await {
            self.token = token;
        }
    }

    /// Reads their own writes.
    async fn read(&self, client: &Client, rng: &mut StdRng) {
        let paths = ["/v1/me", "/v1/me/enrollments", "/v1/me/payments", "/v1/me/submissions", "/v1/courses"];
        let Some(path) = paths.choose(rng) else { return };
        let answer = client.query(path, Some(&self.token), client.ledger().reached()).await;
        client.ledger().query(answer.is_some());
        let Some(body) = answer.filter(|_| *path == "/v1/me/enrollments") else { return };
        let listed = body["items"].as_array().map_or(0, Vec::len);
        if listed != self.entered.len() {
            let told = format!("{} entered {} courses and sees {listed}", self.email, self.entered.len());
            client.ledger().breach(told);
        }
    }

    /// Does what must be refused.
    async fn blunder(&self, client: &Client, course: &Course, rng: &mut StdRng) {
        let order = match rng.random_range(0..8) {
            0 => Order::new("register again", "/v1/auth/register", None, registration(&self.email))
                .refused("email-taken"),
            1 => self.order("enrol in nothing", "/v1/enrollments", json!({"course_id": NOTHING})).refused("not-found"),
            2 if course.is_paid && !self.entered.contains(&course.id) => self
                .order("enrol unpaid", "/v1/enrollments", json!({"course_id": course.id}))
                .refused("payment-required"),
            3 => self
                .order("misspell", "/v1/enrollments", json!({"course_id": course.id, "curse_id": 1}))
                .refused("invalid-request"),
            4 => Order { body: Body::Raw("{\"course_id\": "), ..self.order("mumble", "/v1/enrollments", json!({})) }
                .refused("malformed-json"),
            5 => {
                Order { token: None, ..self.order("enrol unnamed", "/v1/enrollments", json!({"course_id": course.id})) }
                    .refused("unauthenticated")
            }
            6 if course.is_paid && !self.entered.contains(&course.id) => {
                let amount = json!({"amount_minor": 1, "currency": "EUR"});
                let body = json!({"course_id": course.id, "amount": amount});
                self.order("pay too little", "/v1/payments", body).refused("amount-mismatch")
            }
            _ => self.order("overreach", "/v1/categories", json!({"name": "Mine"})).refused("forbidden"),
        };
        client.carry_out(rng, &order).await;
    }
}

/// Somebody who may do all, at their desk. Now and then they log in anew: a token does not live for a whole long run.
async fn administer(client: Client, mut rng: StdRng, stop: CancellationToken) {
    let mut token = None;
    while !stop.is_cancelled() {
        if token.is_none() || rng.random_bool(0.05) {
            token = school::log_in(&client, &mut rng, ADMIN).await;
        }
        let admin = token.as_deref();
        let name = format!("Category {:08x}", rng.random::<u32>());
        let create = |kind| Order::new(kind, "/v1/categories", admin, json!({"name": name}));
        client.carry_out(&mut rng, &create("create category")).await;
        think(&mut rng).await;
        client.carry_out(&mut rng, &create("create category again").refused("category-name-taken")).await;
        let course = Order::new("create course", "/v1/courses", admin, json!({"title": "Draft"}));
        if let Some(id) = client.carry_out(&mut rng, &course).await.and_then(|answer| answer.id()) {
            let publish = Order::new("publish empty", format!("/v1/courses/{id}/publish"), admin, json!({}));
            client.carry_out(&mut rng, &publish.refused("course-has-no-lessons")).await;
        }
        sleep(Duration::from_millis(rng.random_range(200..1_000))).await;
    }
}
