//! A small academy in a database of its own, and the API in front of it.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, Request, StatusCode, header},
};
use chrono::Utc;
use events::{
    Role,
    ids::{AccountId, CourseId, EnrollmentId},
    tenant::DEFAULT_TENANT,
};
use ops::{
    config::Origins,
    health::Health,
    http::Edge,
    tokens::{Grant, Signer, TokenScope, Verifier, generate_signing_key_pem},
};
use query_api::{
    consistency::Positions,
    gather::{Gathered, Pool},
    http,
    state::State,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use std::{sync::Arc, time::Duration};
use testkit::TestDatabase;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use uuid::Uuid;

/// The position that every projection of the academy has reached.
pub const POSITION: i64 = 100;
/// The longest that the academy's API waits for a position.
pub const WAIT: Duration = Duration::from_millis(200);

/// Somebody of the academy, or of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// A learner, in the course `RUST`.
    Ada,
    /// A learner, in the course `LATIN`.
    Ben,
    /// An instructor, who owns every course.
    Ida,
    /// An instructor, who owns none.
    Ivo,
    Auditor,
    Admin,
    Superadmin,
    /// A learner of another tenant.
    Stranger,
    /// An admin of another tenant.
    StrangeAdmin,
}

pub const RUST: Uuid = id(0x5001);
pub const BAKING: Uuid = id(0x5002);
pub const DRAFT: Uuid = id(0x5003);
pub const LATIN: Uuid = id(0x5004);
pub const ASSESSMENT: Uuid = id(0x8001);
pub const INVITATION: Uuid = id(0x9001);
pub const IMPORT: Uuid = id(0x9101);

const OTHER_TENANT: Uuid = id(2);

const fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 + number)
}

impl Person {
    pub const fn id(self) -> Uuid {
        id(match self {
            Self::Ada => 0xa1,
            Self::Ben => 0xa2,
            Self::Ida => 0xb1,
            Self::Ivo => 0xb2,
            Self::Auditor => 0xc1,
            Self::Admin => 0xd1,
            Self::Superadmin => 0xe1,
            Self::Stranger => 0xf1,
            Self::StrangeAdmin => 0xf2,
        })
    }

    const fn role(self) -> Role {
        match self {
            Self::Ada | Self::Ben | Self::Stranger => Role::Learner,
            Self::Ida | Self::Ivo => Role::Instructor,
            Self::Auditor => Role::Auditor,
            Self::Admin | Self::StrangeAdmin => Role::Admin,
            Self::Superadmin => Role::Superadmin,
        }
    }

    const fn tenant(self) -> Uuid {
        match self {
            Self::Stranger | Self::StrangeAdmin => OTHER_TENANT,
            _ => DEFAULT_TENANT.as_uuid(),
        }
    }
}

/// The one enrolment of a learner in a course.
pub fn enrollment(learner: Person, course: Uuid) -> Uuid {
    EnrollmentId::of(AccountId::new(learner.id()), CourseId::new(course)).as_uuid()
}

/// The academy.
pub struct World {
    /// As the owner of everything.
    pub owner: PgPool,
    router: Router,
    signer: Signer,
    _watching: DropGuard,
    database: TestDatabase,
}

impl World {
    /// The academy with what `fixture.sql` puts into it.
    pub async fn new() -> Self {
        let world = Self::empty().await;
        let fixture = include_str!("fixture.sql")
            .replace("{ada_in_rust}", &enrollment(Person::Ada, RUST).to_string())
            .replace("{ben_in_latin}", &enrollment(Person::Ben, LATIN).to_string());
        sqlx::raw_sql(AssertSqlSafe(fixture)).execute(&world.owner).await.unwrap();
        world
    }

    async fn empty() -> Self {
        let database = TestDatabase::read().await;
        let (owner, reads) = (database.pool().await, database.pool_as("registrar_query").await);
        let key = generate_signing_key_pem().unwrap();
        let signer = Signer::from_pem(&key, "registrar", "registrar", Duration::from_mins(1)).unwrap();
        let stop = CancellationToken::new();
        let positions = Positions::new(WAIT);
        tokio::spawn(positions.clone().follow(reads.connect_options().as_ref().clone(), stop.clone()));
        let gathering = Pool::alone(database.pool_as("registrar_query").await);
        let state = State {
            accounts: Gathered::start(&gathering),
            courses: Gathered::start(&gathering),
            payments: Gathered::start(&gathering),
            pool: reads,
            positions,
            verifier: Verifier::from_jwks(&signer.jwks(), "registrar", "registrar").unwrap(),
            health: Arc::new(Health::new(stop.clone())),
        };
        let edge = Edge {
            max_body_bytes: 1024,
            uploads: &[],
            request_timeout: Duration::from_secs(30),
            origins: Origins::default(),
            trusted_proxies: 0,
        };
        Self { owner, router: http::router(state, edge, true), signer, _watching: stop.drop_guard(), database }
    }

    /// Connections as another role.
    pub async fn pool_as(&self, role: &str) -> PgPool {
        self.database.pool_as(role).await
    }

    /// Asks for a path, with further headers.
    pub async fn ask(&self, person: Option<Person>, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        let mut request = Request::get(path);
        if let Some(person) = person {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token(person, TokenScope::Full)));
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        Answer::of(self.router.clone(), request.body(Body::empty()).unwrap()).await
    }

    /// Asks for a path with somebody's token.
    pub async fn get(&self, person: Person, path: &str) -> Answer {
        self.ask(Some(person), path, &[]).await
    }

    /// Asks for a path without a token.
    pub async fn get_openly(&self, path: &str) -> Answer {
        self.ask(None, path, &[]).await
    }

    /// Calls with a method, without a token.
    pub async fn call(&self, method: &str, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        Answer::of(self.router.clone(), request).await
    }

    /// A token of somebody's.
    pub fn token(&self, person: Person, scope: TokenScope) -> String {
        let grant = Grant {
            account_id: person.id(),
            tenant_id: person.tenant(),
            session_id: id(0x1000 + (person.id().as_u128() & 0xfff)),
            role: person.role().to_string(),
            scope,
        };
        self.signer.issue(grant, Utc::now()).unwrap().0
    }

    /// Moves every projection to a position.
    pub async fn advance_to(&self, position: i64) {
        sqlx::query("update read.projections set position = $1").bind(position).execute(&self.owner).await.unwrap();
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub bytes: Vec<u8>,
}

impl Answer {
    async fn of(router: Router, request: Request<Body>) -> Self {
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 * 1024 * 1024).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, body, bytes: bytes.to_vec() }
    }

    /// A header, where it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The last part of the problem's type.
    pub fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|uri| uri.rsplit('/').next()).unwrap_or_default()
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// One member of each item of a list.
    #[track_caller]
    pub fn each(self, member: &str) -> Vec<String> {
        let body = self.ok();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        body["items"].as_array().unwrap().iter().map(|item| text(&item[member])).collect()
    }
}
