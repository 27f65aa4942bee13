//! What the processes use: memory and processor time, from /proc, and stopping them for a while, so that a reference is
//! measured alone.

use std::{collections::BTreeMap, fs, time::Duration};

use nix::sys::signal::Signal;

use crate::local::process;

/// Linux accounts processor time in hundredths of a second, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory of a process, in MB (10⁶ bytes). `None` once it is gone.
pub fn resident_mb(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// Processor time of each process with its children, such as PostgreSQL's, so far.
pub fn processor_seconds(processes: &[(String, u32)]) -> BTreeMap<String, f64> {
    let all = all();
    let used = |root: u32| {
        let family = all.iter().filter(|(pid, parent, _)| *pid == root || *parent == root);
        family.map(|(_, _, seconds)| seconds).sum()
    };
    processes.iter().map(|(name, pid)| (name.clone(), used(*pid))).collect()
}

/// The ids of each process and of its children, with the name of the process.
pub fn family(processes: &[(String, u32)]) -> BTreeMap<u32, String> {
    let name = |wanted: u32| processes.iter().find(|(_, pid)| *pid == wanted).map(|(name, _)| name.clone());
    all().into_iter().filter_map(|(pid, parent, _)| Some((pid, name(pid).or_else(|| name(parent))?))).collect()
}

/// Id, parent and processor time in seconds of all processes.
fn all() -> Vec<(u32, u32, f64)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| stat(pid).map(|(parent, seconds)| (pid, parent, seconds))).collect()
}

/// Parent, and user and system time in seconds: fields 4, 14 and 15 of proc(5)'s `stat`, children that ended included.
fn stat(pid: u32) -> Option<(u32, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let parent = fields.get(1)?.parse().ok()?;
    Some((parent, (number(11)? + number(12)? + number(13)? + number(14)?) / TICKS_PER_SECOND))
}

/// Processors that each process used between two looks.
pub fn processors(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, over: Duration) -> Vec<(String, f64)> {
    let used = |name: &str, seconds: f64| seconds - before.get(name).copied().unwrap_or_default();
    after.iter().map(|(name, seconds)| (name.clone(), used(name, *seconds) / over.as_secs_f64())).collect()
}

/// Processes that stand still until this is dropped.
#[derive(Debug)]
pub struct Halted(Vec<u32>);

impl Halted {
    /// Stops them (SIGSTOP).
    pub fn new(processes: &[(String, u32)]) -> Self {
        let pids: Vec<u32> = processes.iter().map(|(_, pid)| *pid).collect();
        for pid in &pids {
            process::send(*pid, Signal::SIGSTOP);
        }
        Self(pids)
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        for pid in &self.0 {
            process::send(*pid, Signal::SIGCONT);
        }
    }
}
