//! Who there is: `/v1/me`, `/v1/accounts`; as a file in `export`.

mod export;
mod sheet;

pub use export::*;

use super::RoleSchema;
use crate::{
    caller::SignedIn,
    gather::{Gathered, Kind, Loaded, Loading},
    snapshot::{Answer, Reader, Snapshot},
};
use axum::extract::State;
use chrono::{DateTime, Utc};
use events::Role;
use ops::{
    extract::Path,
    page::{Page, PageParams, PageQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

const READS: &[&str] = &["account_list"];
/// As many words as a search looks for.
const MAX_WORDS: usize = 10;

/// An account. Its person's data are null once the person was erased.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Account {
    /// The account.
    pub id: Uuid,
    /// Its organisation.
    pub tenant_id: Uuid,
    /// Address to log in with.
    pub email: Option<String>,
    /// Name to log in with, where it has one.
    pub username: Option<String>,
    /// What it may do.
    #[schema(value_type = RoleSchema)]
    pub role: String,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// What the person says of themselves.
    pub bio: Option<String>,
    /// Where a picture is.
    pub avatar_url: Option<String>,
    /// Whether it was not deactivated.
    pub is_active: bool,
    /// Whether it may log in to the portal.
    pub portal_access: bool,
    /// Whether its password is a temporary one.
    pub must_set_password: bool,
    /// Until when its log-ins are turned away, because too many have failed.
    pub locked_until: Option<DateTime<Utc>>,
    /// The last log-in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// What If-Match compares.
    pub version: i64,
    /// The position that it was read at, where its statement says that.
    #[serde(skip)]
    reflected: Option<i64>,
}

/// `$reflected` is the position that the statement reflects, or null.
macro_rules! select_accounts {
    ([$where:tt], $($argument:expr),+ $(,)?) => {
        select_accounts!("null::bigint", [$where], $($argument),+)
    };
    ($reflected:literal, [$where:tt], $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Account,
            r#"select a.account_id as id, a.tenant_id, a.email, a.username, a.role, a.first_name, a.last_name, a.bio,
                      a.avatar_url, a.is_active, a.portal_access, a.must_set_password, a.locked_until,
                      l.last_login_at as "last_login_at?", a.created_at, a.updated_at, a.version,
                      "# + $reflected + r#" as reflected
               from read.account_list a
               left join read.account_list_logins l using (tenant_id, account_id)
               "# + $where,
            $($argument),+
        )
    };
}

/// Which accounts.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// Of this role.
    #[param(inline, value_type = Option<RoleSchema>)]
    role: Option<Role>,
    /// Of this status.
    #[param(inline)]
    status: Option<AccountStatus>,
    /// With all of these words somewhere in name, e-mail address or user name; neither case nor accents matter.
    #[validate(length(max = 200))]
    #[param(max_length = 200)]
    search: Option<String>,
}

/// Whether an account was deactivated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// It was not.
    Active,
    /// It was.
    Inactive,
}

/// Each word as a pattern that finds it literally, anywhere.
fn patterns(search: Option<&str>) -> Vec<String> {
    let escaped = |word: &str| word.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    search.unwrap_or_default().split_whitespace().take(MAX_WORDS).map(|word| format!("%{}%", escaped(word))).collect()
}

/// At most `limit` accounts that pass the filter, newest first, from the place in the order on.
async fn select(
    snapshot: &mut Snapshot,
    filter: &AccountFilter,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Account>, sqlx::Error> {
    let (before, id) = after.unzip();
    select_accounts!(
        [r#"where a.tenant_id = $1
             and ($2::text is null or a.role = $2)
             and ($3::boolean is null or a.is_active = $3)
             and a.search like all (select read.fold(pattern) from unnest($4::text[]) as pattern)
             and ($5::timestamptz is null or (a.created_at, a.account_id) < ($5, $6::uuid))
           order by a.created_at desc, a.account_id desc
           limit $7"#],
        snapshot.tenant_id(),
        filter.role.map(Role::as_str),
        filter.status.map(|status| status == AccountStatus::Active),
        &patterns(filter.search.as_deref()),
        before,
        id,
        limit,
    )
    .fetch_all(snapshot.connection())
    .await
}

/// The accounts, newest first.
#[utoipa::path(get, path = "/v1/accounts", tag = "account", security(("bearer" = [])),
    params(PageParams, AccountFilter), responses(
        (status = 200, description = "A page of accounts", body = Page<Account>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn list(caller: SignedIn, reader: Reader, query: PageQuery<AccountFilter>) -> Result<Answer, Problem> {
    caller.require(&[Role::Instructor, Role::Admin])?;
    of_tenant(reader, caller.tenant_id, query).await
}

/// The accounts of one organisation, newest first.
pub(super) async fn of_tenant(
    reader: Reader,
    tenant_id: Uuid,
    PageQuery { page, filter }: PageQuery<AccountFilter>,
) -> Result<Answer, Problem> {
    let after = page.after::<(DateTime<Utc>, Uuid)>()?;
    let mut snapshot = reader.open(tenant_id, READS).await?;
    let rows = select(&mut snapshot, &filter, after, page.fetch()).await?;
    snapshot.answer(page.page(rows, |account| (account.created_at, account.id))).await
}

/// One account: one's own, or for admins any.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "account", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account")), responses(
        (status = 200, description = "The account", body = Account),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(
    caller: SignedIn,
    reader: Reader,
    State(accounts): State<Gathered<OneAccount>>,
    Path(id): Path<Uuid>,
) -> Result<Answer, Problem> {
    if id != caller.account_id {
        caller.require(&[Role::Admin])?;
    }
    find(caller, &reader, &accounts, id).await
}

/// One's own account.
#[utoipa::path(get, path = "/v1/me", tag = "me", security(("bearer" = [])), responses(
    (status = 200, description = "The account that the token was issued to", body = Account),
    (status = 404, description = "`not-found`"),
))]
pub async fn me(
    caller: SignedIn,
    reader: Reader,
    State(accounts): State<Gathered<OneAccount>>,
) -> Result<Answer, Problem> {
    find(caller, &reader, &accounts, caller.account_id).await
}

async fn find(caller: SignedIn, reader: &Reader, accounts: &Gathered<OneAccount>, id: Uuid) -> Result<Answer, Problem> {
    // A log-in changes last_login_at and not the version, so that nobody is told that nothing changed.
    Ok(accounts.find(reader, caller.tenant_id, id).await?.answer(|account| account.version)?.into())
}

/// Accounts, read together.
#[derive(Debug)]
pub struct OneAccount;

impl Kind for OneAccount {
    type Key = Uuid;
    type Value = Account;

    const READS: &'static [&'static str] = READS;

    fn load<'a>(connection: &'a mut PgConnection, tenant_id: Uuid, ids: &'a [Uuid]) -> Loading<'a, Self> {
        Box::pin(async move {
            let found = select_accounts!(
                "(select min(p.position) from read.projections p where p.name = any($3))",
                ["where a.tenant_id = $1 and a.account_id = any($2)"],
                tenant_id,
                ids,
                Self::READS as _,
            )
            .fetch_all(connection)
            .await?;
            let loaded = |account: Account| {
                let position = account.reflected.unwrap_or_default();
                Loaded { key: account.id, value: account, position }
            };
            Ok(found.into_iter().map(loaded).collect())
        })
    }
}

/// 404 where the caller's organisation has no such account.
pub(super) async fn require(caller: SignedIn, reader: &Reader, id: Uuid) -> Result<(), Problem> {
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let found = sqlx::query_scalar!(
        "select account_id
         from read.account_list
         where tenant_id = $1
           and account_id = $2",
        snapshot.tenant_id(),
        id,
    )
    .fetch_optional(snapshot.connection())
    .await?;
    found.map(drop).ok_or_else(|| snapshot.not_found())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_words_literally() {
        assert_eq!(patterns(Some(r" Ada  100%_\ ")), ["%Ada%", r"%100\%\_\\%"]);
        assert!(patterns(None).is_empty() && patterns(Some("  ")).is_empty());
        assert_eq!(patterns(Some(&"a ".repeat(99))).len(), MAX_WORDS);
    }
}
