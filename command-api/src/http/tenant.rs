//! `/v1/tenants`: organisations are founded and changed, and get their first accounts.

use super::account::{CreateAccount, CreatedAccount, create_in};
use crate::{
    config::Settings,
    domain::tenant::{self, Changes, Command, InvalidSlug, Refusal, Slug},
    execute::{Answer, Context, Executor, Reply},
    http::patch::present,
    openapi::Done,
    passwords::Passwords,
};
use axum::extract::State;
use events::{
    ids::TenantId,
    tenant::{RegistrationPolicy, SLUG_SCOPE, Tenant, TenantDetails},
};
use ops::{
    extract::{Json, Path},
    problem::{Problem, ProblemType},
    validate::{not_blank, refusal},
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

/// Most bytes that an organisation's settings may have as JSON.
const SETTINGS_MAX_BYTES: usize = 16 * 1024;
/// How deep they may be nested; the object itself is the first level.
const SETTINGS_MAX_DEPTH: usize = 32;

const SLUG_TAKEN: ProblemType = ProblemType {
    slug: "tenant-slug-taken",
    status: 409,
    title: "The slug is taken",
    meaning: "Another organisation of the installation is chosen by this slug.",
};

/// What this file refuses with, beside the problems of every route and of accounts.
pub const PROBLEMS: &[ProblemType] = &[SLUG_TAKEN];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotSuperadmin | Refusal::NotAdmin => Self::forbidden(detail),
            Refusal::SlugTaken => Self::new(SLUG_TAKEN).detail(detail),
            Refusal::NotFound => Self::not_found().detail(detail),
        }
    }
}

impl From<InvalidSlug> for Problem {
    fn from(error: InvalidSlug) -> Self {
        Self::invalid_field("/slug", "slug", error.to_string())
    }
}

fn slug(text: &str) -> Result<(), ValidationError> {
    let invalid = refusal("slug", "must be 2 to 63 lower-case letters, digits and hyphens, beginning with a letter");
    Slug::try_new(text).map(drop).map_err(|_| invalid)
}

fn settings_fit(settings: &BTreeMap<String, Value>) -> Result<(), ValidationError> {
    let size = serde_json::to_vec(settings).map_or(usize::MAX, |json| json.len());
    if size > SETTINGS_MAX_BYTES {
        return Err(refusal("size", "must be at most 16384 bytes of JSON"));
    }
    // Whatever is stored has to be read again inside of an event, and readers bound how deep they go.
    if 1 + settings.values().map(depth).max().unwrap_or_default() > SETTINGS_MAX_DEPTH {
        return Err(refusal("depth", "must be nested at most 32 deep"));
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    let within = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    1 + within.unwrap_or_default()
}

/// Who may register: `open`, `invite` or `closed`.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(as = RegistrationPolicy, rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes events::tenant::RegistrationPolicy, whose crate knows no OpenAPI")]
enum PolicySchema {
    Open,
    Invite,
    Closed,
}

/// An organisation to found.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// The name by which requests choose it, as in the `tenant` of a log-in; unique in the installation, and for ever.
    #[validate(custom(function = slug))]
    #[schema(min_length = 2, max_length = 63, pattern = "^[a-z][a-z0-9-]*[a-z0-9]$", example = "north")]
    slug: String,
    /// Name, as it is shown.
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Whether people may register themselves; without it, `closed`.
    #[schema(value_type = Option<PolicySchema>)]
    registration: Option<RegistrationPolicy>,
    /// What frontends keep for the organisation: at most 16 KiB of JSON, and no personal data.
    #[serde(default)]
    #[validate(custom(function = settings_fit))]
    #[schema(value_type = Object)]
    settings: BTreeMap<String, Value>,
}

/// Changes to an organisation: what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTenant {
    /// Name, as it is shown.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 200), custom(function = not_blank))]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether people may register themselves.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PolicySchema>, nullable = false)]
    registration: Option<RegistrationPolicy>,
    /// All settings, in place of those before: at most 16 KiB of JSON, and no personal data.
    #[serde(default, deserialize_with = "present")]
    #[validate(custom(function = settings_fit))]
    #[schema(value_type = Option<Object>, nullable = false)]
    settings: Option<BTreeMap<String, Value>>,
}

/// Founds an organisation. Its first admin is made by POST /v1/tenants/{id}/accounts.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenant", security(("bearer" = [])), request_body = CreateTenant,
    responses(
        (status = 201, description = "The organisation", body = Done),
        (status = 403, description = "`forbidden`"),
        (status = 409, description = "`tenant-slug-taken`"),
    ))]
pub async fn create(
    State(executor): State<Executor>,
    context: Context,
    Json(body): Json<CreateTenant>,
) -> Result<Answer, Problem> {
    let id = TenantId::new(Uuid::now_v7());
    let slug = Slug::try_new(&body.slug)?;
    let details = TenantDetails {
        name: body.name.trim().to_owned(),
        registration: body.registration.unwrap_or_default(),
        settings: body.settings,
    };
    let (context, slug) = (&context, &slug);
    let command = &Command::Create { slug: slug.clone(), details };
    executor
        .execute(context, "tenant.create", |work| {
            Box::pin(async move {
                let events = tenant::decide(&Tenant::default(), context, command.clone())?;
                work.found_tenant(id);
                work.claim::<Tenant>(SLUG_SCOPE, slug.as_str(), id, Refusal::SlugTaken);
                work.append::<Tenant>(id, events);
                Ok(Reply::created(id, format!("/v1/tenants/{id}")).with("slug", slug.as_str()))
            })
        })
        .await
}

/// Changes an organisation: one's own as its admin, or any as a superadmin.
#[utoipa::path(patch, path = "/v1/tenants/{id}", tag = "tenant", security(("bearer" = [])),
    request_body = ChangeTenant,
    params(
        ("id" = Uuid, Path, description = "The organisation"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that the change is meant for"),
    ),
    responses(
        (status = 200, description = "Changed", body = Done),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 412, description = "`version-conflict`"),
    ))]
pub async fn change(
    State(executor): State<Executor>,
    context: Context,
    Path(id): Path<TenantId>,
    Json(body): Json<ChangeTenant>,
) -> Result<Answer, Problem> {
    let name = body.name.map(|name| name.trim().to_owned());
    let changes = Changes { name, registration: body.registration, settings: body.settings };
    let context = &within(context, id)?;
    let command = &Command::Change { tenant_id: id, changes };
    executor
        .execute(context, "tenant.change", |work| {
            Box::pin(async move {
                let tenant = work.load::<Tenant>(id).await?;
                let events = tenant::decide(&tenant.state, context, command.clone())?;
                work.check_if_match(&tenant)?;
                work.append::<Tenant>(id, events);
                Ok(Reply::ok(id))
            })
        })
        .await
}

/// Creates an account in an organisation, with a temporary password: in one's own as its admin, or in any as a
/// superadmin.
#[utoipa::path(post, path = "/v1/tenants/{id}/accounts", tag = "tenant", security(("bearer" = [])),
    request_body = CreateAccount,
    params(("id" = Uuid, Path, description = "The organisation")),
    responses(
        (status = 201, description = "Created", body = CreatedAccount),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`email-taken`, `username-taken`"),
    ))]
pub async fn create_account(
    State(executor): State<Executor>,
    State(passwords): State<Passwords>,
    State(settings): State<Arc<Settings>>,
    context: Context,
    Path(id): Path<TenantId>,
    Json(body): Json<CreateAccount>,
) -> Result<Answer, Problem> {
    let context = within(context, id)?;
    create_in(&executor, &passwords, &settings, &context, body, Some(id)).await
}

/// The context in an organisation that the path names, for those who may do things to it.
fn within(context: Context, tenant_id: TenantId) -> Result<Context, Refusal> {
    tenant::check_runs(&context, tenant_id)?;
    Ok(context.acting_in(tenant_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_nested_so_deep_that_they_can_be_read_again() {
        let nested = |levels: usize| {
            let value = (1..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
            BTreeMap::from([("a".to_owned(), value)])
        };
        assert!(settings_fit(&nested(SETTINGS_MAX_DEPTH)).is_ok());
        assert_eq!(settings_fit(&nested(SETTINGS_MAX_DEPTH + 1)).unwrap_err().code, "depth");
    }
}
