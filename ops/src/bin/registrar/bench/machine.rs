//! What it was measured on, as far as the system tells.

use crate::local::machine;
use std::fs;

/// Names and values for the report.
pub fn describe(seconds: u64, repetitions: u32) -> Vec<(String, String)> {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let rows = [
        (
            "processor",
            machine::find("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        ),
        ("processors", processors.to_string()),
        ("memory", machine::find_memory().unwrap_or_default()),
        ("system", fs::read_to_string("/proc/version").unwrap_or_default().trim().to_owned()),
        ("load before the run (1, 5, 15 minutes)", load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("each stretch", format!("{seconds} s, {repetitions} times")),
        ("when", chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string()),
    ];
    rows.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
