//! `status`: what runs and where, for people and for scripts.

use clap::Args;

use crate::local::{Error, console, project::Project, state};

/// Tells what runs here, where it is reached, and the log-ins of the sample data.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo ops status
  cargo ops status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"command_api\"])'

The document: command_api, query_api, operations, database_url, read_database_url, nats_url, logins, running, pids.
The exit code is 0 whether it runs or not: `running` tells.")]
pub struct Status {
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Prints it.
    pub fn run(&self) -> Result<(), Error> {
        let instance = Project::find()?.instance("up")?;
        let status = state::Status::read(&instance)?;
        let document = serde_json::to_value(&status)
            .map_err(|source| Error::Damaged { path: instance.path("state.json"), source })?;
        if self.json {
            console::plain(&format!("{document:#}"));
            return Ok(());
        }
        if !status.running {
            let text = if status.pids.is_empty() {
                "Registrar does not run here: `cargo ops up` starts it"
            } else if status.pids.contains_key("up") {
                "Registrar is starting or stopping"
            } else {
                "a killed `up` has left programs running: `cargo ops down` stops them"
            };
            console::plain(text);
        }
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        let places = ["command_api", "query_api", "database_url", "read_database_url", "nats_url"];
        for (name, place) in places.into_iter().filter_map(|name| Some((name, text(name)?))) {
            console::plain(&format!("{name:20} {place}"));
        }
        if let Some(operations) = document["operations"].as_object() {
            for (name, place) in operations {
                console::plain(&format!(
                    "{:20} {}/metrics",
                    format!("{name} metrics"),
                    place.as_str().unwrap_or_default()
                ));
            }
        }
        for (name, pid) in &status.pids {
            console::plain(&format!("{name:20} pid {pid}"));
        }
        for login in &status.logins {
            console::plain(&login.row());
        }
        Ok(())
    }
}
