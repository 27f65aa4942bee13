//! Lists of people on their way to becoming accounts: `/v1/account-imports`.

use crate::{
    caller::SignedIn,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use events::Role;
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["account_import_list"];

/// An import of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountImport {
    /// The import.
    pub id: Uuid,
    /// Who started it.
    pub started_by: Uuid,
    /// Whether the list is only looked through.
    pub dry_run: bool,
    /// The list's size.
    pub bytes: i64,
    /// `running`, `finished` or `failed`.
    #[schema(example = "finished")]
    pub state: String,
    /// Why it was given up: `list_lost` or `starter_lost`. The accounts that were made stay.
    pub failure: Option<String>,
    /// Rows that became accounts, or in a dry run could.
    pub accepted: i64,
    /// Rows that did not.
    pub refused: i64,
    /// When it was handed in.
    pub started_at: DateTime<Utc>,
    /// When it last came further.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What is wrong with a row.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    /// The line of the file that the row begins in; the header is line 1.
    #[schema(example = 7)]
    pub line: u64,
    /// The column; null where the row as a whole is wrong.
    #[schema(example = "email")]
    pub column: Option<String>,
    /// What is wrong: `missing`, `email`, `unknown`, `username`, `control`, `length`, `hash`, `taken`, `duplicate` (of an
    /// earlier row), `not-below-own` (the role), `columns` (another number of fields than the header), `encoding`.
    #[schema(example = "taken")]
    pub code: String,
}

/// An import with the rows that were refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountImportWithErrors {
    /// The import.
    #[serde(flatten)]
    pub import: AccountImport,
    /// What was wrong, in the order of the list; at most a thousand are told.
    #[schema(value_type = Vec<RowError>)]
    pub errors: Json<Vec<RowError>>,
}

/// The imports, newest first.
#[utoipa::path(get, path = "/v1/account-imports", tag = "account", security(("bearer" = [])),
    params(PageParams), responses(
        (status = 200, description = "A page of imports", body = Page<AccountImport>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn list(caller: SignedIn, reader: Reader, PageQuery { page, .. }: PageQuery) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let (before, id) = page.after::<(DateTime<Utc>, Uuid)>()?.unzip();
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let rows = sqlx::query_as!(
        AccountImport,
        "select import_id as id, started_by, dry_run, bytes, state, failure, accepted, refused, started_at, updated_at,
                ended_at
         from read.account_import_list
         where tenant_id = $1
           and ($2::timestamptz is null or (started_at, import_id) < ($2, $3::uuid))
         order by started_at desc, import_id desc
         limit $4",
        snapshot.tenant_id(),
        before,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |import| (import.started_at, import.id))).await
}

/// One import: how far it has come, and which rows were refused.
#[utoipa::path(get, path = "/v1/account-imports/{id}", tag = "account", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The import")), responses(
        (status = 200, description = "The import", body = AccountImportWithErrors),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(caller: SignedIn, reader: Reader, Path(id): Path<Uuid>) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let found = sqlx::query!(
        r#"select started_by, dry_run, bytes, state, failure, accepted, refused,
                  errors as "errors: Json<Vec<RowError>>", started_at, updated_at, ended_at, version
           from read.account_import_list
           where tenant_id = $1
             and import_id = $2"#,
        snapshot.tenant_id(),
        id,
    )
    .fetch_optional(snapshot.connection())
    .await?;
    let row = found.ok_or_else(|| snapshot.not_found())?;
    let import = AccountImport {
        id,
        started_by: row.started_by,
        dry_run: row.dry_run,
        bytes: row.bytes,
        state: row.state,
        failure: row.failure,
        accepted: row.accepted,
        refused: row.refused,
        started_at: row.started_at,
        updated_at: row.updated_at,
        ended_at: row.ended_at,
    };
    snapshot.answer_version(AccountImportWithErrors { import, errors: row.errors }, row.version).await
}
