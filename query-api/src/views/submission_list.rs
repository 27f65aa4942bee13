//! Every attempt at an assessment that was handed in: `/v1/me/submissions`.

use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader, Snapshot},
};
use chrono::{DateTime, Utc};
use ops::{
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["submission_list", "assessment_list"];

/// An attempt that was handed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Submission {
    /// The submission.
    pub id: Uuid,
    /// What was answered to.
    pub assessment_id: Uuid,
    /// The assessment's title.
    pub assessment_title: Option<String>,
    /// The assessment's course, where it has one.
    pub course_id: Option<Uuid>,
    /// Which attempt, from 1.
    pub attempt: i64,
    /// What was answered.
    #[schema(value_type = Vec<Given>)]
    pub answers: Json<Vec<Given>>,
    /// Points reached; null while a person has yet to judge.
    pub score: Option<i64>,
    /// Points that could be reached.
    pub max_score: Option<i64>,
    /// Whether that is enough; null also where the assessment sets no bar.
    pub passed: Option<bool>,
    /// Whether the result was carried over from an earlier time that the learner took the course.
    pub banked: bool,
    /// When it was handed in.
    pub submitted_at: DateTime<Utc>,
}

/// One answer: an option or words.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Answer)]
pub struct Given {
    /// The item answered.
    pub item_id: String,
    /// The option chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option_id: Option<String>,
    /// The words written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A learner's submissions, newest first, from behind `after`.
pub(super) async fn of_learner(
    snapshot: &mut Snapshot,
    learner_id: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Submission>, sqlx::Error> {
    let (before, id) = after.unzip();
    sqlx::query_as!(
        Submission,
        r#"select s.submission_id as id, s.assessment_id, a.title as "assessment_title?", s.course_id, s.attempt,
                  s.answers as "answers: Json<Vec<Given>>", s.score, s.max_score, s.passed, s.banked,
                  s.submitted_at
           from read.submission_list s
           left join read.assessment_list a using (tenant_id, assessment_id)
           where s.tenant_id = $1
             and s.learner_id = $2
             and ($3::timestamptz is null or (s.submitted_at, s.submission_id) < ($3, $4::uuid))
           order by s.submitted_at desc, s.submission_id desc
           limit $5"#,
        snapshot.tenant_id(),
        learner_id,
        before,
        id,
        limit,
    )
    .fetch_all(snapshot.connection())
    .await
}

/// One's own submissions, newest first.
#[utoipa::path(get, path = "/v1/me/submissions", tag = "me", security(("bearer" = [])), params(PageParams), responses(
    (status = 200, description = "A page of submissions", body = Page<Submission>),
))]
pub async fn mine(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    let after = page.after()?;
    let mut snapshot = reader.open_by_key(caller.tenant_id, READS).await?;
    let rows = of_learner(&mut snapshot, caller.account_id, after, page.fetch()).await?;
    snapshot.answer(page.page(rows, |submission| (submission.submitted_at, submission.id))).await
}
