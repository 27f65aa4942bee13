//! What the run came to, for people and for scripts.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf, time::Duration};

use serde::Serialize;

use super::{audit::Audited, fault::Kind, ledger::Counts, readiness::Seen};

/// The outcome of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the random choices came from.
    pub seed: u64,
    /// How long faults were brought about, in seconds.
    pub seconds: f64,
    /// Whether every promise was kept.
    pub passed: bool,
    /// The broken promises.
    pub breaches: Vec<String>,
    /// How to repeat a run that broke one.
    pub repeat: Option<String>,
    /// Where the logs of its processes are.
    pub logs: Option<PathBuf>,
    /// What was brought about, by kind.
    pub faults: BTreeMap<&'static str, Suffered>,
    /// How the disk of the read models was filled.
    pub disk: &'static str,
    /// Commands carried out.
    pub acknowledged: usize,
    /// Of these, those whose first try had been carried out without its answer arriving.
    pub replayed: usize,
    /// Commands refused, as they had to be.
    pub refused: usize,
    /// Tries that told nothing and were repeated, by how they ended.
    pub unanswered: BTreeMap<&'static str, usize>,
    /// Queries answered, and those that were not while something was down.
    pub queries: usize,
    /// See `queries`.
    pub queries_unanswered: usize,
    /// Answers of `/health/ready` that were held against what they must be.
    pub readiness_answers: usize,
    /// Of these, rightly not ready.
    pub readiness_unready: usize,
    /// Events in the log, each with the right hash, position and version.
    pub events: usize,
    /// Streams that they belong to.
    pub streams: usize,
    /// Messages on JetStream.
    pub messages: usize,
    /// Tables of the views that were compared with those built anew from the log.
    pub tables: usize,
    /// Rows in them.
    pub rows: i64,
}

/// One kind of fault in a run.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Suffered {
    /// How often.
    pub times: usize,
    /// The longest that it took until everything worked again, in seconds.
    pub recovered_in_seconds: f64,
}

impl Suffered {
    /// It was once more, and over so soon.
    pub fn add(&mut self, took: Duration) {
        self.times += 1;
        self.recovered_in_seconds = self.recovered_in_seconds.max(took.as_secs_f64());
    }
}

/// The findings that a report is made of.
#[derive(Debug)]
pub struct Findings {
    /// See [`Report::seed`].
    pub seed: u64,
    /// See [`Report::seconds`].
    pub length: Duration,
    /// See [`Report::faults`].
    pub faults: BTreeMap<Kind, Suffered>,
    /// See [`Report::disk`].
    pub disk: &'static str,
    /// See [`Report::acknowledged`].
    pub counts: Counts,
    /// See [`Report::readiness_answers`].
    pub seen: Seen,
    /// See [`Report::events`].
    pub audited: Audited,
    /// See [`Report::breaches`].
    pub breaches: Vec<String>,
}

impl From<Findings> for Report {
    fn from(findings: Findings) -> Self {
        let Findings { seed, length, faults, disk, counts, seen, audited, breaches } = findings;
        Self {
            seed,
            seconds: length.as_secs_f64(),
            passed: breaches.is_empty(),
            breaches,
            repeat: None,
            logs: None,
            faults: faults.into_iter().map(|(kind, suffered)| (kind.name(), suffered)).collect(),
            disk,
            acknowledged: counts.acknowledged,
            replayed: counts.replayed,
            refused: counts.refused,
            unanswered: counts.doubts.into_iter().map(|(doubt, count)| (doubt.name(), count)).collect(),
            queries: counts.queries,
            queries_unanswered: counts.queries_unanswered,
            readiness_answers: seen.answers,
            readiness_unready: seen.unready,
            events: audited.events,
            streams: audited.streams,
            messages: audited.messages,
            tables: audited.tables,
            rows: audited.rows,
        }
    }
}

impl Report {
    /// For people: a table of faults, the counts, and what broke.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |words: String| {
            let _ = writeln!(text, "{words}");
        };
        line(format!("  {:38} {:>5}  {:>12}", "fault", "times", "recovered in"));
        for (kind, suffered) in &self.faults {
            line(format!("  {kind:38} {:>5}  {:>10.1} s", suffered.times, suffered.recovered_in_seconds));
        }
        line(String::new());
        line(format!("  seed       {}, faults for {:.0} s", self.seed, self.seconds));
        line(format!("  full disk  {}", self.disk));
        line(format!(
            "  commands   {} acknowledged ({} by a replay), {} refused; tries without an answer: {}",
            self.acknowledged,
            self.replayed,
            self.refused,
            self.unanswered.iter().map(|(how, count)| format!("{count} {how}")).collect::<Vec<_>>().join(", "),
        ));
        line(format!("  queries    {} answered, {} not just then", self.queries, self.queries_unanswered));
        line(format!("  readiness  {} answers, {} of them rightly no", self.readiness_answers, self.readiness_unready));
        line(format!(
            "  log        {} events of {} streams, {} on JetStream",
            self.events, self.streams, self.messages
        ));
        line(format!("  views      {} tables, {} rows, as built anew from the log", self.tables, self.rows));
        if self.passed {
            line("\nEvery promise was kept.".to_owned());
        } else {
            line(format!("\n{} promises were broken:", self.breaches.len()));
            for breach in &self.breaches {
                line(format!("  - {breach}"));
            }
            if let (Some(repeat), Some(logs)) = (&self.repeat, &self.logs) {
                line(format!("The logs are in {}. To repeat it: {repeat}", logs.display()));
            }
        }
        text
    }
}
