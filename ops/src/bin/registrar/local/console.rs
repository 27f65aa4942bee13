//! What the operator sees while things run: one line at a time, each with the name of who says it.

use std::{
    io::{IsTerminal, Write},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
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

/// Whether the programs' own lines go to their logs alone.
static MUTED: AtomicBool = AtomicBool::new(false);

/// Leaves the lines of the programs out until what is returned here is dropped: a thousand requests of our own are
/// nothing to read, and would tear a progress bar apart.
#[must_use]
pub fn mute() -> Muted {
    MUTED.store(true, Ordering::Relaxed);
    Muted
}

/// See `mute`.
#[derive(Debug)]
pub struct Muted;

impl Drop for Muted {
    fn drop(&mut self) {
        MUTED.store(false, Ordering::Relaxed);
    }
}

/// Prints a line of a program.
pub fn relay(name: &str, text: &str) {
    if !MUTED.load(Ordering::Relaxed) {
        prefixed(name, text);
    }
}

/// Prints a line of this command itself.
pub fn say(text: &str) {
    prefixed("registrar", text);
}

fn prefixed(name: &str, text: &str) {
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
