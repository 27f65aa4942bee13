//! `POST /v1/imports/{source}`: facts from another system, many in one request.
//!
//! The body is NDJSON, one fact a line, and so is the answer, one outcome a line in the same order: each line stands or
//! falls alone. One fact may also come as plain JSON, and is answered as any command. `lines` says what a line may hold,
//! `facts` carries one out.
//!
//! Within a request the kinds come in the order in which they need one another (categories, accounts, courses,
//! assessments, payments, enrolments, submissions), whatever the order of the lines; lines about the same thing come in theirs. All
//! else is carried out at once, so that the log takes it in few transactions.

mod facts;
mod lines;

pub use lines::{
    DoneImporting, ImportLine, ImportOutcome, ImportedAccount, ImportedAssessment, ImportedCategory, ImportedCourse,
    ImportedEnrollment, ImportedPayment, ImportedSubmission, OutcomeKind,
};

use crate::{
    domain::import::{Named, Refusal, Stage},
    execute::{Context, Executor},
};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use facts::Fact;
use futures::{StreamExt, stream};
use ops::{
    extract::{Json, Path},
    problem::{MALFORMED_JSON, PAYLOAD_TOO_LARGE, Problem, ProblemType},
};
use std::collections::{BTreeMap, HashMap};

/// As many facts as one request may bring.
pub const MAX_LINES: usize = 1_000;
/// Facts of one request that are carried out at once.
const AT_ONCE: usize = 512;
const NDJSON: &str = "application/x-ndjson";

/// What this file refuses with, beside the problems of every route: nothing.
pub const PROBLEMS: &[ProblemType] = &[];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let (pointer, code) = match refusal {
            Refusal::NotAdmin | Refusal::RoleNotBelowOwn => return Self::forbidden(detail),
            Refusal::Unknown(Named::Learner) => ("/learner", "unknown"),
            Refusal::Unknown(Named::Owner) => ("/owner", "unknown"),
            Refusal::Unknown(Named::Category) => ("/category", "unknown"),
            Refusal::Unknown(Named::Course) => ("/course", "unknown"),
            Refusal::Unknown(Named::Assessment) => ("/assessment", "unknown"),
            Refusal::NotYet => ("/occurred_at", "future"),
            Refusal::OutOfOrder(Stage::Published) => ("/published_at", "order"),
            Refusal::OutOfOrder(Stage::Archived) => ("/archived_at", "order"),
            Refusal::OutOfOrder(Stage::Enrolled) => ("/enrolled_at", "order"),
            Refusal::OutOfOrder(Stage::Completed) => ("/completed_at", "order"),
            Refusal::OutOfOrder(Stage::Withdrawn) => ("/withdrawn_at", "order"),
            Refusal::HeldHere => ("/assessment", "held-here"),
            Refusal::NeverEnrolled => ("/learner", "not-enrolled"),
            Refusal::ScoreOutOfRange => ("/score", "range"),
        };
        Self::invalid_field(pointer, code, detail)
    }
}

/// The facts of a body.
#[derive(Debug)]
pub enum Facts {
    /// One, as plain JSON.
    One(Box<ImportLine>),
    /// Many, a line each.
    Many(Bytes),
}

impl<S: Send + Sync> FromRequest<S> for Facts {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !sent.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(NDJSON) {
            let Json(line) = Json::from_request(request, state).await?;
            return Ok(Self::One(Box::new(line)));
        }
        Bytes::from_request(request, state).await.map(Self::Many).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => PAYLOAD_TOO_LARGE.into(),
            _ => Problem::new(MALFORMED_JSON).detail("The body ended before it was complete."),
        })
    }
}

/// Takes facts over from another system.
///
/// Each line names a fact by the source's own key for it, from which its id here is derived: a line that is sent again
/// changes nothing, so that an import which was interrupted is simply sent again. What a fact names (`learner`, `course`
/// …) is named by the key under which it came from the same source. The events are marked with the source and the time
/// of the line.
#[utoipa::path(
    post,
    path = "/v1/imports/{source}",
    tag = "import",
    security(("bearer" = [])),
    params(
        ("source" = String, Path, description = "The system or data set that the facts come from: 1 to 64 lower-case \
            letters, digits, dots, underscores and hyphens", example = "old-portal"),
    ),
    request_body(description = "At most 1,000 lines, each one fact as a JSON object; or one fact as JSON",
        content((ImportLine = "application/x-ndjson"), (ImportLine = "application/json"))),
    responses(
        (status = 200, description = "An outcome for each line, in their order; of one fact, what every command answers \
            and whether anything `changed`",
            content((ImportOutcome = "application/x-ndjson"), (DoneImporting = "application/json"))),
        (status = 403, description = "`forbidden`"),
        (status = 409, description = "`email-taken`, `username-taken`, `category-name-taken`"),
    )
)]
pub async fn import(
    State(executor): State<Executor>,
    context: Context,
    Path(source): Path<String>,
    facts: Facts,
) -> Result<Response, Problem> {
    if !context.actor.is_some_and(|actor| actor.role.administers()) {
        return Err(Refusal::NotAdmin.into());
    }
    lines::check_source(&source)?;
    let run = facts::Run { executor: &executor, context: &context, source: &source };
    match facts {
        Facts::One(line) => Ok(run.carry_out(run.read(*line)?, context.idempotency.clone()).await?.into_response()),
        Facts::Many(body) => run_many(run, lines::read(&body, MAX_LINES)?).await,
    }
}

async fn run_many(run: facts::Run<'_>, facts: Vec<Result<ImportLine, Problem>>) -> Result<Response, Problem> {
    let mut outcomes: Vec<ImportOutcome> = Vec::with_capacity(facts.len());
    let mut kinds: BTreeMap<facts::Kind, Vec<(usize, Fact)>> = BTreeMap::new();
    for (place, line) in facts.into_iter().enumerate() {
        let number = place + 1;
        let read = line.and_then(|line| Ok((line.key.clone(), run.read(line)?)));
        outcomes.push(match read {
            Ok((key, fact)) => {
                kinds.entry(fact.kind()).or_default().push((place, fact));
                ImportOutcome::pending(number, key)
            }
            Err(problem) => ImportOutcome::refused(number, &problem),
        });
    }
    for (kind, facts) in kinds {
        run.preload(kind, &facts).await?;
        let in_turn = by_thing(facts).into_iter().map(|facts| run.carry_out_in_turn(facts));
        let mut done = stream::iter(in_turn).buffer_unordered(AT_ONCE);
        while let Some(answers) = done.next().await {
            for (place, answer) in answers {
                outcomes[place].answer(answer);
            }
        }
    }
    Ok(respond(&outcomes))
}

/// Facts about the same thing together; things and facts in the order of their lines, so that of two which want the same
/// name the first has it.
fn by_thing(facts: Vec<(usize, Fact)>) -> Vec<Vec<(usize, Fact)>> {
    let mut things: Vec<Vec<(usize, Fact)>> = Vec::with_capacity(facts.len());
    let mut places = HashMap::with_capacity(facts.len());
    for (place, fact) in facts {
        let thing = *places.entry(fact.stream()).or_insert_with(|| {
            things.push(Vec::new());
            things.len() - 1
        });
        things[thing].push((place, fact));
    }
    things
}

fn respond(outcomes: &[ImportOutcome]) -> Response {
    let mut body = Vec::with_capacity(outcomes.len() * 160);
    for outcome in outcomes {
        // What is made of numbers and texts always has a JSON form.
        let _ = serde_json::to_writer(&mut body, outcome);
        body.push(b'\n');
    }
    let mut response = ([(CONTENT_TYPE, NDJSON)], body).into_response();
    if let Some(position) = outcomes.iter().filter_map(ImportOutcome::position).max() {
        response.headers_mut().insert(ops::http::POSITION, position.into());
    }
    response
}

#[cfg(test)]
mod tests;
