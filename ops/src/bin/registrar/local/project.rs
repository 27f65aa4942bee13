//! Where things are: the root of the source tree, and under its `.local/` one folder per instance of the system.

use std::{
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{Error, account::Account, files, lock::Lock};

/// The source tree.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The source tree that holds the current folder.
    pub fn find() -> Result<Self, Error> {
        let here = std::env::current_dir().map_err(files::failed("find", "the current folder"))?;
        here.ancestors()
            .find(|folder| folder.join("ops/Cargo.toml").is_file() && folder.join("migrations").is_dir())
            .map(|root| Self { root: root.to_path_buf() })
            .ok_or(Error::NoProject)
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything is kept that belongs to this machine alone. Others may pass through it: the user that PostgreSQL
    /// runs as must; the secrets in it are private files.
    pub fn local(&self) -> Result<PathBuf, Error> {
        let local = self.root.join(".local");
        files::folder(&local, 0o755)?;
        Ok(local)
    }

    /// The instance of this name, whose folder is made where it is missing.
    pub fn instance(&self, name: &str) -> Result<Instance, Error> {
        let instance = Instance { project: self.clone(), name: name.to_owned(), folder: self.local()?.join(name) };
        files::folder(&instance.folder, 0o711)?;
        files::folder(&instance.logs(), 0o700)?;
        Ok(instance)
    }

    /// The instances whose name begins so.
    pub fn instances(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let local = self.local()?;
        let entries = std::fs::read_dir(&local).map_err(files::failed("read", &local))?;
        Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect())
    }

    /// A short name for this source tree, the same at each start, for what has to live outside of it.
    pub fn tag(&self) -> String {
        let path = self.root.as_os_str().as_encoded_bytes();
        Uuid::new_v5(&Uuid::NAMESPACE_URL, path).simple().to_string()[..12].to_owned()
    }

    /// Where things live that the user of PostgreSQL must reach when it cannot reach the source tree: a folder that
    /// outlives a reboot, with a name that is the same at each start, and that nobody else may write to.
    pub fn outside(&self) -> Result<PathBuf, Error> {
        let path = self.outside_path();
        match std::fs::DirBuilder::new().mode(0o711).create(&path) {
            Ok(()) => files::folder(&path, 0o711)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(&path).map_err(files::failed("read", &path))?;
                let ours =
                    found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o022 == 0;
                if !ours {
                    return Err(Error::Foreign(path));
                }
            }
            Err(error) => return Err(files::failed("make", &path)(error)),
        }
        Ok(path)
    }

    fn outside_path(&self) -> PathBuf {
        let lasting = Path::new("/var/tmp");
        let parent = if lasting.is_dir() { lasting.to_path_buf() } else { std::env::temp_dir() };
        parent.join(format!("registrar-{}", self.tag()))
    }
}

/// One running system (`up`, or a run of the tests) with a folder of its own.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The source tree that it belongs to.
    pub project: Project,
    /// `up` or `test-<pid>`.
    pub name: String,
    folder: PathBuf,
}

impl Instance {
    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where its logs are.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The log of one program.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{}.log", name.to_lowercase()))
    }

    /// Who works with this instance.
    pub fn lock_path(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Takes it for this process; an error names the process that has it.
    pub fn lock(&self) -> Result<Lock, Error> {
        Lock::take(&self.lock_path())
    }

    /// Where PostgreSQL's data goes: into the instance's folder, or outside where its user cannot get there.
    pub fn data_folder(&self, account: Option<&Account>) -> Result<PathBuf, Error> {
        match account {
            Some(account) if !account.can_enter(&self.folder) => {
                let outside = self.project.outside()?.join(&self.name);
                files::folder(&outside, 0o711)?;
                Ok(outside.join("postgres"))
            }
            _ => Ok(self.path("postgres")),
        }
    }

    /// Removes its data, in and outside of the source tree; the lock and the logs stay.
    pub fn clear(&self) -> Result<(), Error> {
        let kept = [self.lock_path(), self.logs()];
        for entry in std::fs::read_dir(&self.folder).map_err(files::failed("read", &self.folder))? {
            let path = entry.map_err(files::failed("read", &self.folder))?.path();
            if !kept.contains(&path) {
                files::remove(&path)?;
            }
        }
        self.clear_outside()
    }

    /// Removes all of it.
    pub fn remove(self) -> Result<(), Error> {
        self.clear_outside()?;
        files::remove(&self.folder)
    }

    fn clear_outside(&self) -> Result<(), Error> {
        if nix::unistd::geteuid().is_root() && self.project.outside_path().exists() {
            files::remove(&self.project.outside()?.join(&self.name))?;
        }
        Ok(())
    }
}
