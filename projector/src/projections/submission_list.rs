//! Every attempt that was handed in.

use super::{ApplyError, Interest, Projection, column};
use crate::{
    copy::{Jsonb, copy},
    entry::Batch,
};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event, Json,
    ids::CourseId,
    submission::{Attempts, SubmissionEvent},
};
use sqlx::PgConnection;
use uuid::Uuid;

pub(super) const PROJECTION: Projection = Projection {
    name: "submission_list",
    tables: &["submission_list"],
    appended: &["submission_list"],
    streams: Interest::Streams(&[Attempts::STREAM_TYPE]),
    needs_content: true,
    apply: |connection, batch| Box::pin(apply(connection, batch)),
};

struct Row {
    tenant_id: Uuid,
    submission_id: Uuid,
    attempts_id: Uuid,
    assessment_id: Uuid,
    course_id: Option<Uuid>,
    learner_id: Uuid,
    attempt: i64,
    answers: Json,
    score: Option<i64>,
    max_score: Option<i64>,
    passed: Option<bool>,
    banked: bool,
    submitted_at: DateTime<Utc>,
    version: i64,
}

async fn apply(connection: &mut PgConnection, batch: Batch<'_>) -> Result<(), ApplyError> {
    let mut submissions = Vec::new();
    for fact in batch.facts() {
        let Event::Submission(event) = fact.event else { continue };
        match event {
            SubmissionEvent::Submitted {
                submission_id,
                assessment_id,
                course_id,
                learner_id,
                attempt,
                answers,
                result,
                banked,
            } => submissions.push(Row {
                tenant_id: fact.tenant_id,
                submission_id: submission_id.as_uuid(),
                attempts_id: fact.id,
                assessment_id: assessment_id.as_uuid(),
                course_id: course_id.map(CourseId::as_uuid),
                learner_id: learner_id.as_uuid(),
                attempt: i64::from(*attempt),
                answers: Json::of(answers)?,
                score: result.map(|result| result.score),
                max_score: result.map(|result| result.max_score),
                passed: result.and_then(|result| result.passed),
                banked: *banked,
                submitted_at: fact.at,
                version: fact.version,
            }),
        }
    }
    if batch.is_bulk() {
        return copy_in(connection, submissions).await;
    }
    insert(connection, &submissions).await
}

async fn copy_in(connection: &mut PgConnection, rows: Vec<Row>) -> Result<(), ApplyError> {
    let into = "submission_list (tenant_id, submission_id, attempts_id, assessment_id, course_id, learner_id, attempt, \
                answers, score, max_score, passed, banked, submitted_at, version)";
    Ok(copy(connection, into, rows, |row, values| {
        values.add(&row.tenant_id).add(&row.submission_id).add(&row.attempts_id).add(&row.assessment_id);
        values
            .add(&row.course_id)
            .add(&row.learner_id)
            .add(&row.attempt)
            .add(&Jsonb(row.answers.get()))
            .add(&row.score);
        values.add(&row.max_score).add(&row.passed).add(&row.banked).add(&row.submitted_at).add(&row.version);
    })
    .await?)
}

async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into submission_list (tenant_id, submission_id, attempts_id, assessment_id, course_id, learner_id,
             attempt, answers, score, max_score, passed, banked, submitted_at, version)
         select *
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bigint[], $8::jsonb[],
             $9::bigint[], $10::bigint[], $11::boolean[], $12::boolean[], $13::timestamptz[],
             $14::bigint[])",
        &column!(rows, tenant_id),
        &column!(rows, submission_id),
        &column!(rows, attempts_id),
        &column!(rows, assessment_id),
        &column!(rows, course_id) as _,
        &column!(rows, learner_id),
        &column!(rows, attempt),
        &rows.iter().map(|row| row.answers.value()).collect::<Vec<_>>(),
        &column!(rows, score) as _,
        &column!(rows, max_score) as _,
        &column!(rows, passed) as _,
        &column!(rows, banked),
        &column!(rows, submitted_at),
        &column!(rows, version),
    )
    .execute(connection)
    .await?;
    Ok(())
}
