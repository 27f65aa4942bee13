//! `import oulad`: the Open University Learning Analytics Dataset (Kuzilek, Hlosta and Zdrahal 2017, CC BY 4.0).
//!
//! `dataset` reads the five files and says which rows it cannot take, `history` turns rows into facts, `check` compares
//! what the views show with the files. The help of the command describes the files.

mod check;
mod dataset;
mod history;

use std::path::PathBuf;

use clap::Args;

use super::{ImportError, Target, progress, report, send::Sender};
use crate::{local::console, signals};
use dataset::Dataset;

/// The name under which the facts come in; the events carry it.
const SOURCE: &str = "oulad";

/// Imports the Open University Learning Analytics Dataset from a folder with its five CSV files.
#[derive(Debug, Args)]
#[command(
    after_help = "The folder holds five CSV files, each plain or compressed (`.csv.gz`), UTF-8, parted by commas, with a \
header. Columns are found by name; others than these are not read. An empty value or `?` is not known. Days are counted \
from the start of the presentation: 2013B starts on 1 February 2013, 2013J on 1 October 2013.

  courses.csv              code_module, code_presentation, module_presentation_length
      A module becomes a category; a presentation becomes a course from its start, archived when its days are over.
  assessments.csv          code_module, code_presentation, id_assessment, assessment_type
      An assessment of the course, held elsewhere, passed with 40 of 100.
  studentInfo.csv          code_module, code_presentation, id_student, final_result
      Pass and Distinction complete the enrolment on the course's last day; Withdrawn ends it; Fail leaves it open.
  studentRegistration.csv  code_module, code_presentation, id_student, date_registration, date_unregistration
      An enrolment, and where it was ended, when. Without a day, a registration counts from the course's first day (or \
the day of unregistration, if that is earlier), a withdrawal from its last.
  studentAssessment.csv    id_assessment, id_student, date_submitted, is_banked, score
      A submission with its result out of 100, carried over where is_banked is 1.

A student becomes one account, named by its number: `oulad-<id_student>@import.invalid`, `Student <id_student>`. \
Nobody can log in to it before its password is reset. As little personal data as possible is kept: gender, region, \
highest_education, imd_band, age_band, disability, num_of_prev_attempts and studied_credits stay out; so do due dates and weights, and whether a pass was a distinction.

Running it again changes nothing; after an interruption it takes up what is missing.

Examples:
  cargo ops import oulad ~/oulad
      into the system that `cargo ops up` runs here
  registrar import oulad ~/oulad --command-api https://… --query-api https://… --email ada@… --password-file ada.txt
      into another one
  registrar import oulad ~/oulad --check
      only compare the views with the files

The exit code is 1 where rows were refused or the views show something else than the files."
)]
pub struct Oulad {
    /// The folder with the CSV files
    folder: PathBuf,
    /// Post nothing; compare what the views show with the files
    #[arg(long)]
    check: bool,
    /// Write all rows that were refused to this file, as CSV
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

impl Oulad {
    /// Reads, posts, waits, compares and reports.
    pub async fn run(&self) -> Result<(), ImportError> {
        let importer = self.target.find()?;
        let cancel = signals::cancellation()?;
        let reading = progress::Stage::begin("files", 1);
        let mut dataset = Dataset::read(&self.folder)?;
        reading.end(dataset.rows(), &dataset.to_string());
        let mut refused = std::mem::take(&mut dataset.refused);
        if !self.check {
            let sender = Sender::new(&importer, SOURCE, &cancel).await?;
            for (name, lines) in history::stages(&dataset) {
                refused.extend(sender.send(name, &lines).await?.refused);
            }
        }
        progress::wait_for_views(&importer, &cancel).await?;
        report::refused(&refused, self.refused.as_deref())?;
        let is_same = check::compare(&importer, &dataset).await?;
        match (is_same, refused.len()) {
            (false, _) => Err(ImportError::Differs),
            (true, 0) => {
                console::plain("the views show what the files hold");
                Ok(())
            }
            (true, count) => Err(ImportError::Refused(count)),
        }
    }
}
