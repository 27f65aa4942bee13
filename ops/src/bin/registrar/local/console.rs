//! What the operator sees while things run: one line at a time, each with the name of who says it.

use std::{
    io::{IsTerminal, Write},
    sync::LazyLock,
};

/// Wide enough for the longest name.
const WIDTH: usize = 11;

static COLOURED: LazyLock<bool> = LazyLock::new(|| {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
});

/// The ANSI colour of each name, so that a reader finds a process's lines at a glance.
fn colour(name: &str) -> u8 {
    match name {
        "command-api" => 36,
        "projector" => 35,
        "query-api" => 32,
        "PostgreSQL" => 34,
        "NATS" => 33,
        _ => 1,
    }
}

/// Prints a line of this command itself.
pub fn say(text: &str) {
    prefixed("registrar", text);
}

/// Prints a line under a name.
pub fn prefixed(name: &str, text: &str) {
    if *COLOURED {
        plain(&format!("\x1b[{}m{name:WIDTH$} |\x1b[0m {text}", colour(name)));
    } else {
        plain(&format!("{name:WIDTH$} | {text}"));
    }
}

/// Prints a line as it is. A reader that has gone away (a closed pipe) is no reason to stop.
pub fn plain(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{text}").and_then(|()| output.flush());
}
