//! `cargo`, called by this command.

use std::path::PathBuf;

use serde::Deserialize;
use tokio::process::Command;

use super::{Error, job, project::Project};

/// A call of the cargo that runs this command, at the root of the source tree.
pub fn cargo(project: &Project) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = job::command(program);
    command.current_dir(project.root());
    // Where `cargo run` started this command, it said of which package. A build script that asks for that (ring's does)
    // would run again whenever a build from here follows one from a shell, and all that depends on it be compiled anew.
    for (name, _) in std::env::vars_os() {
        let is_of_a_package =
            |name: &str| name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_of_a_package) {
            command.env_remove(name);
        }
    }
    // Building never asks a database: the data in `.sqlx/` answers.
    command.env("SQLX_OFFLINE", "true");
    command
}

/// The part of `cargo metadata` that is used here.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// The packages of the workspace.
    pub packages: Vec<Package>,
    /// Where what was built lies.
    pub target_directory: PathBuf,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What its manifest asks for.
    pub dependencies: Vec<Dependency>,
}

/// One dependency in a manifest.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// `dev` or `build`; none is an ordinary dependency.
    pub kind: Option<String>,
}

/// What cargo knows of the workspace.
pub async fn metadata(project: &Project) -> Result<Metadata, Error> {
    let mut command = cargo(project);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let answer = job::answer("cargo metadata", &mut command).await?;
    serde_json::from_str(&answer).map_err(|source| Error::Json { path: "cargo metadata".into(), source })
}
