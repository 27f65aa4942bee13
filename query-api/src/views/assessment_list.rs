//! The assessments and what they ask: `/v1/assessments`, `/v1/assessments/{id}`. What an option is worth only its author
//! and admins see.

use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use events::assessment::{Definition, Kind};
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

const READS: &[&str] = &["assessment_list"];

/// An assessment, without its items.
#[derive(Debug, Serialize, ToSchema)]
pub struct Assessment {
    /// The assessment.
    pub id: Uuid,
    /// Who made it.
    pub author_id: Uuid,
    /// The course that it belongs to, where it does.
    pub course_id: Option<Uuid>,
    /// Title.
    pub title: String,
    /// What kind of test it is.
    #[schema(value_type = KindSchema)]
    pub kind: String,
    /// How many items it has.
    pub item_count: i32,
    /// Share of the highest score that passes, 0 to 100; without it nobody passes or fails.
    pub pass_percent: Option<i16>,
    /// Time for one attempt, in seconds.
    pub time_limit_seconds: Option<i64>,
    /// How often a learner may submit; without it, as often as they like.
    pub max_attempts: Option<i64>,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// What If-Match compares.
    pub version: i64,
}

/// An assessment with all that it asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssessmentDetail {
    /// The assessment.
    #[serde(flatten)]
    pub assessment: Assessment,
    /// What it asks, in order.
    pub items: Vec<Item>,
}

/// One question. Without options it is answered in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Item {
    /// Its id, unique within the assessment.
    pub id: String,
    /// The question.
    pub prompt: String,
    /// What can be chosen.
    pub options: Vec<Choice>,
}

/// One choice of an item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnswerOption)]
pub struct Choice {
    /// Its id, unique within the item.
    pub id: String,
    /// What it says.
    pub text: String,
    /// What choosing it is worth; only for the author and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i32>,
}

#[derive(ToSchema)]
#[schema(as = AssessmentKind, rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes events::assessment::Kind, whose crate knows no OpenAPI")]
enum KindSchema {
    Sjt,
    Jdt,
}

fn items(definition: Definition, with_scores: bool) -> Vec<Item> {
    let choice = |option: events::assessment::AnswerOption| Choice {
        id: option.id,
        text: option.text,
        score: with_scores.then_some(option.score),
    };
    let item = |item: events::assessment::Item| Item {
        id: item.id,
        prompt: item.prompt,
        options: item.options.into_iter().map(choice).collect(),
    };
    definition.items.into_iter().map(item).collect()
}

/// Which assessments.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AssessmentFilter {
    /// Of this course.
    course_id: Option<Uuid>,
    /// Made by this account.
    author_id: Option<Uuid>,
    /// Of this kind.
    #[param(inline, value_type = Option<KindSchema>)]
    kind: Option<Kind>,
}

/// The assessments, newest first.
#[utoipa::path(get, path = "/v1/assessments", tag = "assessment", security(("bearer" = [])),
    params(PageParams, AssessmentFilter), responses(
        (status = 200, description = "A page of assessments", body = Page<Assessment>),
    ))]
pub async fn list(
    caller: SignedIn,
    reader: Reader,
    PageQuery { page, filter }: PageQuery<AssessmentFilter>,
) -> Result<Answer, Problem> {
    let (before, id) = page.after::<(DateTime<Utc>, Uuid)>()?.unzip();
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let rows = sqlx::query_as!(
        Assessment,
        "select assessment_id as id, author_id, course_id, title, kind, item_count, pass_percent, time_limit_seconds,
                max_attempts, created_at, version
         from read.assessment_list
         where tenant_id = $1
           and ($2::uuid is null or course_id = $2)
           and ($3::uuid is null or author_id = $3)
           and ($4::text is null or kind = $4)
           and ($5::timestamptz is null or (created_at, assessment_id) < ($5, $6::uuid))
         order by created_at desc, assessment_id desc
         limit $7",
        snapshot.tenant_id(),
        filter.course_id,
        filter.author_id,
        filter.kind.map(Kind::as_str),
        before,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |assessment| (assessment.created_at, assessment.id))).await
}

/// One assessment with all that it asks.
#[utoipa::path(get, path = "/v1/assessments/{id}", tag = "assessment", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The assessment")), responses(
        (status = 200, description = "The assessment", body = AssessmentDetail),
        (status = 304, description = "If-None-Match names this version"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(caller: SignedIn, reader: Reader, Path(id): Path<Uuid>) -> Result<Answer, Problem> {
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let found = sqlx::query!(
        r#"select assessment_id as id, author_id, course_id, title, kind, item_count, pass_percent, time_limit_seconds,
                  max_attempts, definition as "definition: Json<Definition>", created_at, version
           from read.assessment_list
           where tenant_id = $1
             and assessment_id = $2"#,
        snapshot.tenant_id(),
        id,
    )
    .fetch_optional(snapshot.connection())
    .await?;
    let row = found.ok_or_else(|| snapshot.not_found())?;
    let with_scores = caller.role.administers() || caller.account_id == row.author_id;
    let assessment = Assessment {
        id: row.id,
        author_id: row.author_id,
        course_id: row.course_id,
        title: row.title,
        kind: row.kind,
        item_count: row.item_count,
        pass_percent: row.pass_percent,
        time_limit_seconds: row.time_limit_seconds,
        max_attempts: row.max_attempts,
        created_at: row.created_at,
        version: row.version,
    };
    let Json(definition) = row.definition;
    let version = assessment.version;
    snapshot.answer_unless_known(AssessmentDetail { assessment, items: items(definition, with_scores) }, version).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_option_is_worth_is_not_even_named_to_learners() {
        let definition = || -> Definition {
            let json = serde_json::json!({
                "title": "t", "kind": "sjt", "pass_percent": null, "time_limit_seconds": null, "max_attempts": null,
                "items": [{"id": "a", "prompt": "p", "options": [{"id": "x", "text": "t", "score": 3}]}],
            });
            serde_json::from_value(json).unwrap()
        };
        let shown = |with_scores| serde_json::to_value(items(definition(), with_scores)).unwrap();
        assert_eq!(shown(true)[0]["options"][0]["score"], 3);
        assert_eq!(shown(false)[0]["options"][0], serde_json::json!({"id": "x", "text": "t"}));
    }
}
