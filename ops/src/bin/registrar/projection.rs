//! `projection`: the views, by the projector's own hand. This command finds the projector and tells it where everything
//! is; what can be asked of it, and how it is done, the projector knows.

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;

use crate::local::{Error, keys::Keys, lock::Lock, project::Project, state::State};

/// Rebuilds, compares and steers the views. It works beside a running system.
#[derive(Debug, Args)]
#[command(after_help = "Actions:
  status              where every view is, and which streams stand aside and why
  rebuild <NAME>…     build views anew from the log beside the live ones, compare, and swap them in
  verify <NAME>…      the same without the swap; exit code 1 where they differ
  pause, resume <NAME>…
  retry <NAME> <STREAM>, skip <NAME> <STREAM>   what becomes of a stream that stands aside

Examples:
  cargo ops projection status
  cargo ops projection rebuild course_catalogue
  cargo ops projection verify --all --json
  cargo ops projection skip account_list account/01980000-0000-7000-8000-000000000001
  cargo ops projection rebuild --help

It works on the databases that DATABASE_URL and READ_DATABASE_URL name, with MASTER_KEY or MASTER_KEY_FILE, else on what
`up` has started here. Exit codes: 0 done, or equal; 1 different, or still parked; 2 failed.")]
pub struct Projection {
    /// What to do, and with which views
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "ACTION")]
    action: Vec<OsString>,
}

impl Projection {
    /// Becomes the projector; it returns only where that fails.
    pub fn run(&self) -> Result<(), Error> {
        let named = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let mut command = if named("READ_DATABASE_URL") || named("READ_DATABASE_URL_FILE") {
            Command::new(beside_this_program()?)
        } else {
            of_running_instance()?
        };
        let program = command.get_program().to_string_lossy().into_owned();
        Err(Error::Spawn { program, source: command.args(&self.action).exec() })
    }
}

fn of_running_instance() -> Result<Command, Error> {
    let instance = Project::find()?.instance("up")?;
    let state = match Lock::holder(&instance.lock_path())? {
        Some(up) => State::find(&instance, up)?,
        None => None,
    };
    let state = state.ok_or_else(|| {
        Error::Usage(
            "Registrar does not run here: `cargo ops up` starts it; or set DATABASE_URL, READ_DATABASE_URL and MASTER_KEY"
                .to_owned(),
        )
    })?;
    let keys = Keys::prepare(&instance)?;
    let mut command = Command::new(program_in(&state.binaries));
    command
        .env("DATABASE_URL", state.database_url)
        .env("READ_DATABASE_URL", state.read_database_url)
        .env("NATS_URL", state.nats_url)
        .env("MASTER_KEY_FILE", keys.master_key)
        .env_remove("MASTER_KEY");
    Ok(command)
}

fn beside_this_program() -> Result<PathBuf, Error> {
    let failed = |source| Error::Spawn { program: "projector".to_owned(), source };
    Ok(program_in(env::current_exe().map_err(failed)?.parent().unwrap_or(Path::new("."))))
}

fn program_in(folder: &Path) -> PathBuf {
    folder.join("projector")
}
