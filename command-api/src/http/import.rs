//! `POST /v1/imports/{source}`: facts from another system, many in one request.
//!
//! The body is NDJSON, one fact a line, and so is the answer, one outcome a line in the same order: each line stands or
//! falls alone. `lines` says what a line may hold, `facts` carries one out. Within a request the kinds come in the order in
//! which they need one another (categories, accounts, courses, assessments, enrolments, submissions), whatever the order
//! of the lines; lines about the same thing come in theirs. All else is carried out at once, so that the log takes it in
//! few transactions.

mod facts;
mod lines;

pub use lines::{
    ImportLine, ImportOutcome, ImportedAccount, ImportedAssessment, ImportedCategory, ImportedCourse,
    ImportedEnrollment, ImportedSubmission, OutcomeKind,
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
    extract::Path,
    problem::{MALFORMED_JSON, PAYLOAD_TOO_LARGE, Problem, ProblemType, UNSUPPORTED_MEDIA_TYPE},
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
            Refusal::OutOfOrder(Stage::Completed) => ("/completed_at", "order"),
            Refusal::OutOfOrder(Stage::Withdrawn) => ("/withdrawn_at", "order"),
            Refusal::HeldHere => ("/assessment", "held-here"),
            Refusal::NeverEnrolled => ("/learner", "not-enrolled"),
            Refusal::ScoreOutOfRange => ("/score", "range"),
        };
        Self::invalid_field(pointer, code, detail)
    }
}

/// The bytes of an NDJSON body.
#[derive(Debug)]
pub struct Ndjson(Bytes);

impl<S: Send + Sync> FromRequest<S> for Ndjson {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !sent.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(NDJSON) {
            let detail = format!("Send the body with Content-Type: {NDJSON}.");
            return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE).detail(detail));
        }
        Bytes::from_request(request, &()).await.map(Self).map_err(|rejection| match rejection.status() {
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
    request_body(content = ImportLine, content_type = "application/x-ndjson",
        description = "At most 1,000 lines, each one fact as a JSON object"),
    responses(
        (status = 200, description = "An outcome for each line, in their order", body = ImportOutcome,
            content_type = "application/x-ndjson"),
        (status = 403, description = "`forbidden`"),
        (status = 415, description = "`unsupported-media-type`"),
        (status = 422, description = "`invalid-request`: too many lines, or the source is no name"),
    )
)]
pub async fn import(
    State(executor): State<Executor>,
    context: Context,
    Path(source): Path<String>,
    Ndjson(body): Ndjson,
) -> Result<Response, Problem> {
    if !context.actor.is_some_and(|actor| actor.role.administers()) {
        return Err(Refusal::NotAdmin.into());
    }
    lines::check_source(&source)?;
    let facts = lines::read(&body, MAX_LINES)?;
    let mut outcomes: Vec<ImportOutcome> = Vec::with_capacity(facts.len());
    let mut kinds: BTreeMap<facts::Kind, Vec<(usize, Fact)>> = BTreeMap::new();
    for (place, line) in facts.into_iter().enumerate() {
        let number = place + 1;
        let read = line.and_then(|line| Ok((line.key.clone(), Fact::try_new(context.tenant_id, &source, line)?)));
        outcomes.push(match read {
            Ok((key, fact)) => {
                kinds.entry(fact.kind()).or_default().push((place, fact));
                ImportOutcome::pending(number, key)
            }
            Err(problem) => ImportOutcome::refused(number, problem),
        });
    }
    let run = facts::Run { executor: &executor, context: &context, source: &source };
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
