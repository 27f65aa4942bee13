//! What the operator reads when everything is ready: where it is, who can log in, and four commands to paste.

use std::path::Path;

use crate::local::{
    console,
    state::{Login, State},
};

/// Prints it.
pub fn print(state: &State, moved: &[String], outbox: Option<&Path>, background: bool) {
    let mut lines = vec![String::new(), "Registrar is ready.".to_owned(), String::new()];
    lines.extend(moved.iter().cloned());
    lines.extend([
        format!("  commands  {0}   its reference {0}/docs", state.command_api),
        format!("  queries   {0}   its reference {0}/docs", state.query_api),
        format!("  metrics   {}/metrics (command-api)", state.operations.command_api),
        format!("            {}/metrics (query-api)", state.operations.query_api),
        format!("            {}/metrics (projector)", state.operations.projector),
        format!("  the log   {}", state.database_url),
        format!("  the views {}", state.read_database_url),
        format!("  NATS      {}", state.nats_url),
    ]);
    if let Some(outbox) = outbox {
        lines.push(format!("  mail      {}   a file for each letter that would be sent", outbox.display()));
    }
    if !state.logins.is_empty() {
        lines.extend([String::new(), "Log-ins:".to_owned(), String::new()]);
        lines.extend(state.logins.iter().map(Login::row));
    }
    if let Some(login) = state.logins.iter().find(|login| login.role == "admin") {
        lines.extend([String::new(), "To try it, paste these one after the other:".to_owned(), String::new()]);
        lines.extend(commands(state, login));
    }
    lines.push(String::new());
    lines.push(if background {
        "It runs in the background: `cargo ops status` shows it, `cargo ops down` stops it.".to_owned()
    } else {
        "Ctrl-C stops everything and keeps the data.".to_owned()
    });
    lines.push(String::new());
    console::plain(&lines.join("\n"));
}

/// Four lines for a POSIX shell that has curl and sed.
fn commands(state: &State, login: &Login) -> [String; 4] {
    let State { command_api, query_api, .. } = state;
    let credentials = serde_json::json!({ "email": login.email, "password": login.password });
    let bearer = "-H \"Authorization: Bearer $TOKEN\"";
    let take = |variable: &str, pattern: &str| {
        format!("{variable}=$(printf '%s' \"$LOGIN\" | sed -E 's/.*\"{pattern}.*/\\1/')")
    };
    [
        format!(
            "LOGIN=$(curl -s {command_api}/v1/auth/login -H 'Content-Type: application/json' -d '{credentials}'); {}; {}",
            take("TOKEN", "access_token\": *\"([^\"]+)\""),
            take("POSITION", "position\": *([0-9]+)"),
        ),
        format!("curl -sw '\\n' \"{query_api}/v1/courses?limit=3\" {bearer}"),
        format!("curl -sw '\\n' {query_api}/v1/me {bearer} -H \"Registrar-Min-Position: $POSITION\""),
        format!("curl -sw '\\n' {query_api}/v1/dashboards/admin {bearer}"),
    ]
}
