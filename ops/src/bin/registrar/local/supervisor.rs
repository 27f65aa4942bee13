//! Programs that stay: started in an order, watched, started again when they die, and stopped in the reverse order.
//!
//! Who runs is written to `processes.json` of the instance, so that a later run of this command can stop what an
//! earlier one that was killed has left behind, and never a process of somebody else.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::{
    process::Child,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    account::Account,
    console, files, job,
    process::{self, Identity},
    project::Instance,
};

/// A program that dies more often than this within `PERIOD` stays dead, and everything is stopped.
const MOST_RESTARTS: usize = 5;
const PERIOD: Duration = Duration::from_mins(1);
/// How soon a tireless supervisor starts a program again.
const SOON: Duration = Duration::from_millis(200);

/// How to start a program that stays, and how to stop it.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name for people.
    pub name: &'static str,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it gets beside the inherited environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// Who it runs as, where that is not the user of this command.
    pub account: Option<Account>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
    /// Whether its output is shown too.
    pub shown: bool,
    /// What asks it to stop.
    pub stop: Stop,
}

/// How a program is stopped: the signal that asks, how long it may take, the signal that ends it.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// What asks.
    pub ask: Signal,
    /// How long it may take.
    pub grace: Duration,
    /// What ends it.
    pub end: Signal,
}

/// All programs of one instance.
#[derive(Debug)]
pub struct Supervisor {
    records: Arc<Records>,
    cancel: CancellationToken,
    fate: Arc<Mutex<Option<Error>>>,
    kept: Mutex<Vec<Kept>>,
    /// Programs that stay dead until they are released.
    held: watch::Sender<BTreeSet<&'static str>>,
    is_tireless: bool,
}

#[derive(Debug)]
struct Kept {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Of this instance; `cancel` is set by a signal, and by this supervisor when a program keeps dying.
    pub fn new(instance: &Instance, cancel: CancellationToken) -> Self {
        Self {
            records: Arc::new(Records::new(instance)),
            cancel,
            fate: Arc::default(),
            kept: Mutex::default(),
            held: watch::Sender::default(),
            is_tireless: false,
        }
    }

    /// One for programs that are killed on purpose: it starts them again as often as they die, at once and without a
    /// word.
    pub fn tireless(instance: &Instance, cancel: CancellationToken) -> Self {
        Self { is_tireless: true, ..Self::new(instance, cancel) }
    }

    /// Sends a signal to a program, where it runs.
    pub fn signal(&self, name: &str, which: Signal) {
        if let Some(identity) = self.records.find(name).filter(Identity::is_running) {
            process::send(identity.pid, which);
        }
    }

    /// Lets a program stay dead once it has died, until it is released.
    pub fn hold(&self, name: &'static str) {
        self.held.send_modify(|held| {
            held.insert(name);
        });
    }

    /// Starts a program again that was held.
    pub fn release(&self, name: &'static str) {
        self.held.send_modify(|held| {
            held.remove(name);
        });
    }

    /// What ends the wait for anything.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Starts a program and returns when `check` says that it is ready. If it stops before, that is an error; once it is
    /// ready, it is started again whenever it dies.
    pub async fn start(&self, program: Program, limit: Duration, check: impl AsyncFn() -> bool) -> Result<(), Error> {
        let name = program.name;
        let log = program.log.clone();
        let child = spawn(&program)?;
        let order = guard(&self.kept).len();
        self.records.began(&program, order, &child);
        let (stop, stopped) = oneshot::channel();
        let (ended, mut has_ended) = watch::channel(None);
        let settled = Arc::new(AtomicBool::new(false));
        let keeper = Keeper {
            program,
            order,
            records: Arc::clone(&self.records),
            cancel: self.cancel.clone(),
            fate: Arc::clone(&self.fate),
            settled: Arc::clone(&settled),
            ended,
            held: self.held.subscribe(),
            is_tireless: self.is_tireless,
        };
        let task = tokio::spawn(keeper.keep(child, stopped));
        guard(&self.kept).push(Kept { stop, task });
        let ready = async {
            loop {
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => return Err(Error::Interrupted),
                    ended = has_ended.wait_for(Option::is_some) => {
                        let how = ended.ok().and_then(|how| how.clone()).unwrap_or_default();
                        return Err(Error::Died { name: name.to_owned(), how, last: files::last_words(&log), log: log.clone() });
                    }
                    ready = check() => if ready { return Ok(()) },
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let slow = || Error::Slow { name: name.to_owned(), seconds: limit.as_secs(), log: log.clone() };
        timeout(limit, ready).await.unwrap_or_else(|_| Err(slow()))?;
        settled.store(true, Ordering::Release);
        Ok(())
    }

    /// Stops everything, the last started first.
    pub async fn stop(&self) {
        let kept = std::mem::take(&mut *guard(&self.kept));
        for Kept { stop, task } in kept.into_iter().rev() {
            // An error says that the program has been given up already.
            let _ = stop.send(());
            let _ = task.await;
        }
    }

    /// Why everything had to be stopped, where a program kept dying.
    pub fn fate(&self) -> Option<Error> {
        guard(&self.fate).take()
    }
}

/// Keeps one program alive until it is told to stop.
struct Keeper {
    program: Program,
    order: usize,
    records: Arc<Records>,
    cancel: CancellationToken,
    fate: Arc<Mutex<Option<Error>>>,
    settled: Arc<AtomicBool>,
    ended: watch::Sender<Option<String>>,
    held: watch::Receiver<BTreeSet<&'static str>>,
    is_tireless: bool,
}

impl Keeper {
    async fn keep(self, mut child: Child, mut stopped: oneshot::Receiver<()>) {
        let name = self.program.name;
        let mut deaths: VecDeque<Instant> = VecDeque::new();
        loop {
            let how = tokio::select! {
                status = child.wait() => status.map_or_else(|error| error.to_string(), job::how),
                _ = &mut stopped => return self.stop(child).await,
            };
            self.records.ended(name);
            if !self.settled.load(Ordering::Acquire) {
                self.ended.send_replace(Some(how));
                return;
            }
            let Some(pause) = self.pause(&how, &mut deaths) else { return };
            let mut held = self.held.clone();
            let may_start = async {
                sleep(pause).await;
                // An error says that nobody holds anything any more.
                let _ = held.wait_for(|held| !held.contains(name)).await;
            };
            tokio::select! {
                () = may_start => {}
                _ = &mut stopped => return,
            }
            match spawn(&self.program) {
                Ok(started) => child = started,
                Err(error) => {
                    *guard(&self.fate) = Some(error);
                    self.cancel.cancel();
                    return;
                }
            }
            self.records.began(&self.program, self.order, &child);
        }
    }

    /// How long to wait before the program is started again; none where it has died too often.
    fn pause(&self, how: &str, deaths: &mut VecDeque<Instant>) -> Option<Duration> {
        if self.is_tireless {
            return Some(SOON);
        }
        let (name, log) = (self.program.name, self.program.log.display());
        deaths.push_back(Instant::now());
        while deaths.front().is_some_and(|death| death.elapsed() > PERIOD) {
            deaths.pop_front();
        }
        if deaths.len() > MOST_RESTARTS {
            console::say(&format!(
                "{name} died again ({how}), {MOST_RESTARTS} restarts did not help; its log is {log}"
            ));
            *guard(&self.fate) = Some(Error::GaveUp { name: name.to_owned(), log: self.program.log.clone() });
            self.cancel.cancel();
            return None;
        }
        let pause = Duration::from_millis(200) * (1 << (deaths.len() - 1));
        console::say(&format!("{name} died ({how}) and starts again in {pause:.1?}; its log is {log}"));
        Some(pause)
    }

    async fn stop(&self, mut child: Child) {
        let Stop { ask, grace, end } = self.program.stop;
        if let Some(pid) = child.id() {
            process::send(pid, ask);
            if timeout(grace, child.wait()).await.is_err() {
                process::send(pid, end);
                if timeout(Duration::from_secs(5), child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
            }
        }
        self.records.ended(self.program.name);
    }
}

fn spawn(program: &Program) -> Result<Child, Error> {
    let mut command = job::command(&program.path);
    command
        .args(&program.arguments)
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&program.folder);
    job::run_as(&mut command, program.account.as_ref());
    let log = files::append(&program.log)?;
    if program.shown {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    } else {
        let errors = log.try_clone().map_err(files::failed("write", &program.log))?;
        command.stdout(log).stderr(errors);
        return job::spawn(&mut command);
    }
    let mut child = job::spawn(&mut command)?;
    if let Some(output) = child.stdout.take() {
        tokio::spawn(show(program.name, output, program.log.clone()));
    }
    if let Some(errors) = child.stderr.take() {
        tokio::spawn(show(program.name, errors, program.log.clone()));
    }
    Ok(child)
}

/// Copies what a program says, line by line, to the console and to its log.
async fn show(name: &'static str, output: impl tokio::io::AsyncRead + Unpin, log: PathBuf) {
    use std::io::Write;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
    /// A longer line is shown in pieces.
    const LONGEST: u64 = 64 * 1024;
    let Ok(mut log) = files::append(&log) else { return };
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while (&mut output).take(LONGEST).read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        console::relay(name, text);
        // A full disk must not stop the output, nor block the program that writes it.
        let _ = writeln!(log, "{text}");
        line.clear();
    }
}

/// One running program in `processes.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Who it is.
    #[serde(flatten)]
    pub identity: Identity,
    /// Position in the order of starting.
    order: usize,
    /// Whether SIGINT rather than SIGTERM asks it to stop.
    interrupt: bool,
}

#[derive(Debug)]
struct Records {
    path: PathBuf,
    running: Mutex<BTreeMap<String, Record>>,
}

impl Records {
    fn new(instance: &Instance) -> Self {
        Self { path: path(instance), running: Mutex::default() }
    }

    fn began(&self, program: &Program, order: usize, child: &Child) {
        let Some(identity) = child.id().and_then(Identity::find) else { return };
        let mut running = guard(&self.running);
        let interrupt = program.stop.ask == Signal::SIGINT;
        running.insert(program.name.to_owned(), Record { identity, order, interrupt });
        self.write(&running);
    }

    fn find(&self, name: &str) -> Option<Identity> {
        guard(&self.running).get(name).map(|record| record.identity.clone())
    }

    fn ended(&self, name: &str) {
        let mut running = guard(&self.running);
        running.remove(name);
        self.write(&running);
    }

    fn write(&self, running: &BTreeMap<String, Record>) {
        if let Err(error) = files::write_json(&self.path, running) {
            console::say(&ops::config::chain(&error));
        }
    }
}

fn path(instance: &Instance) -> PathBuf {
    instance.path("processes.json")
}

/// The programs of an instance that run now, by name.
pub fn running(instance: &Instance) -> Result<BTreeMap<String, Record>, Error> {
    let mut records: BTreeMap<String, Record> = files::find_json(&path(instance))?.unwrap_or_default();
    records.retain(|_, record| record.identity.is_running());
    Ok(records)
}

/// Stops what an earlier run of this command, now dead, has left running. Whoever calls this holds the instance's lock.
pub async fn stop_leftovers(instance: &Instance) -> Result<Vec<String>, Error> {
    let mut left: Vec<_> = running(instance)?.into_iter().collect();
    left.sort_by_key(|(_, record)| std::cmp::Reverse(record.order));
    for (_, record) in &left {
        let ask = if record.interrupt { Signal::SIGINT } else { Signal::SIGTERM };
        record.identity.stop(ask, Duration::from_secs(25)).await;
    }
    files::remove(&path(instance))?;
    Ok(left.into_iter().map(|(name, _)| name).collect())
}

/// Removes the log of an earlier run, so that a log tells of this run alone.
pub fn fresh_log(log: &Path) -> Result<(), Error> {
    files::remove(log)
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
