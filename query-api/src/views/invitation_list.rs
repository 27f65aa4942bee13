//! Who was invited: `/v1/invitations`.

use super::RoleSchema;
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
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

const READS: &[&str] = &["invitation_list"];

/// An invitation. Its token is nowhere to be read.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// The invitation.
    pub id: Uuid,
    /// Who is invited; null once the person was erased.
    pub email: Option<String>,
    /// What their account will be able to do, or could at first.
    #[schema(value_type = RoleSchema)]
    pub role: String,
    /// What became of it.
    #[schema(value_type = InvitationStatus)]
    pub status: String,
    /// Who invites.
    pub invited_by: Uuid,
    /// The account, once there is one.
    pub account_id: Option<Uuid>,
    /// When it was issued.
    pub created_at: DateTime<Utc>,
    /// When it is worth nothing any more.
    pub expires_at: DateTime<Utc>,
    /// When its person came.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
    /// What If-Match compares.
    pub version: i64,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// Nothing yet.
    Open,
    /// Its person has an account.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Nobody came in time.
    Expired,
}

impl InvitationStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

macro_rules! select_invitations {
    ($where:tt, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Invitation,
            r#"select i.invitation_id as id, i.email, i.role, s.status as "status!", i.invited_by,
                      case when i.accepted_at is not null then i.account_id end as account_id,
                      i.created_at, i.expires_at, i.accepted_at, i.revoked_at, i.version
               from read.invitation_list i
               cross join lateral (
                   select case
                       when i.accepted_at is not null then 'accepted'
                       when i.revoked_at is not null then 'revoked'
                       when i.expires_at <= now() then 'expired'
                       else 'open'
                   end as status
               ) s
               "# + $where,
            $($argument),+
        )
    };
}

/// Which invitations.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvitationFilter {
    /// Of this status.
    #[param(inline)]
    status: Option<InvitationStatus>,
}

/// The invitations, newest first.
#[utoipa::path(get, path = "/v1/invitations", tag = "invitation", security(("bearer" = [])),
    params(PageParams, InvitationFilter), responses(
        (status = 200, description = "A page of invitations", body = Page<Invitation>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn list(
    caller: SignedIn,
    reader: Reader,
    PageQuery { page, filter }: PageQuery<InvitationFilter>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let (before, id) = page.after::<(DateTime<Utc>, Uuid)>()?.unzip();
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let rows = select_invitations!(
        r#"where i.tenant_id = $1
             and ($2::text is null or s.status = $2)
             and ($3::timestamptz is null or (i.created_at, i.invitation_id) < ($3, $4::uuid))
           order by i.created_at desc, i.invitation_id desc
           limit $5"#,
        snapshot.tenant_id(),
        filter.status.map(InvitationStatus::as_str),
        before,
        id,
        page.fetch(),
    )
    .fetch_all(snapshot.connection())
    .await?;
    snapshot.answer(page.page(rows, |invitation| (invitation.created_at, invitation.id))).await
}

/// One invitation.
#[utoipa::path(get, path = "/v1/invitations/{id}", tag = "invitation", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The invitation")), responses(
        (status = 200, description = "The invitation", body = Invitation),
        (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not-found`"),
    ))]
pub async fn one(caller: SignedIn, reader: Reader, Path(id): Path<Uuid>) -> Result<Answer, Problem> {
    caller.require(&[Role::Admin])?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let found = select_invitations!("where i.tenant_id = $1 and i.invitation_id = $2", snapshot.tenant_id(), id)
        .fetch_optional(snapshot.connection())
        .await?;
    let invitation = found.ok_or_else(|| snapshot.not_found())?;
    let version = invitation.version;
    snapshot.answer_version(invitation, version).await
}
