//! How far the sample data is: a bar on a terminal, a line for each stage elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::local::console;

/// One stage of the work.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    bar: ProgressBar,
}

impl Stage {
    /// Begins a stage of so many steps.
    pub fn begin(name: &'static str, steps: usize) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(steps as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("sample data: {msg:12} [{bar:32}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name);
        Self { name, bar }
    }

    /// One step is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// The stage is done; `done` says what there is now.
    pub fn end(self, done: &str) {
        self.bar.finish_and_clear();
        console::say(&format!("sample data: {}: {done}", self.name));
    }
}
