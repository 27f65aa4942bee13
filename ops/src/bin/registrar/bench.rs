//! `bench`: how fast it is, in one command: servers and processes of its own, load, and references measured in the same
//! run on the same machine, so that what comes out is ratios.
//!
//! This file tells what is measured and in which order. Each measure has a file in `bench/`; the load generator is
//! `bench/load.rs`, what results are compared with `bench/reference.rs`.

mod figure;
mod flame;
mod flood;
mod freshness;
mod growth;
mod http;
mod load;
mod machine;
mod memory;
mod people;
mod plot;
mod reads;
mod rebuild;
mod reference;
mod report;
mod results;
mod sample;
mod throughput;
mod usage;
mod world;

use std::{os::unix::process::CommandExt, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::{
    local::{
        self, cargo, console, job, leftovers,
        project::{Instance, Project},
        servers::{Source, docker},
        supervisor::Supervisor,
    },
    migrate, seed, signals,
};
use flame::{NoProfile, Perf};
use people::People;
use reference::Reference;
use results::Results;
use world::World;

/// Measures Registrar on this machine, optimised, with a PostgreSQL and a NATS of its own beside whatever runs, and
/// removes them afterwards. Every result is compared with pgbench on the same server in the same run.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo ops bench                    all of it, about five minutes once it is built
  cargo ops bench --only P1,P5       commands and queries alone
  cargo ops bench --seconds 1 --repetitions 1   a glance
  cargo ops bench --only P1 --profile   commands, and a flame graph of their time
  cargo ops bench --large            P7 too: a log of ten million events
  cargo ops bench --json             report.json on standard output, and nothing else

The report is target/bench/report.html, with its numbers in report.json beside it. Measure on a machine that does nothing
else: the load generator shares its processors with what it measures, and the report says how much of them it used.")]
pub struct Bench {
    /// Only these measures
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MEASURES")]
    only: Vec<Measure>,
    /// Seconds of each stretch of load
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    repetitions: u32,
    /// Connections at once, for the commands
    #[arg(long, value_delimiter = ',', default_values_t = throughput::LEVELS, value_name = "NUMBERS")]
    connections: Vec<usize>,
    /// Learners who are signed in
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=10_000))]
    learners: u32,
    /// Measure P7 too, in a log of ten million events, which takes long to fill
    #[arg(long)]
    large: bool,
    /// Show where the time goes, in target/bench/flame.html: after all measures a few more seconds of commands, which no
    /// figure counts, are recorded with Linux's perf
    #[arg(long)]
    profile: bool,
    /// Print report.json instead of the table
    #[arg(long)]
    json: bool,
    /// Use the binaries that were built before
    #[arg(long)]
    no_build: bool,
    /// Where PostgreSQL and NATS come from
    #[arg(long, env = "REGISTRAR_SERVERS", value_enum, default_value = "auto")]
    servers: Source,
    /// The other half: this program itself, optimised
    #[arg(long, hide = true)]
    optimised: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Measure {
    /// Commands a second
    P1,
    /// Latency of one command
    P2,
    /// From a command's answer to its effect in a query
    P3,
    /// Rebuilding every view from a million events
    P4,
    /// Queries a second
    P5,
    /// Cost of an append over the size of the log; with --large, or asked for by name
    P7,
    /// Memory
    P8,
    /// Enrolments during a flood of log-ins
    P10,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something local failed.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// A database could not be used.
    #[error("a database of the benchmark failed")]
    Database(#[from] sqlx::Error),
    /// A database could not be migrated.
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    /// What is measured with could not be set up.
    #[error("the benchmark could not be set up")]
    SetUp(#[from] seed::client::ClientError),
    /// An account that was just made does not let one in.
    #[error("{0} cannot log in")]
    Locked(String),
    /// The load was answered otherwise than it has to be.
    #[error("a request of the load failed")]
    Load {
        /// How.
        source: http::CallError,
    },
    /// pgbench printed something else than results.
    #[error("pgbench printed no results: {0}")]
    Pgbench(String),
    /// Metrics cannot be read.
    #[error("the metrics cannot be read")]
    Metrics(#[from] reqwest::Error),
    /// A metric is missing.
    #[error("the command API has no metric {0}")]
    Metric(String),
    /// The projector did not report on its rebuild.
    #[error("the projector did not tell how fast it rebuilt")]
    Rebuild,
    /// Somebody does not catch up.
    #[error("{0} is still behind after three minutes")]
    Behind(&'static str),
    /// Every learner has paid for every course.
    #[error("there is nothing left to pay for: use more --learners, or fewer --seconds")]
    UsedUp,
}

/// How it is measured.
#[derive(Debug)]
pub struct Plan {
    /// How long each stretch is.
    pub length: Duration,
    /// How often each is measured.
    pub repetitions: u32,
    /// Connections at once, for the commands.
    pub connections: Vec<usize>,
    /// Ends all of it.
    pub cancel: CancellationToken,
    quiet: bool,
}

impl Plan {
    /// Tells what is missing, beside the results.
    pub fn warn(&self, text: &str) {
        if self.quiet {
            eprintln!("{text}");
        } else {
            console::say(text);
        }
    }

    /// Tells what is being done.
    pub fn tell(&self, text: &str) {
        if !self.quiet {
            console::say(text);
        }
    }
}

impl Bench {
    /// Builds, and goes on in the optimised program; there, measures. The instance is removed however it ends.
    pub async fn run(self) -> Result<(), Error> {
        let project = Project::find()?;
        let cancel = signals::cancellation()?;
        let target = cargo::metadata(&project).await?.target_directory;
        let binaries = target.join("release");
        if !self.optimised {
            return Err(self.go_on_optimised(&project, &binaries, &cancel).await);
        }
        leftovers::remove(&project, "bench-", async |_| {}).await?;
        let instance = project.instance(&format!("bench-{}", std::process::id()))?;
        let lock = instance.lock()?;
        let supervisor = Supervisor::new(&instance, cancel.clone());
        let plan = Plan {
            length: Duration::from_secs(self.seconds),
            repetitions: self.repetitions,
            connections: self.connections.clone(),
            cancel,
            quiet: self.json,
        };
        let measured = self.measure(&plan, &instance, &binaries, &supervisor).await;
        supervisor.stop().await;
        docker::clear_data(&instance).await;
        if measured.is_ok() || plan.cancel.is_cancelled() {
            instance.remove()?;
        } else {
            // A message may have named a log; the next run removes it.
            instance.clear()?;
        }
        drop(lock);
        self.conclude(&target.join("bench"), &mut measured?)
    }

    /// Builds everything optimised and becomes the optimised program; it comes back only with an error.
    async fn go_on_optimised(
        &self,
        project: &Project,
        binaries: &std::path::Path,
        cancel: &CancellationToken,
    ) -> Error {
        if !self.no_build {
            if !self.json {
                console::say("building everything optimised; the first time takes minutes");
            }
            let mut build = cargo::cargo(project);
            build.args(["build", "--release", "--workspace", "--bins", "--examples"]);
            if let Err(error) = job::run("the build", &mut build, cancel).await {
                return error.into();
            }
        }
        let program = binaries.join("registrar");
        let mut optimised = std::process::Command::new(&program);
        optimised.args(std::env::args_os().skip(1)).arg("--optimised");
        let source = optimised.exec();
        local::Error::Spawn { program: program.display().to_string(), source }.into()
    }

    fn wants(&self, measures: &[Measure]) -> bool {
        self.only.is_empty() || measures.iter().any(|measure| self.only.contains(measure))
    }

    async fn measure(
        &self,
        plan: &Plan,
        instance: &Instance,
        binaries: &std::path::Path,
        supervisor: &Supervisor,
    ) -> Result<Results, Error> {
        let mut results = Results::default();
        let perf = if self.profile { unless_missing(plan, Perf::find(instance).await)? } else { None };
        plan.tell("starting servers and processes");
        let world = World::start(instance, self.servers, binaries, supervisor).await?;
        results.machine = machine::describe(self.seconds, self.repetitions);
        results.settings = world.settings().await?;
        let settings: Vec<String> = results.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        plan.tell(&settings.join(" "));
        if self.wants(&[Measure::P8]) {
            memory::measure(plan, &world, &mut results).await?;
        }
        plan.tell(&format!("setting up: {} learners register and sign in", self.learners));
        let learners = usize::try_from(self.learners).unwrap_or(usize::MAX);
        let people = plan.cancel.run_until_cancelled(People::gather(&world, learners)).await;
        let people = people.unwrap_or(Err(local::Error::Interrupted.into()))?;
        let reference = self.reference(&world, &people, plan).await?;
        // What waits for the projector comes before what drowns it.
        if self.wants(&[Measure::P5]) {
            reads::measure(plan, &world, &people, &reference, &mut results).await?;
        }
        if self.wants(&[Measure::P3]) {
            freshness::measure(plan, &world, &people, &mut results).await?;
        }
        if self.wants(&[Measure::P10]) {
            flood::measure(plan, &world, &people, &mut results).await?;
        }
        if self.wants(&[Measure::P1, Measure::P2, Measure::P8]) {
            throughput::measure(plan, &world, &people, &reference, &mut results).await?;
        }
        if self.wants(&[Measure::P4]) {
            rebuild::measure(plan, &world, &people, binaries, &mut results).await?;
        }
        if self.large || self.only.contains(&Measure::P7) {
            growth::measure(plan, &world, binaries, &mut results).await?;
        }
        if let Some(perf) = perf {
            results.profile = unless_missing(plan, flame::measure(plan, &world, &people, &perf).await)?;
        }
        results.sort();
        Ok(results)
    }

    /// pgbench, with the payload of a payment that was made for this.
    async fn reference(
        &self,
        world: &World<'_>,
        people: &std::sync::Arc<People>,
        plan: &Plan,
    ) -> Result<Reference, Error> {
        let paying = std::sync::Arc::clone(people);
        let requester = load::Requester::new(world.command_api()?, 201, move |request| {
            paying.write_next_payment(request);
        });
        let moment = Duration::from_millis(50);
        load::run(&requester, 1, load::Pace::Closed, moment, &plan.cancel).await?;
        let (data, metadata) = world.event_of("registrar.payment.captured.v1").await?;
        Reference::prepare(world.instance, &world.postgres, data.to_string(), metadata.to_string()).await
    }

    fn conclude(&self, folder: &std::path::Path, results: &mut Results) -> Result<(), Error> {
        let report: PathBuf = report::write(folder, results)?;
        if self.json {
            console::plain(&format!("{:#}", results.json()));
        } else {
            console::plain(&format!("\n{}\n\nThe report: {}", results.table(), report.display()));
        }
        Ok(())
    }
}

/// The results are worth having without a profile: what it lacks is told, and all goes on.
fn unless_missing<T>(plan: &Plan, found: Result<T, NoProfile>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(_) if plan.cancel.is_cancelled() => Err(local::Error::Interrupted.into()),
        Err(missing) => {
            plan.warn(&format!("no flame graph: {}", ops::config::chain(&missing)));
            Ok(None)
        }
    }
}
