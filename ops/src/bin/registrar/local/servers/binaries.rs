//! Finds what to start the servers from, and tells why where there is nothing.

use std::{
    env,
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use super::{
    super::{Error, console, job, project::Project},
    Binary, Origin, Source, docker,
    wheels::{self, Wheels},
};

/// The oldest PostgreSQL that will do.
const OLDEST_POSTGRES: u32 = 17;

/// One search for both servers: the wheels are installed, or fail to be, once.
#[derive(Debug)]
pub struct Search {
    project: Project,
    source: Source,
    cancel: CancellationToken,
    wheels: Option<Result<Wheels, String>>,
}

impl Search {
    /// A search in this source, or in all of them.
    pub fn new(project: Project, source: Source, cancel: CancellationToken) -> Self {
        Self { project, source, cancel, wheels: None }
    }

    /// What to start PostgreSQL from.
    pub async fn postgres(&mut self) -> Result<Origin, Error> {
        let of_wheels = |wheels: &Wheels| (wheels.postgres.clone(), wheels.postgres_folders.clone());
        self.find("PostgreSQL", "postgres", of_wheels, async || find_postgres().await).await
    }

    /// What to start NATS from.
    pub async fn nats(&mut self) -> Result<Origin, Error> {
        let of_wheels = |wheels: &Wheels| (wheels.nats.clone(), Vec::new());
        self.find("NATS", "nats-server", of_wheels, async || find_nats().await).await
    }

    async fn find(
        &mut self,
        server: &'static str,
        program: &str,
        of_wheels: impl Fn(&Wheels) -> (PathBuf, Vec<PathBuf>),
        on_path: impl AsyncFn() -> Result<Binary, String>,
    ) -> Result<Origin, Error> {
        let asked = |source| self.source == source || self.source == Source::Auto;
        let (ask_wheels, ask_path, ask_docker) = (asked(Source::Wheels), asked(Source::Path), asked(Source::Docker));
        let mut reasons = Vec::new();
        if ask_wheels {
            match self.wheels().await?.map(|wheels| of_wheels(&wheels)) {
                Ok((path, copied)) => {
                    let executable = if path.is_dir() { path.join(program) } else { path.clone() };
                    match version(&executable).await {
                        Ok(version) => return Ok(Origin::Binary(Binary { path, version, copied })),
                        Err(reason) => reasons.push(format!("wheels: {reason}")),
                    }
                }
                Err(reason) => reasons.push(format!("wheels: {reason}")),
            }
        }
        if ask_path {
            match on_path().await {
                Ok(binary) => return Ok(Self::fallen_back(server, &reasons, Origin::Binary(binary))),
                Err(reason) => reasons.push(format!("PATH: {reason}")),
            }
        }
        if ask_docker {
            match docker::check().await {
                Ok(()) => return Ok(Self::fallen_back(server, &reasons, Origin::Docker)),
                Err(reason) => reasons.push(format!("Docker: {reason}")),
            }
        }
        Err(Error::NoServer { server, reasons: reasons.join("; "), advice: advice(server) })
    }

    /// Tells why a source that comes first was not taken.
    fn fallen_back(server: &str, reasons: &[String], origin: Origin) -> Origin {
        if !reasons.is_empty() {
            console::say(&format!("{server} comes {} ({})", origin.described(), reasons.join("; ")));
        }
        origin
    }

    /// The wheels, or in one line why there are none; an interruption ends the search.
    async fn wheels(&mut self) -> Result<Result<Wheels, String>, Error> {
        if self.wheels.is_none() {
            let installed = match wheels::install(&self.project, &self.cancel).await {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(Error::Spawn { program, .. }) if program == "python3" => {
                    Err("there is no python3: install Python 3 with pip".to_owned())
                }
                Err(Error::Job { last, .. }) if last.contains("No module named") => {
                    Err("python3 has neither ensurepip nor pip: install python3-venv or python3-pip".to_owned())
                }
                result => result.map_err(|error| ops::config::chain(&error)),
            };
            self.wheels = Some(installed);
        }
        Ok(self.wheels.clone().unwrap_or_else(|| Err("not looked for".to_owned())))
    }
}

fn advice(server: &str) -> String {
    let (url, binary) = match server {
        "PostgreSQL" => ("DATABASE_URL and READ_DATABASE_URL", "postgres (17 or newer)"),
        _ => ("NATS_URL", "nats-server"),
    };
    format!("Install Python 3 with pip, or put {binary} on the PATH, or start Docker, or set {url}")
}

/// PostgreSQL's programs lie beside the real `postgres`: what the PATH names is often a link to it.
async fn find_postgres() -> Result<Binary, String> {
    let mut reason = "there is no postgres".to_owned();
    for program in on_path("postgres") {
        let Some(folder) = program.canonicalize().ok().and_then(|program| Some(program.parent()?.to_path_buf())) else {
            continue;
        };
        let version = version(&program).await?;
        if major(&version) < OLDEST_POSTGRES {
            reason = format!("{} is PostgreSQL {version}, and {OLDEST_POSTGRES} is needed", program.display());
        } else if folder.join("initdb").is_file() {
            return Ok(Binary { path: folder, version, copied: Vec::new() });
        } else {
            reason = format!("there is no initdb in {}", folder.display());
        }
    }
    Err(reason)
}

async fn find_nats() -> Result<Binary, String> {
    let path = on_path("nats-server").next().ok_or("there is no nats-server")?;
    let version = version(&path).await?;
    Ok(Binary { path, version, copied: Vec::new() })
}

fn on_path(program: &str) -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates: Vec<PathBuf> = env::split_paths(&path).map(|folder| folder.join(program)).collect();
    candidates.into_iter().filter(|candidate| candidate.is_file())
}

/// The version that a program names: the first word of its answer that begins with a digit, a leading `v` apart.
async fn version(program: &Path) -> Result<String, String> {
    let name = program.display().to_string();
    let answer = job::answer(&name, job::command(program).arg("--version")).await;
    let answer = answer.map_err(|error| ops::config::chain(&error))?;
    let words = answer.split_whitespace().map(|word| word.trim_start_matches('v'));
    let mut versions = words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    versions.next().map(str::to_owned).ok_or_else(|| format!("{name} names no version"))
}

/// The first number of a version.
pub fn major(version: &str) -> u32 {
    version.split(|character: char| !character.is_ascii_digit()).next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(major("18.6"), 18);
        assert_eq!(major("17beta1"), 17);
        assert_eq!(major("unknown"), 0);
    }
}
