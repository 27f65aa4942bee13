//! The lines of an import: what each may hold, and what is answered to it.

use crate::{
    domain::account_import::row::BcryptHash,
    http::{account, money::Amount},
};
use chrono::{DateTime, Utc};
use events::Role;
use ops::{
    extract::decode_json,
    problem::{Problem, ProblemDocument},
    validate::{http_url, not_blank, refusal},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

/// One fact: its key in the source, when it happened, and exactly one of the members that follow.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = one_fact))]
pub struct ImportLine {
    /// The source's own key for it, unique among its kind.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200, example = "student-17")]
    pub key: String,
    /// When it happened: when the account came to be, the course began, the money was taken, the learner entered it, the
    /// attempt was handed in.
    pub occurred_at: DateTime<Utc>,
    /// A category of courses.
    #[validate(nested)]
    pub category: Option<ImportedCategory>,
    /// A person's account.
    #[validate(nested)]
    pub account: Option<ImportedAccount>,
    /// A course.
    #[validate(nested)]
    pub course: Option<ImportedCourse>,
    /// An assessment that is held elsewhere.
    #[validate(nested)]
    pub assessment: Option<ImportedAssessment>,
    /// Money that was taken for a course.
    #[validate(nested)]
    pub payment: Option<ImportedPayment>,
    /// A learner in a course.
    #[validate(nested)]
    pub enrollment: Option<ImportedEnrollment>,
    /// The result of an attempt at an imported assessment.
    #[validate(nested)]
    pub submission: Option<ImportedSubmission>,
}

fn one_fact(line: &ImportLine) -> Result<(), ValidationError> {
    let facts = [
        line.category.is_some(),
        line.account.is_some(),
        line.course.is_some(),
        line.assessment.is_some(),
        line.payment.is_some(),
        line.enrollment.is_some(),
        line.submission.is_some(),
    ];
    if facts.into_iter().filter(|is_told| *is_told).count() == 1 {
        return Ok(());
    }
    let kinds = "must have exactly one of category, account, course, assessment, payment, enrollment, submission";
    Err(refusal("one-of", kinds))
}

/// A category of courses.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedCategory {
    /// Name, unique within the tenant.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What belongs in it.
    #[validate(length(max = 10_000))]
    #[schema(max_length = 10_000)]
    pub description: Option<String>,
}

/// A person's account. Without a password hash its person asks for a password before they first log in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedAccount {
    /// Address to log in with, unique within the tenant.
    #[validate(custom(function = account::email_address))]
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    /// What it may do: a role below the importer's own.
    #[schema(value_type = String, pattern = "^(learner|instructor|auditor|admin)$", example = "learner")]
    pub role: Role,
    /// Given name.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: String,
    /// Family name.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: String,
    /// Name to log in with, unique within the tenant.
    #[validate(custom(function = account::user_name))]
    #[schema(min_length = 3, max_length = 64)]
    pub username: Option<String>,
    /// Whether it may log in to the portal; without it, yes.
    pub portal_access: Option<bool>,
    /// What the person's password is verified with until they first log in, which replaces it: a bcrypt hash, `$2b$`, of
    /// cost 4 to 14.
    #[schema(value_type = Option<String>, max_length = 60, pattern = r"^\$2b\$[0-9]{2}\$[./0-9A-Za-z]{53}$")]
    pub password_hash: Option<BcryptHash>,
}

/// A course, and how far it came.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedCourse {
    /// Title.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// What it teaches.
    #[validate(length(max = 10_000))]
    #[schema(max_length = 10_000)]
    pub description: Option<String>,
    /// What it costs.
    #[validate(nested)]
    pub price: Option<Amount>,
    /// The key of its category.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub category: Option<String>,
    /// The key of its owner's account; without it, it is the importer's.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub owner: Option<String>,
    /// Where a picture is.
    #[validate(length(max = 2_000), custom(function = http_url))]
    #[schema(max_length = 2_000)]
    pub thumbnail_url: Option<String>,
    /// When it could first be taken; it is a draft without it.
    pub published_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub archived_at: Option<DateTime<Utc>>,
}

/// An assessment that is held elsewhere: it has no items here, and takes only imported results.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedAssessment {
    /// Title.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// The key of its course, where it belongs to one.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub course: Option<String>,
    /// Share of the highest score that passes; without it nobody passes or fails.
    #[validate(range(max = 100))]
    #[schema(minimum = 0, maximum = 100)]
    pub pass_percent: Option<u8>,
}

/// Money that was taken for a course. One that comes before its enrolment opens it, and stays what gave the right to enter.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedPayment {
    /// The key of the account of who paid.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub learner: String,
    /// The key of the course.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub course: String,
    /// How much was taken and kept.
    #[validate(nested)]
    pub amount: Amount,
    /// The reference that people quote; without it, one is drawn: `TXN-` and twelve upper-case hexadecimal digits.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 100, example = "TXN-0123456789AB")]
    pub transaction_id: Option<String>,
    /// When the learner entered the course; without it, when they paid.
    pub enrolled_at: Option<DateTime<Utc>>,
}

/// A learner in a course, and how that ended.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedEnrollment {
    /// The key of the learner's account.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub learner: String,
    /// The key of the course.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub course: String,
    /// When the learner finished it.
    pub completed_at: Option<DateTime<Utc>>,
    /// When the learner left it.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// The result of one attempt.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedSubmission {
    /// The key of the learner's account.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub learner: String,
    /// The key of the assessment.
    #[validate(length(max = 200))]
    #[schema(max_length = 200)]
    pub assessment: String,
    /// Points reached; absent where nobody judged it.
    #[validate(range(min = 0, max = 1_000_000))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub score: Option<i64>,
    /// Points that could be reached; without it, 100.
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_score: Option<i64>,
    /// Whether it was carried over from an earlier time that the learner took the course.
    #[serde(default)]
    pub banked: bool,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// It was recorded.
    Imported,
    /// It was there already.
    Unchanged,
    /// It was not taken; `problem` says why. One of status 503, 409 `conflict` or 408 may be sent again.
    Refused,
}

/// The answer to one line.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportOutcome {
    /// The number of the line, from 1.
    pub line: usize,
    /// Its key; absent where the line could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key: Option<String>,
    /// What became of it.
    pub outcome: OutcomeKind,
    /// The id that it has here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<Uuid>,
    /// The position in the log that it reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub position: Option<i64>,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<ProblemDocument>,
}

/// What is answered to one fact that came alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneImporting {
    /// As every command answers.
    #[serde(flatten)]
    pub done: crate::openapi::Done,
    /// Whether it was recorded; it was there already where it was not.
    pub changed: bool,
}

/// What was done for a line.
pub(super) struct Done {
    pub(super) id: Uuid,
    pub(super) position: i64,
    pub(super) is_changed: bool,
}

impl ImportOutcome {
    /// One that is still to be answered.
    pub(super) const fn pending(line: usize, key: String) -> Self {
        Self { line, key: Some(key), outcome: OutcomeKind::Refused, id: None, position: None, problem: None }
    }

    /// A line that could not be read.
    pub(super) fn refused(line: usize, problem: &Problem) -> Self {
        let problem = Some(problem.document().clone());
        Self { line, key: None, outcome: OutcomeKind::Refused, id: None, position: None, problem }
    }

    pub(super) fn answer(&mut self, answer: Result<Done, Problem>) {
        match answer {
            Ok(Done { id, position, is_changed }) => {
                self.outcome = if is_changed { OutcomeKind::Imported } else { OutcomeKind::Unchanged };
                (self.id, self.position) = (Some(id), Some(position));
            }
            Err(problem) => self.problem = Some(problem.document().clone()),
        }
    }

    pub(super) const fn position(&self) -> Option<i64> {
        self.position
    }
}

/// Refuses a source that is no name.
pub(super) fn check_source(source: &str) -> Result<(), Problem> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if (1..=64).contains(&source.len()) && source.bytes().all(is_allowed) {
        return Ok(());
    }
    let detail = "must be 1 to 64 lower-case letters, digits, dots, underscores and hyphens";
    Err(Problem::invalid_field("/path/source", "pattern", detail))
}

/// The lines of a body; empty ones at its end do not count. Whether each can be read is its own affair.
pub(super) fn read(body: &[u8], max_lines: usize) -> Result<Vec<Result<ImportLine, Problem>>, Problem> {
    let lines: Vec<&[u8]> = body.trim_ascii_end().split(|byte| *byte == b'\n').collect();
    if lines.len() > max_lines {
        let detail = format!("has {} lines: send at most {max_lines} in one request", lines.len());
        return Err(Problem::invalid_field("", "length", detail));
    }
    Ok(lines.into_iter().map(read_line).collect())
}

/// Most lines are right, and right ones are read in one go. What is wrong with one takes longer to find.
fn read_line(line: &[u8]) -> Result<ImportLine, Problem> {
    let may_hold_nul = line.windows(6).any(|text| text == b"\\u0000");
    match serde_json::from_slice::<ImportLine>(line) {
        Ok(fact) if !may_hold_nul && fact.validate().is_ok() => Ok(fact),
        _ => decode_json(line),
    }
}
