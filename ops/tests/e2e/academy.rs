//! An organisation with somebody in every role and something of every kind, made by commands.

use crate::{
    client::Call,
    world::{DEFAULT, DEFAULT_ID, PASSWORD, World, id_of},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use testkit::eventually;
use uuid::Uuid;

/// A list of nobody.
pub const LIST: &str = "email,role,first_name,last_name\n";

/// Every role there is.
pub const ROLES: [&str; 5] = ["learner", "instructor", "auditor", "admin", "superadmin"];

/// What admins do to accounts: the last part of the path.
const STANDINGS: [&str; 10] = [
    "{id}",
    "deactivate",
    "activate",
    "role",
    "email",
    "grant-portal-access",
    "revoke-portal-access",
    "reset-password",
    "unlock",
    "sessions",
];

/// The academy's people and things, by their ids.
pub struct Academy {
    pub tenant_id: String,
    /// The name by which requests choose the organisation. It stands in the names of all that is its.
    pub slug: String,
    /// The learner's, who is in `course` and in `paid`.
    pub learner: String,
    /// For each of [`STANDINGS`], the account of a learner to whom it can be done.
    pub bystanders: BTreeMap<&'static str, String>,
    /// A session of the last of them.
    pub session: String,
    pub category: String,
    /// A published course that costs nothing, of the instructor's.
    pub course: String,
    pub lesson: String,
    /// A published course that costs 49.99 euro, of the instructor's.
    pub paid: String,
    /// Two more of these, in which nobody is.
    pub empty: String,
    pub unpaid: String,
    /// A course of the instructor's that is not published.
    pub draft: String,
    /// Learner and course.
    pub enrollment: String,
    pub payment: String,
    /// Of no course, open to any learner, as often as they like.
    pub assessment: String,
    pub submission: String,
    /// An open invitation to be a learner.
    pub invitation: String,
    /// An import of nobody, which has ended.
    pub import: String,
    /// The position at which all of this is there.
    pub position: i64,
}

impl Academy {
    /// Fills the organisation that is always there.
    pub async fn open(world: &World) -> Self {
        let superadmin = world.superadmin().await;
        Self::fill(world, &superadmin).await
    }

    /// Makes people and things in the organisation that is always there.
    pub async fn fill(world: &World, superadmin: &str) -> Self {
        Self::fill_tenant(world, superadmin, DEFAULT, DEFAULT_ID).await
    }

    /// Founds another organisation, whose people have the same names and addresses.
    pub async fn found(world: &World, superadmin: &str, slug: &str) -> Self {
        let tenant = json!({"slug": slug, "name": format!("The academy of-{slug}"), "registration": "open"});
        let founded = world.post("/v1/tenants", superadmin, tenant).await.expect(201);
        Self::fill_tenant(world, superadmin, slug, &id_of(&founded)).await
    }

    async fn fill_tenant(world: &World, superadmin: &str, slug: &str, tenant_id: &str) -> Self {
        let accounts = format!("/v1/tenants/{tenant_id}/accounts");
        for role in ["learner", "instructor", "auditor", "admin"] {
            let person = person_of(slug, role, role);
            let created = world.post(&accounts, superadmin, person).await.expect(201);
            choose_password(world, slug, role, created["temporary_password"].as_str().unwrap()).await;
        }
        let [learner, instructor, admin] = [
            sign_in_to(world, slug, "learner").await,
            sign_in_to(world, slug, "instructor").await,
            sign_in_to(world, slug, "admin").await,
        ];
        let (bystanders, session) = bystanders(world, slug, &admin).await;

        let category = json!({"name": format!("Bookkeeping of-{slug}")});
        let category = world.post("/v1/categories", &admin, category).await.expect(201);
        let mut courses = Vec::new();
        for amount_minor in [None, Some(4_999), None, Some(4_999)] {
            let (course, lesson) = world.fill(&instructor, course_of(slug, amount_minor)).await;
            world.post(&format!("/v1/courses/{course}/publish"), &admin, json!({})).await.expect(200);
            courses.push((course, lesson));
        }
        let [(course, lesson), (paid, _), (empty, _), (unpaid, _)] = courses.try_into().unwrap();
        let (draft, _) = world.fill(&instructor, course_of(slug, None)).await;
        let enrolled = world.post("/v1/enrollments", &learner, json!({"course_id": course})).await.expect(201);
        let order = json!({"course_id": paid});
        let payment = world.post_once("/v1/payments", &learner, "the-first-order", order).await.expect(201);
        let mut first_day = assessment(None);
        first_day["title"] = json!(format!("First day of-{slug}"));
        let assessment = world.post("/v1/assessments", &instructor, first_day).await.expect(201);
        let path = format!("/v1/assessments/{}/submissions", id_of(&assessment));
        let submission = world.post(&path, &learner, answers("a")).await.expect(201);
        let invited = world.post("/v1/invitations", &admin, invitation()).await.expect(201);
        let import = import_nobody(world, &admin).await;
        let me = world.read("/v1/me", &learner, position_of(&submission)).await.expect(200);
        Self {
            tenant_id: tenant_id.to_owned(),
            slug: slug.to_owned(),
            learner: id_of(&me),
            bystanders,
            session,
            category: id_of(&category),
            course,
            lesson,
            paid,
            empty,
            unpaid,
            draft,
            enrollment: id_of(&enrolled),
            payment: id_of(&payment),
            assessment: id_of(&assessment),
            submission: id_of(&submission),
            invitation: id_of(&invited),
            import: id_of(&import),
            position: position_of(&import),
        }
    }

    /// The ids and the names by which something of the academy would be known. Its own id is not one of them: it stands
    /// in the histories of other organisations whose things a superadmin of it did.
    pub fn marks(&self) -> Vec<String> {
        let mut marks: Vec<String> = self.bystanders.values().cloned().collect();
        let ids = [
            &self.learner,
            &self.session,
            &self.category,
            &self.course,
            &self.lesson,
            &self.paid,
            &self.empty,
            &self.unpaid,
            &self.draft,
            &self.enrollment,
            &self.payment,
            &self.assessment,
            &self.submission,
            &self.invitation,
            &self.import,
        ];
        marks.extend(ids.into_iter().cloned());
        marks.push(format!("of-{}", self.slug));
        marks
    }

    /// A new session of somebody in a role.
    pub async fn sign_in(&self, world: &World, role: &str) -> String {
        sign_in_to(world, &self.slug, role).await
    }
}

/// An account for each of [`STANDINGS`], and a session of the last of them.
async fn bystanders(world: &World, slug: &str, admin: &str) -> (BTreeMap<&'static str, String>, String) {
    let (mut bystanders, mut session) = (BTreeMap::new(), String::new());
    for standing in STANDINGS {
        let name = format!("bystander-{}", bystanders.len());
        let created = world.post("/v1/accounts", admin, person_of(slug, &name, "learner")).await.expect(201);
        let temporary = created["temporary_password"].as_str().unwrap();
        session = id_of(&new_session_in(world, slug, &name, temporary).await);
        bystanders.insert(standing, id_of(&created));
    }
    for (before, standing) in [("deactivate", "activate"), ("revoke-portal-access", "grant-portal-access")] {
        let path = format!("/v1/accounts/{}/{before}", bystanders[standing]);
        world.send(Call::post(path).token(admin)).await.expect(200);
    }
    (bystanders, session)
}

/// A new session of somebody in a role in the organisation that is always there; the superadmin is the first one.
pub async fn sign_in(world: &World, role: &str) -> String {
    sign_in_to(world, DEFAULT, role).await
}

async fn sign_in_to(world: &World, slug: &str, role: &str) -> String {
    let name = if role == "superadmin" { "root" } else { role };
    world.log_in_to(slug, &format!("{name}@example.org"), PASSWORD).await
}

async fn choose_password(world: &World, slug: &str, name: &str, temporary: &str) {
    let token = world.log_in_to(slug, &format!("{name}@example.org"), temporary).await;
    let chosen = json!({"new_password": PASSWORD});
    world.post("/v1/auth/set-password", &token, chosen).await.expect(200);
}

/// Creates an account: its id and its temporary password.
pub async fn create(world: &World, admin: &str, name: &str, role: &str) -> (String, String) {
    let created = world.post("/v1/accounts", admin, person(name, role)).await.expect(201);
    (id_of(&created), created["temporary_password"].as_str().unwrap().to_owned())
}

/// What creates an account.
pub fn person(name: &str, role: &str) -> Value {
    person_of(DEFAULT, name, role)
}

fn person_of(slug: &str, name: &str, role: &str) -> Value {
    json!({
        "email": format!("{name}@example.org"), "role": role, "first_name": "Robin",
        "last_name": format!("The {role} of-{slug}"),
    })
}

fn course_of(slug: &str, amount_minor: Option<i64>) -> Value {
    let price = amount_minor.map(|amount_minor| json!({"amount_minor": amount_minor, "currency": "EUR"}));
    json!({"title": format!("Bookkeeping of-{slug}"), "description": "Debit and credit", "price": price})
}

/// What creates an assessment of one question.
pub fn assessment(course: Option<&str>) -> Value {
    let options = json!([{"id": "a", "text": "Ask", "score": 2}, {"id": "b", "text": "Wait", "score": 0}]);
    json!({
        "title": "First day", "kind": "sjt", "course_id": course,
        "items": [{"id": "q1", "prompt": "What now?", "options": options}],
    })
}

/// What answers it.
pub fn answers(option: &str) -> Value {
    json!({"answers": [{"item_id": "q1", "option_id": option}]})
}

/// The position that a command answered.
pub fn position_of(answer: &Value) -> i64 {
    answer["position"].as_i64().expect("a position")
}

/// A token that can only set a password, of somebody who was created just now.
pub async fn newcomer(world: &World, admin: &str, name: &str) -> String {
    let (_, temporary) = create(world, admin, name, "learner").await;
    world.log_in(&format!("{name}@example.org"), &temporary).await
}

/// Hands a list of nobody in, and waits until it is done.
async fn import_nobody(world: &World, admin: &str) -> Value {
    let call = Call::post("/v1/account-imports").token(admin).header("content-type", "text/csv").text(LIST);
    let import = world.send(call).await.expect(202);
    let path = format!("/v1/account-imports/{}", id_of(&import));
    eventually("the import ends", Duration::from_secs(30), async || {
        let view = world.read(&path, admin, position_of(&import)).await.expect(200);
        (view["state"] == "finished").then_some(())
    })
    .await;
    import
}

/// What invites somebody whom nobody invited before.
pub fn invitation() -> Value {
    json!({"email": format!("{}@example.org", Uuid::new_v4().simple()), "role": "learner"})
}

/// Logs in to the organisation that is always there; the whole answer.
pub async fn new_session(world: &World, name: &str, password: &str) -> Value {
    new_session_in(world, DEFAULT, name, password).await
}

/// Logs in; the whole answer.
pub async fn new_session_in(world: &World, slug: &str, name: &str, password: &str) -> Value {
    let credentials = json!({"tenant": slug, "email": format!("{name}@example.org"), "password": password});
    world.send(Call::post("/v1/auth/login").json(&credentials)).await.expect(200)
}

/// Logs in and gives the refresh token.
pub async fn refresh_token(world: &World, name: &str) -> String {
    new_session(world, name, PASSWORD).await["refresh_token"].as_str().unwrap().to_owned()
}
