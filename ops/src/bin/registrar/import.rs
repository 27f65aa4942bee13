//! `import`: takes history over from other systems. What every import does is here: it reads files whole before anything
//! is posted, posts facts in an order in which they need one another, waits until every view shows them, and reports the
//! rows that were not taken. One file per kind of source.

mod files;
mod oulad;
mod progress;
mod report;
mod send;
mod table;

use clap::{Args, Subcommand};
use ops::config::ConfigError;

use crate::{
    local,
    seed::client::{Client, ClientError, Session},
};

ops::secret_args! {
    /// The password of the account that imports.
    pub ImportPassword = "IMPORT_PASSWORD", "password";
}

/// Takes history over from another system, as events that are marked as imported.
#[derive(Debug, Args)]
#[command(
    after_help = "Everything goes through the command API, as what any client posts. Each fact has a key in its source, \
from which its id here is derived: running an import again, or after it was interrupted, passes over what is there and \
changes nothing. It ends when every view shows all of it, and lists the rows that were refused: file, line and why."
)]
pub struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// Accounts, courses, enrolments and payments of any system, from a folder with CSV files
    Files(files::Files),
    /// The Open University Learning Analytics Dataset, from a folder with its CSV files
    Oulad(oulad::Oulad),
}

/// Where an import goes, and as whom.
#[derive(Debug, Args)]
pub struct Target {
    /// The command API; without it, that of the `up` which runs here
    #[arg(long, env = "COMMAND_API", value_name = "URL")]
    command_api: Option<String>,
    /// The query API; without it, that of the `up` which runs here
    #[arg(long, env = "QUERY_API", value_name = "URL")]
    query_api: Option<String>,
    /// The admin who imports; without it, the sample superadmin of the `up` which runs here
    #[arg(long, env = "IMPORT_EMAIL", value_name = "ADDRESS")]
    email: Option<String>,
    #[command(flatten)]
    password: ImportPassword,
}

/// Why an import is not done, or not whole.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It was not said where it goes.
    #[error("{0}")]
    Usage(String),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What runs here cannot be told.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// There is nothing to import.
    #[error("{folder} holds none of {files}: `registrar import files --help` tells what is in them",
        folder = .folder.display())]
    Nothing {
        /// Where it was looked for.
        folder: std::path::PathBuf,
        /// What was looked for.
        files: String,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    Table(#[from] table::TableError),
    /// An API refused or is not there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The command API answered something else than its contract says.
    #[error("the command API does not answer imports as this program expects: are both of the same version?")]
    Answer(#[from] serde_json::Error),
    /// The log-in does not work.
    #[error("{0} does not log in with that password")]
    Credentials(String),
    /// It was stopped.
    #[error("interrupted; run the same command again: what is there is passed over")]
    Interrupted,
    /// The data is there, and not yet seen.
    #[error("everything was posted, and these projections have stood still for {} s: {_0}", progress::STANDSTILL.as_secs())]
    Behind(String),
    /// The report cannot be written.
    #[error("cannot write {path}", path = .0.display())]
    Report(std::path::PathBuf, #[source] std::io::Error),
    /// Views and files differ.
    #[error("the views do not show what the files hold: see the table above")]
    Differs,
    /// Not everything was taken.
    #[error("{0} rows were refused: see above")]
    Refused(usize),
}

impl Import {
    /// Imports.
    pub async fn run(&self) -> Result<(), ImportError> {
        match &self.source {
            Source::Files(files) => files.run().await,
            Source::Oulad(oulad) => oulad.run().await,
        }
    }
}

/// Both APIs, and somebody who is signed in to them.
struct Importer {
    client: Client,
    email: String,
    password: String,
}

impl Target {
    /// Where it goes: what was said, else what runs here.
    fn find(&self) -> Result<Importer, ImportError> {
        let password = self.password.optional()?.map(|password| password.expose().to_owned());
        let here = match (&self.command_api, &self.query_api, &self.email) {
            (Some(_), Some(_), Some(_)) => local::state::Status::default(),
            _ => running_here()?,
        };
        let missing = |what: &str| {
            ImportError::Usage(format!("no `up` runs here that could tell where to import to: give --{what}"))
        };
        let command_api = self.command_api.clone().or(here.command_api).ok_or_else(|| missing("command-api"))?;
        let query_api = self.query_api.clone().or(here.query_api).ok_or_else(|| missing("query-api"))?;
        let client = Client::new(&command_api, &query_api);
        if let Some(email) = self.email.clone() {
            let lacking = || ImportError::Usage("give the password with --password-file or IMPORT_PASSWORD".to_owned());
            return Ok(Importer { client, email, password: password.ok_or_else(lacking)? });
        }
        let login = here.logins.into_iter().find(|login| login.role == "superadmin").ok_or_else(|| missing("email"))?;
        Ok(Importer { client, email: login.email, password: login.password })
    }
}

fn running_here() -> Result<local::state::Status, ImportError> {
    match local::project::Project::find() {
        Ok(project) => Ok(local::state::Status::read(&project.instance("up")?)?),
        Err(local::Error::NoProject) => Ok(local::state::Status::default()),
        Err(error) => Err(error.into()),
    }
}

impl Importer {
    async fn log_in(&self) -> Result<Session, ImportError> {
        let session = self.client.log_in(&self.email, &self.password).await?;
        session.ok_or_else(|| ImportError::Credentials(self.email.clone()))
    }
}
