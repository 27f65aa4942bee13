//! Facts on their way to the command API: many in a request, a few requests at once, stage after stage.
//!
//! A line that the command API could not take just then is sent again, within a bound. Sending a line twice changes
//! nothing, so that a request whose answer was lost is sent again too.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::{ImportError, Importer, progress::Stage, table::Refused};
use crate::seed::client::{ClientError, Session};

/// Facts in one request; the command API takes twice as many.
const LINES: usize = 500;
/// Bytes in one request; the command API takes twice as many.
const BYTES: usize = 512 * 1024;
/// Requests under way at once: while one is being written to the log, the next ones are decided.
const AT_ONCE: usize = 4;
/// How often a line is sent again that could not be taken just then.
const TRIES: u32 = 20;
/// The wait before it is.
const PAUSE: Duration = Duration::from_millis(250);

/// A fact, and the row that tells it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "a line has a number, which everybody calls its line")]
pub struct Line {
    /// The fact as JSON.
    pub json: String,
    /// The file that tells it.
    pub file: &'static str,
    /// The line in it.
    pub line: u64,
}

impl Line {
    /// A fact told by a row.
    pub fn new(json: &Value, file: &'static str, line: u64) -> Self {
        Self { json: json.to_string(), file, line }
    }
}

/// What became of the lines.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many were recorded.
    pub imported: usize,
    /// How many were there already.
    pub unchanged: usize,
    /// The rows that were not taken.
    pub refused: Vec<Refused>,
}

impl Sent {
    /// Adds what became of others.
    pub fn add(&mut self, other: Self) {
        self.imported += other.imported;
        self.unchanged += other.unchanged;
        self.refused.extend(other.refused);
    }
}

/// Sends facts that do not need one another.
pub struct Sender<'a> {
    importer: &'a Importer,
    source: &'a str,
    session: RwLock<Session>,
    cancel: &'a CancellationToken,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the answer calls it so")]
struct Outcome {
    line: usize,
    outcome: Kind,
    position: Option<i64>,
    problem: Option<Problem>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Imported,
    Unchanged,
    Refused,
}

#[derive(Deserialize)]
struct Problem {
    r#type: String,
    title: String,
    status: u16,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    pointer: String,
    detail: String,
}

impl Problem {
    fn slug(&self) -> &str {
        self.r#type.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the line may be taken when it is sent again.
    fn passes(&self) -> bool {
        matches!(self.status, 408 | 429 | 503) || self.slug() == "conflict"
    }

    fn reason(&self) -> String {
        let fields: Vec<String> =
            self.errors.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect();
        if fields.is_empty() {
            format!("{}: {}", self.slug(), self.detail.as_ref().unwrap_or(&self.title))
        } else {
            format!("{}: {}", self.slug(), fields.join("; "))
        }
    }
}

impl<'a> Sender<'a> {
    /// Signs in.
    pub async fn new(
        importer: &'a Importer,
        source: &'a str,
        cancel: &'a CancellationToken,
    ) -> Result<Self, ImportError> {
        Ok(Self { importer, source, session: RwLock::new(importer.log_in().await?), cancel })
    }

    /// Sends the facts of a stage, and returns when all are answered for good.
    pub async fn send(&self, name: &'static str, lines: &[Line]) -> Result<Sent, ImportError> {
        let stage = Stage::begin(name, lines.len() as u64);
        let requests = stream::iter(into_requests(lines)).map(|lines| async {
            let sent = self.send_some(lines).await?;
            stage.advance(lines.len() as u64);
            Ok::<_, ImportError>(sent)
        });
        let sent = requests
            .buffer_unordered(AT_ONCE)
            .try_fold(Sent::default(), |mut all, some| async {
                all.add(some);
                Ok(all)
            })
            .await?;
        let already = if sent.unchanged > 0 { format!(", {} there already", sent.unchanged) } else { String::new() };
        stage.end(lines.len() as u64, &format!("{} imported{already}", sent.imported));
        Ok(sent)
    }

    /// Sends lines until each is answered for good.
    async fn send_some(&self, lines: &[Line]) -> Result<Sent, ImportError> {
        let mut sent = Sent::default();
        let mut open: Vec<&Line> = lines.iter().collect();
        for attempt in 0.. {
            let body: Vec<&str> = open.iter().map(|line| line.json.as_str()).collect();
            let answered = self.cancel.run_until_cancelled(self.post(body.join("\n"))).await;
            let answer = answered.ok_or(ImportError::Interrupted)??;
            let mut outcomes = HashMap::with_capacity(open.len());
            for outcome in answer.lines() {
                let outcome: Outcome = serde_json::from_str(outcome)?;
                outcomes.insert(outcome.line, outcome);
            }
            let mut again = Vec::new();
            for (number, line) in (1..).zip(open) {
                match outcomes.remove(&number) {
                    Some(Outcome { outcome: Kind::Refused, problem: Some(problem), .. })
                        if !problem.passes() || attempt == TRIES =>
                    {
                        sent.refused.push(Refused { file: line.file, line: line.line, reason: problem.reason() });
                    }
                    Some(Outcome { outcome, position: Some(position), .. }) if outcome != Kind::Refused => {
                        self.importer.client.reach(position);
                        if outcome == Kind::Imported { sent.imported += 1 } else { sent.unchanged += 1 }
                    }
                    _ if attempt == TRIES => {
                        let reason = "the command API gave no answer to it".to_owned();
                        sent.refused.push(Refused { file: line.file, line: line.line, reason });
                    }
                    _ => again.push(line),
                }
            }
            if again.is_empty() {
                break;
            }
            open = again;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(sent)
    }

    /// Posts a body, and signs in again where the token has expired.
    async fn post(&self, body: String) -> Result<String, ImportError> {
        let session = self.session.read().await.clone();
        match self.importer.client.import(&session, self.source, body.clone()).await {
            Err(ClientError::Refused { status: 401, .. }) => {
                let session = self.importer.log_in().await?;
                *self.session.write().await = session.clone();
                Ok(self.importer.client.import(&session, self.source, body).await?)
            }
            answered => Ok(answered?),
        }
    }
}

/// Parts lines into requests that are within both bounds.
fn into_requests(lines: &[Line]) -> Vec<&[Line]> {
    let (mut requests, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, line) in lines.iter().enumerate() {
        if at > start && (at - start == LINES || bytes + line.json.len() > BYTES) {
            requests.push(&lines[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += line.json.len() + 1;
    }
    if start < lines.len() {
        requests.push(&lines[start..]);
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: usize) -> Line {
        Line { json: "x".repeat(bytes), file: "a.csv", line: 1 }
    }

    #[test]
    fn requests_are_bounded_in_lines_and_bytes_and_hold_every_line_once() {
        let lengths = |lines: &[Line]| into_requests(lines).iter().map(|request| request.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&vec![line(10); LINES * 2 + 1]), [LINES, LINES, 1]);
        assert_eq!(lengths(&[line(BYTES / 2), line(BYTES / 2), line(1), line(BYTES + 1), line(1)]), [1, 2, 1, 1]);
    }

    #[test]
    fn a_refusal_is_told_in_one_line_with_its_fields() {
        let problem = |json: &str| serde_json::from_str::<Problem>(json).unwrap();
        let refused = problem(
            r#"{"type": "https://registrar.dev/problems/invalid-request", "title": "T", "status": 422,
                "errors": [{"pointer": "/score", "code": "range", "detail": "is too high"}]}"#,
        );
        assert_eq!(refused.reason(), "invalid-request: /score is too high");
        assert!(!refused.passes());
        let busy = problem(r#"{"type": "x/unavailable", "title": "Not available now", "status": 503}"#);
        assert_eq!(busy.reason(), "unavailable: Not available now");
        assert!(busy.passes());
    }
}
