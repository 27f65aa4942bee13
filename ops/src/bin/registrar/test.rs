//! `test`: everything that must pass, in one command, with servers of its own.
//!
//! This file tells the steps and their order. What is checked without a program of others is in `test/structure.rs`
//! (the shape of the workspace) and `test/queries.rs` (the data in `.sqlx/`).

mod queries;
mod report;
mod structure;

use std::{path::PathBuf, time::SystemTime};

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::{
    local::{
        self, cargo, cluster, console, files, job, leftovers,
        project::{Instance, Project},
        servers::{self, Profile, Source, Wanted, docker, postgres::Postgres},
        supervisor::Supervisor,
    },
    migrate, signals,
    torture::{self, Length},
};
use report::Report;

/// Runs everything that must pass: the form, the structure, the lints, the SQL against the migrations, a minute
/// and a half of faults, all tests. It starts a PostgreSQL and a NATS of its own beside whatever runs, and removes them
/// afterwards.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo ops test                            all of it, up to the first failure
  cargo ops test --update                   accept today's SQL data, snapshots and schemas, then test
  cargo ops test --only tests -- -p events  the tests of one package; what follows `--` goes to `cargo nextest run`
  cargo ops test --keep-going               all of it, whatever fails

The steps: format, structure, servers, lint, deny, torture, tests. The exit code is 0 where all of them passed.")]
pub struct Test {
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    /// Rewrite what is checked in and compared: `.sqlx/`, snapshots, schemas
    #[arg(long)]
    update: bool,
    /// Only this step, with the servers where it needs them; may be given again
    #[arg(long, value_enum)]
    only: Vec<Step>,
    /// Where PostgreSQL and NATS come from
    #[arg(long, env = "REGISTRAR_SERVERS", value_enum, default_value = "auto")]
    servers: Source,
    /// For the test runner
    #[arg(last = true)]
    runner: Vec<String>,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// `cargo fmt --check`
    Format,
    /// Who depends on whom, and the names of the migrations
    Structure,
    /// Start PostgreSQL and NATS, and migrate
    Servers,
    /// `cargo clippy`, with every query checked against the migrations and compared with `.sqlx/`
    Lint,
    /// `cargo deny`, where it is installed
    Deny,
    /// Build the programs, and break each thing that can break once, under load (`cargo ops torture --once`)
    Torture,
    /// Build the programs and run all tests
    Tests,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Format, Self::Structure, Self::Servers, Self::Lint, Self::Deny, Self::Torture, Self::Tests];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Structure => "structure",
            Self::Servers => "servers",
            Self::Lint => "lint",
            Self::Deny => "deny",
            Self::Torture => "torture",
            Self::Tests => "tests",
        }
    }

    fn needs_servers(self) -> bool {
        matches!(self, Self::Lint | Self::Tests)
    }
}

/// Why a step, or the run, did not pass.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run failed, and its output has told why.
    #[error("the run failed")]
    Failed,
    /// It broke under faults; the report has told what.
    #[error("{0} promises were broken under faults")]
    Tortured(usize),
    /// Something local failed.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// The workspace is not shaped as it should be.
    #[error("{}", .0.join("\n"))]
    Structure(Vec<String>),
    /// The data in `.sqlx/` is not what the queries and the migrations give.
    #[error("{}\n`cargo ops test --update` rewrites .sqlx/", .0.join("\n"))]
    Queries(Vec<String>),
}

/// How a step ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// It passed.
    Ok,
    /// It was left out, and why.
    Skipped(&'static str),
}

/// What the steps share.
struct Run<'a> {
    test: &'a Test,
    project: Project,
    instance: Instance,
    supervisor: Supervisor,
    servers: Option<Started>,
    keep_logs: bool,
}

struct Started {
    postgres: Postgres,
    nats_url: String,
    nats_program: Option<PathBuf>,
}

/// Holds both schemas, for the queries of all crates.
const SCRATCH: &str = "registrar_scratch";
/// Copied by the tests that need a log.
const LOG_TEMPLATE: &str = "registrar_log_template";
/// Copied by the tests that need read models.
const READ_TEMPLATE: &str = "registrar_read_template";

impl Test {
    /// Runs the steps. The servers are stopped and their data removed however it ends.
    pub async fn run(self) -> Result<(), Error> {
        let cancel = signals::cancellation()?;
        let project = Project::find()?;
        leftovers::remove(&project, "test-", async |_| {}).await?;
        let instance = project.instance(&format!("test-{}", std::process::id()))?;
        let lock = instance.lock()?;
        let supervisor = Supervisor::new(&instance, cancel.clone());
        let mut run = Run { test: &self, project, instance, supervisor, servers: None, keep_logs: false };
        let passed = run.steps(&cancel).await;
        run.supervisor.stop().await;
        docker::clear_data(&run.instance).await;
        if run.keep_logs {
            // A message has named one of them; the next run removes them.
            run.instance.clear()?;
        } else {
            run.instance.remove()?;
        }
        drop(lock);
        passed
    }

    fn plan(&self) -> Vec<Step> {
        let asked = |step: &Step| self.only.is_empty() || self.only.contains(step);
        let servers = Step::ALL.iter().any(|step| asked(step) && step.needs_servers());
        Step::ALL.into_iter().filter(|step| asked(step) || (*step == Step::Servers && servers)).collect()
    }
}

impl Run<'_> {
    async fn steps(&mut self, cancel: &CancellationToken) -> Result<(), Error> {
        let plan = self.test.plan();
        let mut report = Report::new(plan.len());
        for step in &plan {
            if *step == Step::Tests {
                // What the runner prints at last is to be the last thing that one reads.
                report.print();
            }
            report.begin(*step);
            let passed = match *step {
                step if step.needs_servers() && self.servers.is_none() => Ok(Passed::Skipped("there are no servers")),
                step => self.perform(step, cancel).await,
            };
            let failed = passed.is_err();
            report.end(*step, &passed);
            if cancel.is_cancelled() || (failed && !self.test.keep_going) {
                break;
            }
        }
        if plan.last() != Some(&Step::Tests) || !report.has_begun(Step::Tests) {
            report.print();
        }
        if let Some(fate) = self.supervisor.fate() {
            return Err(fate.into());
        }
        if report.has_failed() || cancel.is_cancelled() { Err(Error::Failed) } else { Ok(()) }
    }

    async fn perform(&mut self, step: Step, cancel: &CancellationToken) -> Result<Passed, Error> {
        match step {
            Step::Format => {
                let mut format = cargo::cargo(&self.project);
                job::run("cargo fmt", format.args(["fmt", "--all", "--check"]), cancel).await?;
            }
            Step::Structure => structure::check(&self.project, &cargo::metadata(&self.project).await?)?,
            Step::Servers => {
                let started = self.start_servers(cancel).await;
                self.keep_logs = started.is_err() && !cancel.is_cancelled();
                self.servers = Some(started?);
            }
            Step::Lint => self.lint(cancel).await?,
            Step::Deny => return self.deny(cancel).await,
            Step::Torture => return self.torture(cancel).await,
            Step::Tests => self.tests(cancel).await?,
        }
        Ok(Passed::Ok)
    }

    async fn start_servers(&self, cancel: &CancellationToken) -> Result<Started, Error> {
        let wanted = Wanted { source: self.test.servers, profile: Profile::Test, postgres: true, nats: true };
        let servers = servers::start(&self.instance, wanted, &self.supervisor).await?;
        let (Some(postgres), Some(nats_url)) = (servers.postgres, servers.nats_url) else {
            return Err(local::Error::Usage("the servers were not started".to_owned()).into());
        };
        let schemas = async {
            cluster::create_databases(&postgres, &[SCRATCH, LOG_TEMPLATE, READ_TEMPLATE]).await?;
            migrate::both(&postgres.url(LOG_TEMPLATE), &postgres.url(READ_TEMPLATE)).await?;
            let scratch = postgres.url(SCRATCH);
            migrate::both(&scratch, &scratch).await
        };
        cancel.run_until_cancelled(schemas).await.unwrap_or(Err(local::Error::Interrupted))?;
        Ok(Started { postgres, nats_url, nats_program: servers.nats_program })
    }

    /// Clippy compiles every query of every crate against a live database, and the macros write down what they learn.
    async fn lint(&self, cancel: &CancellationToken) -> Result<(), Error> {
        let Some(started) = &self.servers else { return Ok(()) };
        let fresh = self.instance.path("queries");
        files::folder(&fresh, 0o700)?;
        // An argument that was never given before makes clippy look at each of our crates again, and at nothing else:
        // what the other builds have compiled stays as it is.
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let mut clippy = cargo::cargo(&self.project);
        clippy
            .args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
            .args(["--cfg", &format!("queries_checked_at=\"{now}\"")])
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", &fresh)
            // The projector names its tables without a schema, so that a rebuild can write others of the same names.
            .env("DATABASE_URL", format!("{}&options[search_path]=read", started.postgres.url(SCRATCH)));
        job::run("cargo clippy", &mut clippy, cancel).await?;
        let checked_in = self.project.root().join(".sqlx");
        if self.test.update {
            queries::update(&fresh, &checked_in)?;
        }
        queries::compare(&fresh, &checked_in)
    }

    async fn deny(&self, cancel: &CancellationToken) -> Result<Passed, Error> {
        let mut version = cargo::cargo(&self.project);
        if job::answer("cargo deny", version.args(["deny", "--version"])).await.is_err() {
            return Ok(Passed::Skipped("cargo-deny is not installed"));
        }
        let mut deny = cargo::cargo(&self.project);
        job::run("cargo deny", deny.args(["--locked", "deny", "check"]), cancel).await?;
        Ok(Passed::Ok)
    }

    /// Builds the programs; the answer is their folder.
    async fn build(&self, cancel: &CancellationToken) -> Result<PathBuf, Error> {
        let mut build = cargo::cargo(&self.project);
        job::run("the build", build.args(["build", "--workspace", "--bins", "--locked"]), cancel).await?;
        Ok(cargo::metadata(&self.project).await?.target_directory.join("debug"))
    }

    async fn torture(&self, cancel: &CancellationToken) -> Result<Passed, Error> {
        let binaries = self.build(cancel).await?;
        // The same faults each time, so that a failure is more likely the change's than the draw's.
        let run = torture::Run { length: Length::Once, seed: 1, source: self.test.servers, is_quiet: true };
        match run.perform(&self.project, &binaries, cancel).await {
            Err(local::Error::OutOfReach) => Ok(Passed::Skipped("the servers are in Docker, out of reach")),
            Err(error) => Err(error.into()),
            Ok(report) => {
                console::plain(&report.text());
                if report.passed { Ok(Passed::Ok) } else { Err(Error::Tortured(report.breaches.len())) }
            }
        }
    }

    async fn tests(&self, cancel: &CancellationToken) -> Result<(), Error> {
        let Some(started) = &self.servers else { return Ok(()) };
        let binaries = self.build(cancel).await?;
        let mut version = cargo::cargo(&self.project);
        let nextest = job::answer("cargo nextest", version.args(["nextest", "--version"])).await.is_ok();
        let mut runner = cargo::cargo(&self.project);
        let words: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
        // Beside `--workspace`, a package that the operator names would be one of all.
        let names_a_package = |word: &String| word.starts_with("-p") || word.starts_with("--package");
        let whole = (!self.test.runner.iter().any(names_a_package)).then_some("--workspace");
        runner
            .args(words)
            .args(whole)
            .arg("--locked")
            .args(&self.test.runner)
            .env("TEST_DATABASE_URL", started.postgres.url("postgres"))
            .env("TEST_NATS_URL", &started.nats_url)
            .env("REGISTRAR_BIN_DIR", binaries);
        if let Some(program) = &started.nats_program {
            runner.env("TEST_NATS_SERVER", program);
        }
        if self.test.update {
            runner.env("INSTA_UPDATE", "always").env("REGISTRAR_UPDATE_SCHEMAS", "1");
        }
        job::run("the tests", &mut runner, cancel).await?;
        Ok(())
    }
}
