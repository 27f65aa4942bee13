//! An organisation with somebody in every role and something of every kind, made by commands.

use crate::{
    client::Call,
    world::{PASSWORD, World, id_of},
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
    /// Fills the installation's first organisation.
    pub async fn open(world: &World) -> Self {
        let superadmin = world.superadmin().await;
        Self::fill(world, &superadmin).await
    }

    /// Makes people and things, as somebody who may.
    pub async fn fill(world: &World, superadmin: &str) -> Self {
        for role in ["learner", "instructor", "auditor", "admin"] {
            hire(world, superadmin, role, role).await;
        }
        let (mut bystanders, mut session) = (BTreeMap::new(), String::new());
        for standing in STANDINGS {
            let name = format!("bystander-{}", bystanders.len());
            let (id, temporary) = create(world, superadmin, &name, "learner").await;
            session = id_of(&new_session(world, &name, &temporary).await);
            bystanders.insert(standing, id);
        }
        for (before, standing) in [("deactivate", "activate"), ("revoke-portal-access", "grant-portal-access")] {
            let path = format!("/v1/accounts/{}/{before}", bystanders[standing]);
            world.send(Call::post(path).token(superadmin)).await.expect(200);
        }
        let [learner, instructor, admin] = [
            world.log_in("learner@example.org", PASSWORD).await,
            world.log_in("instructor@example.org", PASSWORD).await,
            world.log_in("admin@example.org", PASSWORD).await,
        ];
        let category = world.post("/v1/categories", &admin, json!({"name": "Bookkeeping"})).await.expect(201);
        let mut courses = Vec::new();
        for price in [None, Some(4_999), None, Some(4_999)] {
            let (course, lesson) = world.draft(&instructor, price).await;
            world.post(&format!("/v1/courses/{course}/publish"), &admin, json!({})).await.expect(200);
            courses.push((course, lesson));
        }
        let [(course, lesson), (paid, _), (empty, _), (unpaid, _)] = courses.try_into().unwrap();
        let (draft, _) = world.draft(&instructor, None).await;
        let enrolled = world.post("/v1/enrollments", &learner, json!({"course_id": course})).await.expect(201);
        let order = json!({"course_id": paid});
        let payment = world.post_once("/v1/payments", &learner, "the-first-order", order).await.expect(201);
        let assessment = world.post("/v1/assessments", &instructor, assessment(None)).await.expect(201);
        let path = format!("/v1/assessments/{}/submissions", id_of(&assessment));
        let submission = world.post(&path, &learner, answers("a")).await.expect(201);
        let invited = world.post("/v1/invitations", superadmin, invitation()).await.expect(201);
        let import = import_nobody(world, superadmin).await;
        Self {
            learner: world.read("/v1/me", &learner, position_of(&submission)).await.expect(200)["id"]
                .as_str()
                .unwrap()
                .to_owned(),
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

    /// The ids and the names by which something of the academy would be known.
    pub fn marks(&self) -> Vec<&str> {
        let mut marks: Vec<&str> = self.bystanders.values().map(String::as_str).collect();
        marks.extend([
            self.learner.as_str(),
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
        ]);
        marks
    }
}

/// A new session of somebody in a role; the superadmin is the first one.
pub async fn sign_in(world: &World, role: &str) -> String {
    let name = if role == "superadmin" { "root" } else { role };
    world.log_in(&format!("{name}@example.org"), PASSWORD).await
}

/// Creates an account and chooses its password; its id.
async fn hire(world: &World, superadmin: &str, name: &str, role: &str) -> String {
    let (id, temporary) = create(world, superadmin, name, role).await;
    let token = world.log_in(&format!("{name}@example.org"), &temporary).await;
    let chosen = json!({"new_password": PASSWORD});
    world.post("/v1/auth/set-password", &token, chosen).await.expect(200);
    id
}

/// Creates an account: its id and its temporary password.
pub async fn create(world: &World, admin: &str, name: &str, role: &str) -> (String, String) {
    let created = world.post("/v1/accounts", admin, person(name, role)).await.expect(201);
    (id_of(&created), created["temporary_password"].as_str().unwrap().to_owned())
}

/// What creates an account.
pub fn person(name: &str, role: &str) -> Value {
    json!({
        "email": format!("{name}@example.org"), "role": role, "first_name": "Robin",
        "last_name": format!("The {role}"),
    })
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

/// Logs in; the whole answer.
pub async fn new_session(world: &World, name: &str, password: &str) -> Value {
    let credentials = json!({"email": format!("{name}@example.org"), "password": password});
    world.send(Call::post("/v1/auth/login").json(&credentials)).await.expect(200)
}

/// Logs in and gives the refresh token.
pub async fn refresh_token(world: &World, name: &str) -> String {
    new_session(world, name, PASSWORD).await["refresh_token"].as_str().unwrap().to_owned()
}
