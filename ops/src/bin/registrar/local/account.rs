//! The user that PostgreSQL runs as: whoever runs this command, unless that is root, which PostgreSQL refuses.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{User, geteuid};

use super::{Error, files};

/// Tried in this order where the operator names none.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged user.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

impl Account {
    /// The user to become; none where this command does not run as root.
    pub fn find_unprivileged() -> Result<Option<Self>, Error> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let named = std::env::var("REGISTRAR_POSTGRES_USER").ok().filter(|name| !name.is_empty());
        let candidates: Vec<&str> = named.as_deref().map_or_else(|| CANDIDATES.to_vec(), |name| vec![name]);
        for name in &candidates {
            if let Ok(Some(user)) = User::from_name(name)
                && !user.uid.is_root()
            {
                return Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
            }
        }
        Err(Error::NoAccount(format!("there is no unprivileged user {}", candidates.join(" or "))))
    }

    /// Whether it may execute the program.
    pub fn can_run(&self, program: &Path) -> bool {
        self.succeeds(Command::new(program).arg("--version").current_dir("/"))
    }

    /// Whether it may pass into the folder.
    pub fn can_enter(&self, folder: &Path) -> bool {
        self.succeeds(Command::new("/bin/sh").args(["-c", "exit 0"]).current_dir(folder))
    }

    /// Hands a file or an empty folder over to it.
    pub fn own(&self, path: &Path) -> Result<(), Error> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(files::failed("change the owner of", path))
    }

    // The system changes user before it changes folder, so an unreachable folder fails the start.
    fn succeeds(&self, command: &mut Command) -> bool {
        command
            .uid(self.uid)
            .gid(self.gid)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
