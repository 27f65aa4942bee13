//! Processes that an earlier run of this command left behind: known again by pid and start time together, since a pid
//! alone may long belong to somebody else.

use std::{process::Command, time::Duration};

use nix::{sys::signal, unistd::Pid};
use serde::{Deserialize, Serialize};

/// One process, for as long as this machine runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its process id.
    pub pid: u32,
    started: String,
}

impl Identity {
    /// The identity of a process that runs now; a zombie does not.
    pub fn find(pid: u32) -> Option<Self> {
        let started = if cfg!(target_os = "linux") { started_by_proc(pid) } else { started_by_ps(pid) }?;
        Some(Self { pid, started })
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        Self::find(self.pid).as_ref() == Some(self)
    }

    /// Stops it: `first`, and when `grace` is over, SIGKILL. Returns when it is gone.
    pub async fn stop(&self, first: signal::Signal, grace: Duration) {
        send(self.pid, first);
        let gone = async {
            while self.is_running() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(grace, gone).await.is_err() && self.is_running() {
            send(self.pid, signal::Signal::SIGKILL);
        }
    }
}

/// Sends a signal to a process; one that has gone meanwhile needs none.
pub fn send(pid: u32, which: signal::Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::kill(Pid::from_raw(pid), which);
    }
}

/// Sends a signal to a process and all that it started.
pub fn send_to_group(pid: u32, which: signal::Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::killpg(Pid::from_raw(pid), which);
    }
}

/// The command line of a running process.
pub fn command_line(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    } else {
        ps(pid, "command=")
    }
}

/// Fields 3 (state) and 22 (start time in ticks after boot) of proc(5)'s `stat`, which follow the name in parentheses.
fn started_by_proc(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{} {}", boot.trim(), fields.nth(18)?))
}

fn started_by_ps(pid: u32) -> Option<String> {
    let state = ps(pid, "state=")?;
    if state.starts_with('Z') { None } else { ps(pid, "lstart=") }
}

fn ps(pid: u32, column: &str) -> Option<String> {
    let output = Command::new("ps").args(["-o", column, "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
