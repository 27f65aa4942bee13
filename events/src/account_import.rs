//! A list of people on its way to becoming accounts: a job that may outlive the process that began it. The list itself
//! is not here; it lies sealed beside the log until the job has ended. No event of a job holds anything of the people.

use crate::{
    Aggregate, Event,
    ids::{AccountId, AccountImportId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to an import of accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum AccountImportEvent {
    /// A list was handed in.
    #[serde(rename = "registrar.account_import.started.v1")]
    Started {
        /// By whom, and in whose name the accounts are made.
        started_by: AccountId,
        /// Its size.
        bytes: u64,
        /// Whether it is only looked through.
        dry_run: bool,
    },
    /// The job came some way.
    #[serde(rename = "registrar.account_import.progressed.v1")]
    Progressed {
        /// Rows so far that became accounts, or in a dry run could.
        accepted: u64,
        /// Rows so far that did not.
        refused: u64,
        /// Why not, of the rows since the last such event; of one job no more than a thousand are told.
        errors: Vec<RowError>,
    },
    /// The list is at its end.
    #[serde(rename = "registrar.account_import.finished.v1")]
    Finished {
        /// Rows that became accounts, or in a dry run could.
        accepted: u64,
        /// Rows that did not.
        refused: u64,
    },
    /// The job was given up; the accounts that were made stay.
    #[serde(rename = "registrar.account_import.failed.v1")]
    Failed {
        /// Why.
        reason: ImportFailure,
    },
}

/// What is wrong with a row. It says where to look and nothing of what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowError {
    /// The line of the file that the row begins in, from 1; the header is line 1.
    pub line: u64,
    /// The column; `None` where the row as a whole is wrong.
    pub column: Option<String>,
    /// What is wrong, as a stable name.
    pub code: String,
}

/// Why a job was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportFailure {
    /// The list cannot be read any more.
    ListLost,
    /// Whoever started it may not make accounts any more.
    StarterLost,
}

impl ImportFailure {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ListLost => "list_lost",
            Self::StarterLost => "starter_lost",
        }
    }
}

/// An import as its events leave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountImport {
    /// Who started it; `None` until somebody did.
    pub started_by: Option<AccountId>,
    /// Whether the list is only looked through.
    pub dry_run: bool,
    /// Rows that became accounts, or could.
    pub accepted: u64,
    /// Rows that did not.
    pub refused: u64,
    /// How many errors were told.
    pub told: usize,
    /// Whether it is over, one way or the other.
    pub has_ended: bool,
}

impl AccountImport {
    /// Rows that are done.
    pub const fn rows(&self) -> u64 {
        self.accepted + self.refused
    }

    /// Whether there is something left to do.
    pub const fn is_running(&self) -> bool {
        self.started_by.is_some() && !self.has_ended
    }
}

impl Aggregate for AccountImport {
    const STREAM_TYPE: &'static str = "account_import";
    type Id = AccountImportId;
    type Event = AccountImportEvent;

    fn evolve(&mut self, event: &AccountImportEvent) {
        match event {
            AccountImportEvent::Started { started_by, dry_run, .. } => {
                self.started_by = Some(*started_by);
                self.dry_run = *dry_run;
            }
            AccountImportEvent::Progressed { accepted, refused, errors } => {
                (self.accepted, self.refused) = (*accepted, *refused);
                self.told += errors.len();
            }
            AccountImportEvent::Finished { accepted, refused } => {
                (self.accepted, self.refused) = (*accepted, *refused);
                self.has_ended = true;
            }
            AccountImportEvent::Failed { .. } => self.has_ended = true,
        }
    }

    fn own(event: Event) -> Option<AccountImportEvent> {
        if let Event::AccountImport(event) = event { Some(event) } else { None }
    }
}
