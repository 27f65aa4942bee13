//! `torture`: Registrar under real faults. Its own servers and processes, two of each that may be two; people who send
//! commands, good and bad; and meanwhile whatever can go wrong. At the end the log, JetStream and the views are held
//! against what every client was told.
//!
//! This file tells the order of things. `stage` is what runs, `load` who uses it, `act` when a `fault` goes wrong, `readiness`
//! and `recovery` what is watched meanwhile, `audit` the reckoning.

mod act;
mod audit;
mod client;
mod disk;
mod fault;
mod ledger;
mod load;
mod proxy;
mod readiness;
mod recovery;
mod report;
mod school;
mod stage;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use futures::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use crate::{
    local::{
        self, cargo, console, job, leftovers,
        project::{Instance, Project},
        servers::Source,
        supervisor::Supervisor,
    },
    signals,
};
use act::Act;
use client::Client;
use disk::Disk;
use fault::Kind;
use ledger::Ledger;
use readiness::{Readiness, Seen};
use recovery::Observer;
use report::Findings;
pub use report::Report;
use school::School;
use stage::Stage;

/// What the instances of this command are called, before their process id.
const PREFIX: &str = "torture-";
/// The folder of the part of an instance that the read models' PostgreSQL is in.
const READ_PART: &str = "read";

/// Runs Registrar on servers of its own while it kills, cuts, stalls, fills and locks what it can, and then proves that
/// nothing acknowledged was lost or applied twice, that the log is whole, that JetStream and every view agree with it,
/// and that every process recovered by itself within 10 s and told the truth of its readiness meanwhile.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo ops torture                       ten minutes
  cargo ops torture --minutes 60          an hour
  cargo ops torture --seed 42             the same commands and faults again, as far as real processes allow
  cargo ops torture --once --json         each kind of fault once, and the report as JSON on standard output

It starts two PostgreSQL servers (one with the log, one with the read models), NATS, two command APIs, two projectors and
a query API, beside whatever runs, and removes all of it afterwards; after a broken promise the logs of all of them stay.
As root it also fills a real disk, a small file system in memory; else that error is injected. The exit code is 0 where
every promise was kept, else 1.")]
pub struct Torture {
    /// How long faults are brought about
    #[arg(long, default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// Bring each kind of fault about once, in a minute and a half, as `cargo ops test` does
    #[arg(long, conflicts_with = "minutes")]
    once: bool,
    /// What all random choices come from; drawn where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Build and run optimised
    #[arg(long)]
    release: bool,
    /// Use the binaries that were built before
    #[arg(long)]
    no_build: bool,
    /// Where PostgreSQL and NATS come from
    #[arg(long, env = "REGISTRAR_SERVERS", value_enum, default_value = "auto")]
    servers: Source,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "is no number of minutes".to_owned())?;
    if (0.1..=100_000.0).contains(&minutes) { Ok(minutes) } else { Err("must be between 0.1 and 100000".to_owned()) }
}

/// Why a run came to no good end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The report has told which promises were broken.
    #[error("{0} promises were broken")]
    Broken(usize),
    /// Something local failed.
    #[error(transparent)]
    Local(#[from] local::Error),
}

impl Torture {
    /// Builds, runs, and tells.
    pub async fn run(self) -> Result<(), Error> {
        let cancel = signals::cancellation()?;
        let project = Project::find()?;
        let binaries = self.build(&project, &cancel).await?;
        let run = Run {
            length: if self.once { Length::Once } else { Length::For(Duration::from_secs_f64(self.minutes * 60.0)) },
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            source: self.servers,
            is_quiet: self.json,
        };
        let report = run.perform(&project, &binaries, &cancel).await?;
        if self.json {
            console::plain(&serde_json::to_string_pretty(&report).unwrap_or_default());
        } else {
            console::plain(&report.text());
        }
        if report.passed { Ok(()) } else { Err(Error::Broken(report.breaches.len())) }
    }

    async fn build(&self, project: &Project, cancel: &CancellationToken) -> Result<PathBuf, Error> {
        let profile = if self.release { "release" } else { "debug" };
        let binaries = cargo::metadata(project).await?.target_directory.join(profile);
        if !self.no_build {
            let mut build = cargo::cargo(project);
            build.args(["build", "-p", "command-api", "-p", "projector", "-p", "query-api"]);
            build.args(self.release.then_some("--release"));
            job::run("the build", &mut build, cancel).await?;
        }
        Ok(binaries)
    }
}

/// How long faults are brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Until each kind came once, two at a time where they go together.
    Once,
    /// For so long.
    For(Duration),
}

impl fmt::Display for Length {
    /// As the command line says it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => write!(formatter, "--once"),
            Self::For(length) => write!(formatter, "--minutes {:.1}", length.as_secs_f64() / 60.0),
        }
    }
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// How long faults are brought about.
    pub length: Length,
    /// What all random choices come from.
    pub seed: u64,
    /// Where PostgreSQL and NATS come from.
    pub source: Source,
    /// Whether nothing is printed meanwhile.
    pub is_quiet: bool,
}

impl Run {
    /// Performs it. Everything that it starts is stopped, and its data removed, however it ends.
    pub async fn perform(
        self,
        project: &Project,
        binaries: &Path,
        cancel: &CancellationToken,
    ) -> Result<Report, local::Error> {
        leftovers::remove(project, PREFIX, async |name| disk::release_leftovers(project, name).await).await?;
        let instance = project.instance(&format!("{PREFIX}{}", std::process::id()))?;
        let lock = instance.lock()?;
        let disk = Disk::prepare(&stage::part(&instance, READ_PART)?).await?;
        let supervisor = Supervisor::tireless(&instance, cancel.clone());
        let directed = Box::pin(self.direct(&instance, binaries, &disk, &supervisor));
        let played = cancel.run_until_cancelled(directed).await;
        let mut report = played.unwrap_or(Err(local::Error::Interrupted));
        supervisor.stop().await;
        disk.release().await;
        match &mut report {
            Ok(report) if report.passed => instance.remove()?,
            Err(local::Error::Interrupted | local::Error::OutOfReach) => instance.remove()?,
            // A message names one of the logs; the next run removes them.
            Err(_) => instance.clear()?,
            Ok(report) => {
                report.repeat = Some(format!("cargo ops torture --seed {} {}", self.seed, self.length));
                report.logs = Some(instance.logs());
                instance.clear()?;
            }
        }
        drop(lock);
        report
    }

    async fn direct(
        self,
        instance: &Instance,
        binaries: &Path,
        disk: &Disk,
        supervisor: &Supervisor,
    ) -> Result<Report, local::Error> {
        let progress = self.progress();
        progress.set_message("setting the stage");
        let stage = Stage::set(instance, self.source, binaries, disk, supervisor).await?;
        let ledger = Arc::new(Ledger::default());
        let apis = |binary| stage.processes.iter().filter(move |process| process.role.binary == binary);
        let commands: Vec<String> = apis("command-api").filter_map(|process| process.api.clone()).collect();
        let queries = apis("query-api").find_map(|process| process.api.clone()).unwrap_or_default();
        let client = Arc::new(Client::new(&commands, queries, Arc::clone(&ledger)));
        let mut rng = StdRng::seed_from_u64(self.seed);
        let observer = Observer::of(&stage).await?;

        let mut findings = Findings {
            seed: self.seed,
            length: Duration::ZERO,
            faults: BTreeMap::new(),
            disk: disk.manner(),
            counts: ledger.counts(),
            seen: Seen::default(),
            audited: audit::Audited::default(),
            breaches: Vec::new(),
        };
        if let Some(school) = School::open(&client, &mut rng, &stage.bootstrap_token).await {
            let stop = CancellationToken::new();
            let people = load::start(&client, &Arc::new(school), self.seed, &stop);
            let seen = Mutex::new(Seen::default());
            let readiness = Readiness::new();
            let watching =
                join_all(stage.processes.iter().map(|process| readiness.watch(&stage, process, &ledger, &seen)));
            let act = Act { stage: &stage, observer: &observer, client: &client, readiness: &readiness, progress };
            let begun = Instant::now();
            tokio::select! {
                () = act.play(self.length, rng, &mut findings.faults) => {}
                _ = watching => {}
            }
            findings.length = begun.elapsed();
            findings.seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            act.progress.set_message("the last commands");
            stop.cancel();
            people.wait().await;
            act.progress.set_message("the reckoning");
            findings.audited = audit::audit(&stage, &observer, &ledger).await?;
            act.progress.finish_and_clear();
        }
        findings.counts = ledger.counts();
        findings.breaches = ledger.breaches();
        Ok(findings.into())
    }

    fn progress(self) -> ProgressBar {
        if self.is_quiet {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("  {bar:30} {elapsed_precise}  {msg}");
        let bar = ProgressBar::new(match self.length {
            Length::Once => Kind::ALL.len() as u64,
            Length::For(length) => length.as_secs(),
        });
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }
}
