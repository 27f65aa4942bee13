//! The steps as the operator sees them: a line when one begins, a line when it ends, and the table of all.

use std::time::{Duration, Instant};

use super::{Error, Passed, Step};
use crate::local::console::plain;

/// The steps so far.
#[derive(Debug)]
pub struct Report {
    steps: usize,
    begun: Instant,
    rows: Vec<Row>,
    has_failed: bool,
}

#[derive(Debug)]
struct Row {
    step: Step,
    begun: Instant,
    took: Duration,
    result: String,
}

impl Report {
    /// Of a run with so many steps.
    pub fn new(steps: usize) -> Self {
        Self { steps, begun: Instant::now(), rows: Vec::new(), has_failed: false }
    }

    /// A step begins.
    pub fn begin(&mut self, step: Step) {
        self.rows.push(Row { step, begun: Instant::now(), took: Duration::ZERO, result: "not finished".to_owned() });
        plain(&format!("[{}/{}] {}", self.rows.len(), self.steps, step.name()));
    }

    /// It ends. The runner of the tests has said itself how they ended, so nothing is added to that.
    pub fn end(&mut self, step: Step, passed: &Result<Passed, Error>) {
        let position = format!("[{}/{}] {}", self.rows.len(), self.steps, step.name());
        let Some(row) = self.rows.last_mut() else { return };
        row.took = row.begun.elapsed();
        row.result = match passed {
            Ok(Passed::Ok) => "ok".to_owned(),
            Ok(Passed::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        self.has_failed |= passed.is_err();
        let by_runner = step == Step::Tests
            && match passed {
                Ok(_) => true,
                Err(Error::Local(crate::local::Error::Job { name, .. })) => name == "the tests",
                Err(_) => false,
            };
        if let Err(error) = passed
            && !by_runner
        {
            plain(&match error {
                Error::Structure(_) | Error::Queries(_) => error.to_string(),
                error => ops::config::chain(error),
            });
        }
        if !by_runner {
            plain(&format!("{position}: {} ({:.1} s)", row.result, row.took.as_secs_f64()));
        }
    }

    /// Whether a step was come to.
    pub fn has_begun(&self, step: Step) -> bool {
        self.rows.iter().any(|row| row.step == step)
    }

    /// Whether one failed.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Prints the table.
    pub fn print(&self) {
        plain("");
        for (number, row) in (1..).zip(&self.rows) {
            plain(&format!("  {number}. {:10} {:>7.1} s  {}", row.step.name(), row.took.as_secs_f64(), row.result));
        }
        plain(&format!("     {:10} {:>7.1} s\n", "so far", self.begun.elapsed().as_secs_f64()));
    }
}
