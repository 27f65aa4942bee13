//! `seed`: an academy to develop against and to look at. Everything in it is posted as commands, as any client would:
//! what the sample data can do, a client can do, and the other way round.
//!
//! Running it again posts what is missing. This file tells the order; who and what is in `seed/academy.rs`.

mod academy;
mod catalogue;
pub mod client;
mod history;
mod learners;
mod plan;
mod progress;
mod staff;

use std::{env, net::IpAddr, time::Duration};

use clap::Args;
use ops::config::ConfigError;
use serde_json::Value;
use tokio::time::Instant;

use crate::local::{console, state::Login};
use client::{Client, ClientError, Session};
use history::History;
use learners::Surroundings;
use progress::Stage;

/// Requests under way at once: more would only wait where passwords are hashed.
const AT_ONCE: usize = 8;
/// The longest that the views may take to show everything.
const VIEWS_BOUND: Duration = Duration::from_mins(2);

ops::secret_args! {
    /// The secret that the command API was started with as its BOOTSTRAP_TOKEN; needed while there is no superadmin.
    pub BootstrapToken = "BOOTSTRAP_TOKEN", "bootstrap-token";
}

/// Posts a sample academy: staff, courses, assessments, and forty learners with all that they do. Its passwords are in
/// the source, so it is for development and tests alone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  registrar seed --bootstrap-token-file .local/up/keys/bootstrap.token
  registrar seed --command-api http://127.0.0.1:8080 --query-api http://127.0.0.1:8081

It refuses where REGISTRAR_ENV is `production`, and other machines without --allow-remote. Running it again posts what
is missing.")]
pub struct Seed {
    /// The command API
    #[arg(long, env = "COMMAND_API", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    command_api: String,
    /// The query API
    #[arg(long, env = "QUERY_API", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    query_api: String,
    #[command(flatten)]
    bootstrap_token: BootstrapToken,
    /// Post to another machine than this one
    #[arg(long)]
    allow_remote: bool,
}

/// Where the sample data goes.
#[derive(Debug)]
pub struct Target {
    /// The command API's base URL.
    pub command_api: String,
    /// The query API's base URL.
    pub query_api: String,
    /// Lets the first superadmin be made.
    pub bootstrap_token: Option<String>,
}

/// What there is now.
#[derive(Debug)]
pub struct Seeded {
    /// One log-in of each role, and that of every instructor.
    pub logins: Vec<Login>,
    /// The position that every view has reached.
    pub position: i64,
}

/// Why the sample data is not there, or not whole.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It was not asked for a place where it may go.
    #[error("{0}")]
    Refused(String),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody can begin.
    #[error(
        "the sample superadmin is not there yet: give the command API's bootstrap token with --bootstrap-token-file, or \
         seed an empty installation"
    )]
    NoBootstrapToken,
    /// An account is there, and the password of the sample data does not open it.
    #[error("{email} is there and does not log in with the password of the sample data: seed an empty installation")]
    Locked {
        /// Whose.
        email: String,
    },
    /// Something was said to be there and cannot be found.
    #[error("{0} is said to be there and cannot be found")]
    Lost(String),
    /// An API refused or is not there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The data is there, and not yet seen.
    #[error("everything was posted, and these projections have not shown it after {} s: {_0}", VIEWS_BOUND.as_secs())]
    Behind(String),
}

impl Seed {
    /// Posts what is missing and tells the log-ins.
    pub async fn run(&self) -> Result<(), SeedError> {
        self.refuse_production()?;
        let bootstrap_token = self.bootstrap_token.optional()?.map(|token| token.expose().to_owned());
        let target =
            Target { command_api: self.command_api.clone(), query_api: self.query_api.clone(), bootstrap_token };
        let seeded = run(&target).await?;
        console::plain(&format!("The sample data is there, and every view shows it (position {}).", seeded.position));
        for Login { role, email, password } in &seeded.logins {
            console::plain(&format!("{role:12} {email:32} {password}"));
        }
        Ok(())
    }

    fn refuse_production(&self) -> Result<(), SeedError> {
        if env::var("REGISTRAR_ENV").is_ok_and(|value| value.eq_ignore_ascii_case("production")) {
            return Err(SeedError::Refused(
                "REGISTRAR_ENV is production: sample data, whose passwords everybody knows, does not go there"
                    .to_owned(),
            ));
        }
        match [&self.command_api, &self.query_api].into_iter().find(|url| !is_here(url)) {
            Some(url) if !self.allow_remote => Err(SeedError::Refused(format!(
                "{url} is not on this machine: with --allow-remote it gets sample data, whose passwords everybody knows"
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether a URL leads to this machine itself.
fn is_here(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Posts what is missing of the sample data, and returns when every view shows all of it.
pub async fn run(target: &Target) -> Result<Seeded, SeedError> {
    let client = Client::new(&target.command_api, &target.query_api);
    let staff = staff::sign_in(&client, target).await?;
    let history = History::read(&client, &staff.superadmin).await?;
    let offered = catalogue::offer(&client, &staff, &history).await?;
    let asked = catalogue::ask(&client, &staff, &history, &offered).await?;
    let surroundings = Surroundings { client: &client, history: &history, offered: &offered, asked: &asked };
    learners::walk(surroundings).await?;
    catalogue::withdraw(&client, &staff, &history, &offered).await?;
    wait_for_views(&client, &staff.superadmin).await?;
    Ok(Seeded { logins: logins(), position: client.reached() })
}

/// Waits until every projection has reached what was posted.
async fn wait_for_views(client: &Client, session: &Session) -> Result<(), SeedError> {
    let stage = Stage::begin("views", 1);
    let deadline = Instant::now() + VIEWS_BOUND;
    loop {
        let projections = client.query(session, "/v1/projections", &[]).await?;
        let behind = find_behind(&projections, client.reached());
        if behind.is_empty() {
            stage.end(&format!("all at position {}", client.reached()));
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(SeedError::Behind(behind.join(", ")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The names of the projections that have not reached the position.
fn find_behind(projections: &Value, position: i64) -> Vec<String> {
    let items = projections["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let behind = items.iter().filter(|item| item["position"].as_i64().is_none_or(|reached| reached < position));
    behind.map(|item| item["name"].as_str().unwrap_or("?").to_owned()).collect()
}

/// One log-in of each role, and that of every instructor.
fn logins() -> Vec<Login> {
    use academy::{ADMIN, AUDITOR, INSTRUCTORS, LEARNERS, SUPERADMIN};
    let staff = [("superadmin", SUPERADMIN), ("admin", ADMIN), ("auditor", AUDITOR)];
    let instructors = INSTRUCTORS.map(|person| ("instructor", person));
    staff
        .into_iter()
        .chain(instructors)
        .chain([("learner", LEARNERS[0])])
        .map(|(role, person)| Login {
            role: role.to_owned(),
            email: person.email(),
            password: academy::password(role).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_this_machine_is_seeded_unasked() {
        for here in ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080/"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["http://10.0.0.1:8080", "https://api.example.org", "http://127.0.0.1.example.org", "here"] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn a_projection_that_is_behind_is_waited_for_by_name() {
        let projections =
            json!({ "items": [{ "name": "a", "position": 7 }, { "name": "b", "position": 6 }, { "name": "c" }] });
        assert_eq!(find_behind(&projections, 7), ["b", "c"]);
        assert!(find_behind(&projections, 0).contains(&"c".to_owned()));
    }
}
