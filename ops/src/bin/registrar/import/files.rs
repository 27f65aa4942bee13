//! `import files`: accounts, courses, payments and enrolments of any system, from CSV files of one form.
//!
//! `listing` reads the files and says which rows it cannot take, `facts` turns a row into a fact. The help of the command
//! describes the files.

mod facts;
mod listing;

use std::path::PathBuf;

use clap::Args;

use super::{ImportError, Target, progress, report, send::Sender, table::Refused};
use crate::{local::console, signals};
use listing::Listing;

/// Imports accounts, courses, enrolments and payments of another system from a folder with CSV files.
#[derive(Debug, Args)]
#[command(
    after_help = "The folder holds at least one of four CSV files, each plain or compressed (`.csv.gz`), UTF-8, parted by \
commas, with a header that names the columns in any order. Columns in brackets may be left out; one that is not listed \
here stops the import before anything is posted. An empty value or `?` is not known.

  accounts.csv    key, email, role, first_name, last_name, created_at, [username], [portal_access], [password_hash]
      role is learner, instructor, auditor or admin, or student, trainee, candidate, teacher or trainer; portal_access is \
true or false, true without it. password_hash is a bcrypt hash, `$2b$`, of cost 4 to 14: its person logs in with their \
old password. Whoever has none, or one of another kind, which you leave out, asks for a new one (forgotten password).
  courses.csv     key, title, created_at, [description], [category], [price_minor], [currency], [owner], \
[thumbnail_url], [published_at], [archived_at]
      owner is the key of an account; without it, a course is yours. A category is made of each name, so that one which \
is here already is refused with its courses. Without published_at, a course is a draft.
  payments.csv    key, learner, course, amount_minor, currency, paid_at, [transaction_id], [status]
      Money that was taken and kept: status is completed, rows of another are refused. A payment opens its enrolment, \
at the time that enrolments.csv tells, else at its own, and is what gave the right to enter; so payments are posted \
before enrolments. An enrolment that an earlier import brought without its payment stays as it is.
  enrolments.csv  learner, course, enrolled_at, [completed_at], [withdrawn_at]

A key is what the other system calls something, up to 200 characters: a number, an address, a Firebase `uid`. learner \
and course are keys of accounts.csv and courses.csv, of this import or of an earlier one of the same --source. Money is \
counted in cents or whatever its currency's minor unit is: amount_minor 4999 and currency EUR are 49.99 euro. A time is \
`2024-05-01T12:30:00Z`, with its zone, or a day, `2024-05-01`, which begins at midnight UTC.

All files are read before anything is posted. A row that cannot be taken is refused alone, with its line and the reason; \
what names it is refused as well. Running it again, with what was mended or added, passes over what is there and changes \
nothing of it; after an interruption it takes up what is missing.

Examples:
  accounts.csv
      key,email,role,first_name,last_name,created_at
      u-17,ada@example.org,student,Ada,Lovelace,2023-09-01
  payments.csv
      key,learner,course,amount_minor,currency,paid_at
      inv-204,u-17,law,4999,EUR,2023-09-03T10:15:00+02:00

  registrar import files ~/export --source old-portal --dry-run
      only read the files, and tell what is wrong with them
  cargo ops import files ~/export --source old-portal
      into the system that `cargo ops up` runs here
  registrar import files ~/export --source old-portal --command-api https://… --query-api https://… --email ada@… \
--password-file ada.txt
      into another one

The exit code is 1 where rows were refused."
)]
pub struct Files {
    /// The folder with the CSV files
    folder: PathBuf,
    /// What the other system is called, always the same: keys are its own, and the events carry it
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    source: String,
    /// Post nothing; only read the files, and tell what is wrong with them
    #[arg(long)]
    dry_run: bool,
    /// Write all rows that were refused to this file, as CSV
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

fn source_name(text: &str) -> Result<String, &'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) {
        return Ok(text.to_owned());
    }
    Err("1 to 64 lower-case letters, digits, dots, underscores and hyphens are expected, such as old-portal")
}

impl Files {
    /// Reads, posts, waits and reports.
    pub async fn run(&self) -> Result<(), ImportError> {
        let importer = if self.dry_run { None } else { Some(self.target.find()?) };
        let reading = progress::Stage::begin("files", 1);
        let mut listing = Listing::read(&self.folder)?;
        reading.end(listing.rows(), &listing.to_string());
        if !listing.unread.is_empty() {
            console::plain(&format!("{:14} {}", "not read", listing.unread.join(", ")));
        }
        let mut refused = std::mem::take(&mut listing.refused);
        let Some(importer) = importer else {
            return self.report(&refused, "nothing was posted");
        };
        let cancel = signals::cancellation()?;
        let sender = Sender::new(&importer, &self.source, &cancel).await?;
        for (name, lines) in listing.stages().into_iter().filter(|(_, lines)| !lines.is_empty()) {
            refused.extend(sender.send(name, lines).await?.refused);
        }
        progress::wait_for_views(&importer, &cancel).await?;
        self.report(&refused, "the views show all that was taken")
    }

    fn report(&self, refused: &[Refused], done: &str) -> Result<(), ImportError> {
        report::refused(refused, self.refused.as_deref())?;
        console::plain(done);
        if refused.is_empty() { Ok(()) } else { Err(ImportError::Refused(refused.len())) }
    }
}

#[cfg(test)]
mod tests;
