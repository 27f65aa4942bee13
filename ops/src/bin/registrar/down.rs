//! `down`: stops what `up` has started, whether it stands in front, in the background, or was killed and left servers.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::local::{Error, console, lock::Lock, process, project::Project, state::State, supervisor};

/// Longer than all bounded stops together.
const LIMIT: Duration = Duration::from_mins(3);

/// Stops it, and returns when it is stopped; nothing to stop is no failure.
pub async fn run() -> Result<(), Error> {
    let project = Project::find()?;
    let instance = project.instance("up")?;
    let lock = instance.lock_path();
    if let Some(pid) = Lock::holder(&lock)? {
        console::plain(&format!("stopping Registrar (pid {pid}); the data is kept"));
        process::send(pid, Signal::SIGTERM);
        let begun = Instant::now();
        while Lock::holder(&lock)? == Some(pid) {
            if begun.elapsed() > LIMIT {
                return Err(Error::Slow {
                    name: "the stop".to_owned(),
                    seconds: LIMIT.as_secs(),
                    log: instance.log("up"),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        console::plain("stopped");
        return Ok(());
    }
    let _lock = instance.lock()?;
    let left = supervisor::stop_leftovers(&instance).await?;
    State::remove(&instance)?;
    if left.is_empty() {
        console::plain("nothing runs here");
    } else {
        console::plain(&format!("stopped what a killed `up` had left running: {}", left.join(", ")));
    }
    Ok(())
}
