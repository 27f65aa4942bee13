//! Those who run the academy and teach in it: the first superadmin by the bootstrap token, everybody else by an account
//! that somebody above them makes, with a temporary password that they change at their first log-in.

use serde_json::json;
use uuid::Uuid;

use super::{
    SeedError, Target,
    academy::{self, ADMIN, AUDITOR, INSTRUCTORS, Person, SUPERADMIN},
    client::{Client, Session},
    progress::Stage,
};

/// The staff, signed in.
#[derive(Debug)]
pub struct Staff {
    /// Runs the installation.
    pub superadmin: Session,
    /// Runs the academy.
    pub admin: Session,
    /// Teach; in the order of the sample data.
    pub instructors: Vec<Session>,
}

/// Signs everybody in, whose accounts are made where they are missing.
pub async fn sign_in(client: &Client, target: &Target) -> Result<Staff, SeedError> {
    let stage = Stage::begin("staff", 3 + INSTRUCTORS.len());
    let superadmin = superadmin(client, target).await?;
    stage.step();
    let admin = member(client, &superadmin, ADMIN, "admin").await?;
    stage.step();
    member(client, &superadmin, AUDITOR, "auditor").await?;
    stage.step();
    let mut instructors = Vec::new();
    for person in INSTRUCTORS {
        instructors.push(member(client, &admin, person, "instructor").await?);
        stage.step();
    }
    stage.end(&format!("a superadmin, an admin, an auditor, {} instructors", instructors.len()));
    Ok(Staff { superadmin, admin, instructors })
}

async fn superadmin(client: &Client, target: &Target) -> Result<Session, SeedError> {
    let (email, password) = (SUPERADMIN.email(), academy::password("superadmin"));
    if let Some(session) = client.log_in(&email, password).await? {
        return Ok(session);
    }
    let token = target.bootstrap_token.as_deref().ok_or(SeedError::NoBootstrapToken)?;
    let body = json!({
        "token": token,
        "email": email,
        "password": password,
        "first_name": SUPERADMIN.first_name,
        "last_name": SUPERADMIN.last_name,
    });
    client.command(None, "/v1/auth/bootstrap", "bootstrap", Some(body)).await?;
    client.log_in(&email, password).await?.ok_or(SeedError::Locked { email })
}

/// Logs in with the password of the role, after having walked the way to it where that is still to be done.
async fn member(client: &Client, above: &Session, person: Person, role: &str) -> Result<Session, SeedError> {
    let (email, password) = (person.email(), academy::password(role));
    if let Some(session) = client.log_in(&email, password).await? {
        return Ok(session);
    }
    let body = json!({
        "email": email,
        "role": role,
        "first_name": person.first_name,
        "last_name": person.last_name,
    });
    let key = format!("account:{email}");
    let created = client.ensure(Some(above), "/v1/accounts", &key, Some(body), &["email-taken"]).await?;
    // A temporary password is told once: an account whose was lost in between cannot be had again.
    let locked = || SeedError::Locked { email: email.clone() };
    let temporary = created.and_then(|done| done.text("temporary_password").ok()).ok_or_else(locked)?;
    let first = client.log_in(&email, &temporary).await?.ok_or_else(locked)?;
    if first.must_set_password {
        let key = format!("password:{email}:{}", Uuid::now_v7());
        client.command(Some(&first), "/v1/auth/set-password", &key, Some(json!({ "new_password": password }))).await?;
    }
    client.log_in(&email, password).await?.ok_or_else(locked)
}
