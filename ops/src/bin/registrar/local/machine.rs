//! What the system tells of the machine, where it is Linux.

use std::fs;

/// The value of the first line of a file that begins with this name: `MemTotal:  24681044 kB`.
pub fn find(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Its memory, as it says: `24681044 kB`, of 1024 bytes each.
pub fn find_memory() -> Option<String> {
    find("/proc/meminfo", "MemTotal")
}
