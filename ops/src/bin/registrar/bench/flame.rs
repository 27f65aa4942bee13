//! Where the time goes: an extra stretch of commands, after everything that is measured and compared with nothing, while
//! Linux's `perf` looks at what each processor does. This file tells when; `perf.rs` asks perf, `names.rs` tells whose a
//! process is, `stacks.rs` adds up what was seen, and `page.rs` draws it.

mod names;
mod page;
mod perf;
mod stacks;

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Plan,
    load::{self, Pace},
    people::People,
    throughput,
    world::World,
};
use crate::local::{self, files};
use names::Names;
pub use perf::Perf;
use stacks::Stacks;

/// Connections of the load.
const CONNECTIONS: usize = 64;
/// Seconds for which perf looks.
const SECONDS: u64 = 5;
/// The load ends with the recording; this is when it ends if perf does not.
const LONGEST: Duration = Duration::from_mins(1);
/// The page, and the stacks in the form that flame graph tools read, beside the report.
const FILES: [&str; 2] = [PAGE, "flame.folded"];
/// The name of the page.
pub const PAGE: &str = "flame.html";

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum NoProfile {
    /// There is no perf.
    #[error(
        "there is no `perf` on the PATH, which Linux alone has: install it (Debian: linux-perf, Ubuntu: \
         linux-tools-$(uname -r), Fedora: perf)"
    )]
    Absent,
    /// There is one, which does not work on this system.
    #[error("`perf` does not work here: install the one that belongs to this kernel")]
    Broken(#[source] local::Error),
    /// The kernel keeps it from looking at others.
    #[error(
        "perf may not look at all processes (kernel.perf_event_paranoid is {0}): be root, or `sudo sysctl \
         kernel.perf_event_paranoid=0`; a container needs --cap-add PERFMON and a seccomp profile that lets \
         perf_event_open through"
    )]
    Forbidden(String),
    /// The recording failed, or cannot be read.
    #[error("the recording of perf failed")]
    Perf(#[source] local::Error),
    /// The load failed.
    #[error("the load for perf failed")]
    Load(#[source] Box<Error>),
    /// Nothing was recorded.
    #[error("perf has seen none of the processes at work")]
    Nothing,
}

/// What was seen.
#[derive(Debug)]
pub struct Profile {
    stacks: Stacks,
}

/// Records a stretch of commands.
pub async fn measure(
    plan: &Plan,
    world: &World<'_>,
    people: &Arc<People>,
    perf: &Perf<'_>,
) -> Result<Profile, NoProfile> {
    plan.tell(&format!("where the time goes: {}", what()));
    let stop = plan.cancel.child_token();
    let (load, names) = tokio::join!(load(world, people, &stop), async {
        let recorded = perf.record(SECONDS, &plan.cancel).await.map_err(NoProfile::Perf);
        // While all of them still run.
        let names = world.pids().map(|pids| Names::look(&pids));
        stop.cancel();
        recorded.and(names.map_err(|error| NoProfile::Load(Box::new(error))))
    });
    let names = names?;
    load.map_err(|error| NoProfile::Load(Box::new(error)))?;
    let script = perf.script(&plan.cancel).await.map_err(NoProfile::Perf)?;
    let stacks = Stacks::of(stacks::samples(&script), |pid, command| names.path(pid, command));
    if stacks.samples() == 0 {
        return Err(NoProfile::Nothing);
    }
    let profile = Profile { stacks };
    let shares: Vec<String> = profile.rows().into_iter().map(|[name, share, _]| format!("{name} {share}")).collect();
    plan.tell(&format!("where the time goes: {}", shares.join(", ")));
    Ok(profile)
}

async fn load(world: &World<'_>, people: &Arc<People>, stop: &CancellationToken) -> Result<(), Error> {
    let requester = throughput::commands(world, people, CONNECTIONS)?;
    load::run(&requester, CONNECTIONS, Pace::Closed, LONGEST, stop).await?;
    Ok(())
}

impl Profile {
    /// The shares of the processes, as `report.json` has them.
    pub fn json(&self) -> Value {
        let processes = self.stacks.shares().into_iter().map(|share| {
            json!({ "process": share.name, "samples": share.samples, "share": share.of_all, "share_in_kernel": share.in_kernel })
        });
        json!({
            "during": what(),
            "samples": self.stacks.samples(),
            "processes": processes.collect::<Vec<_>>(),
        })
    }

    /// Rows for the report: process, share of the samples, and how much of that was in the kernel.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let shares = self.stacks.shares().into_iter();
        shares.map(|share| [share.name, percent(share.of_all), percent(share.in_kernel)]).collect()
    }

    /// What the numbers are of, for a reader.
    pub fn described(&self) -> String {
        format!("{}: {} samples of busy processors", what(), self.stacks.samples())
    }
}

fn what() -> String {
    format!("commands, {CONNECTIONS} connections, {SECONDS} s under perf")
}

/// Writes the page and the stacks into the folder of the report; without a profile, removes those of an earlier run.
pub fn write(folder: &Path, profile: Option<&Profile>) -> Result<(), local::Error> {
    let contents = profile.map(|profile| [page::html(&profile.stacks, &profile.described()), profile.stacks.folded()]);
    for (place, name) in FILES.into_iter().enumerate() {
        let path = folder.join(name);
        match &contents {
            Some(contents) => std::fs::write(&path, &contents[place]).map_err(files::failed("write", &path))?,
            None => files::remove(&path)?,
        }
    }
    Ok(())
}
