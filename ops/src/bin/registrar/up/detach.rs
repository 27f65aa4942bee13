//! `up --detach`: the build in front, then the same command once more in a session of its own, and a wait until that is
//! ready. What it says goes into `logs/up.log`, and is shown from there while one waits.

use std::{
    env,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::Stdio,
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::Up;
use crate::local::{Error, console, files, job, lock::Lock, process, project::Instance, state::State};

/// Starts it in the background and returns when it is ready.
pub async fn run(up: &Up, instance: &Instance, cancel: &CancellationToken) -> Result<(), Error> {
    if let Some(pid) = Lock::holder(&instance.lock_path())? {
        return Err(Error::Running { pid });
    }
    up.build(&instance.project, cancel).await?;
    let log = instance.log("up");
    let child = start(up, &log)?;
    wait(child, instance, &log, cancel).await
}

/// Leaves the terminal's session, so that its end is not ours.
pub fn leave_terminal() {
    // It fails only for the leader of a group, who then has been put into the background already.
    let _ = nix::unistd::setsid();
}

fn start(up: &Up, log: &Path) -> Result<Child, Error> {
    files::remove(log)?;
    let output = files::append(log)?;
    let errors = output.try_clone().map_err(files::failed("write", log))?;
    let program = env::current_exe().map_err(files::failed("find", "this program"))?;
    // The environment is inherited: it carries the operator's settings.
    let mut command = Command::new(program);
    command.args(["up", "--background", "--no-build"]).stdin(Stdio::null()).stdout(output).stderr(errors);
    let flags = [(up.release, "--release"), (up.fresh, "--fresh"), (up.no_seed, "--no-seed")];
    command.args(flags.into_iter().filter_map(|(set, flag)| set.then_some(flag)));
    if let Some(source) = clap::ValueEnum::to_possible_value(&up.servers) {
        command.args(["--servers", source.get_name()]);
    }
    for (value, flag) in
        [(&up.database_url, "DATABASE_URL"), (&up.read_database_url, "READ_DATABASE_URL"), (&up.nats_url, "NATS_URL")]
    {
        if let Some(value) = value {
            command.env(flag, value);
        }
    }
    job::spawn(&mut command)
}

async fn wait(mut child: Child, instance: &Instance, log: &Path, cancel: &CancellationToken) -> Result<(), Error> {
    let pid = child.id().unwrap_or_default();
    let mut shown = Shown { file: File::open(log).map_err(files::failed("read", log))?, position: 0 };
    loop {
        let ready = State::find(instance, pid)?.is_some();
        let ended = child.try_wait().map_err(files::failed("wait for", "the background process"))?;
        shown.show();
        if ended.is_some() {
            return Err(Error::Told(log.to_path_buf()));
        }
        if ready {
            // The summary follows the state at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            shown.show();
            return Ok(());
        }
        if cancel.run_until_cancelled(tokio::time::sleep(Duration::from_millis(100))).await.is_none() {
            process::send(pid, Signal::SIGTERM);
            let _ = child.wait().await;
            shown.show();
            return Err(Error::Interrupted);
        }
    }
}

/// The part of a log that was shown already.
struct Shown {
    file: File,
    position: u64,
}

impl Shown {
    /// Shows the whole lines that have come since.
    fn show(&mut self) {
        let mut text = String::new();
        let read = self.file.seek(SeekFrom::Start(self.position)).and_then(|_| self.file.read_to_string(&mut text));
        let Some(end) = text.rfind('\n').filter(|_| read.is_ok()) else { return };
        console::plain(&text[..end]);
        self.position += end as u64 + 1;
    }
}
