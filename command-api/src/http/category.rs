//! `POST /v1/categories`.

use crate::{
    domain::category::{self, Create, NAME_SCOPE, Refusal, name_key},
    execute::{Answer, Context, Executor, Reply},
    openapi::Done,
};
use axum::extract::State;
use events::{category::Category, ids::CategoryId};
use ops::{
    extract::Json,
    problem::{Problem, ProblemType},
    validate::not_blank,
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

const NAME_TAKEN: ProblemType = ProblemType {
    slug: "category-name-taken",
    status: 409,
    title: "The name is taken",
    meaning: "Another category of the tenant has this name; case and spaces make no difference.",
};

/// What this file refuses with, beside the problems of every route.
pub const PROBLEMS: &[ProblemType] = &[NAME_TAKEN];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotAdmin => Self::forbidden(detail),
            Refusal::NameTaken { .. } => Self::new(NAME_TAKEN).detail(detail),
        }
    }
}

/// A category to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCategory {
    /// Name, unique within the tenant.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What belongs in it.
    #[validate(length(max = 10_000))]
    #[schema(max_length = 10_000)]
    description: Option<String>,
}

/// Makes a category.
#[utoipa::path(
    post,
    path = "/v1/categories",
    tag = "category",
    security(("bearer" = [])),
    request_body = CreateCategory,
    responses(
        (status = 201, description = "The category", body = Done),
        (status = 403, description = "`forbidden`"),
        (status = 409, description = "`category-name-taken`"),
    )
)]
pub async fn create(
    State(executor): State<Executor>,
    context: Context,
    Json(body): Json<CreateCategory>,
) -> Result<Answer, Problem> {
    let id = CategoryId::new(Uuid::now_v7());
    let CreateCategory { name, description } = body;
    let command = Create { name, description };
    let (context, command) = (&context, &command);
    executor
        .execute(context, "category.create", |work| {
            Box::pin(async move {
                let events = category::decide(context, command.clone())?;
                let taken = Refusal::NameTaken { name: command.name.clone() };
                work.claim::<Category>(NAME_SCOPE, &name_key(&command.name), id, taken);
                work.append::<Category>(id, events);
                Ok(Reply::created(id, "/v1/categories"))
            })
        })
        .await
}
