//! Who asks, in which tenant and in what role. What a role may see, each view says.

use crate::{state::State, tenancy};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use events::{Role, tenant::DEFAULT_TENANT};
use ops::{
    caller::{Caller, MaybeCaller},
    problem::Problem,
};
use uuid::Uuid;

/// Somebody who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub account_id: Uuid,
    /// The tenant that is looked at: the account's own, or the one that a superadmin names. Nothing of another is shown.
    pub tenant_id: Uuid,
    /// The session that the token belongs to.
    pub session_id: Uuid,
    /// What the account may do.
    pub role: Role,
}

/// Somebody who need not have signed in, and the tenant that the query string names, where there is such a one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anyone(pub Option<SignedIn>, pub Option<Uuid>);

impl SignedIn {
    /// Refuses a caller of another role; where an admin may, those above may too.
    pub fn require(&self, allowed: &[Role]) -> Result<(), Problem> {
        let counts_as = if self.role.administers() { Role::Admin } else { self.role };
        if allowed.contains(&self.role) || allowed.contains(&counts_as) {
            return Ok(());
        }
        let roles: Vec<&str> = allowed.iter().map(|role| role.as_str()).collect();
        Err(Problem::forbidden(format!("This is for the role {}.", roles.join(" or "))))
    }
}

impl Anyone {
    /// The tenant that is looked at: the caller's own; without a token the one that is named, or the default one.
    pub fn tenant(&self, slug: Option<&str>) -> Result<Uuid, Problem> {
        let unknown = || Problem::invalid_field("/query/tenant", "unknown", "there is no organisation of this name");
        match (self.0, slug) {
            (Some(caller), _) => Ok(caller.tenant_id),
            (None, None) => Ok(DEFAULT_TENANT.as_uuid()),
            (None, Some(_)) => self.1.ok_or_else(unknown),
        }
    }
}

impl TryFrom<Caller> for SignedIn {
    type Error = Problem;

    /// A role that this version does not know may do nothing.
    fn try_from(caller: Caller) -> Result<Self, Problem> {
        let role = caller.role.parse().map_err(|_| Problem::invalid_token())?;
        let Caller { account_id, tenant_id, session_id, .. } = caller;
        Ok(Self { account_id, tenant_id, session_id, role })
    }
}

impl FromRequestParts<State> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        enter(Caller::from_request_parts(parts, state).await?.try_into()?, parts, state).await
    }
}

impl FromRequestParts<State> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let MaybeCaller(caller) = MaybeCaller::from_request_parts(parts, state).await?;
        match caller {
            Some(caller) => Ok(Self(Some(enter(caller.try_into()?, parts, state).await?), None)),
            None => Ok(Self(None, named(parts, state).await?)),
        }
    }
}

/// The caller, in the tenant that they look at.
async fn enter(caller: SignedIn, parts: &Parts, state: &State) -> Result<SignedIn, Problem> {
    let tenant_id = tenancy::enter(state, &parts.headers, caller.role, caller.tenant_id).await?;
    Ok(SignedIn { tenant_id, ..caller })
}

/// The tenant of the parameter `tenant`. What else is wrong with the query string is the handler's to say.
async fn named(parts: &Parts, state: &State) -> Result<Option<Uuid>, Problem> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else { return Ok(None) };
    match pairs.iter().find(|(name, _)| name == "tenant") {
        // PostgreSQL stores no NUL, so no tenant has such a name.
        Some((_, slug)) if !slug.contains('\0') => tenancy::find(state, &parts.headers, slug).await,
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_role(role: Role) -> SignedIn {
        let [account_id, tenant_id, session_id] = [1, 2, 3].map(Uuid::from_u128);
        SignedIn { account_id, tenant_id, session_id, role }
    }

    #[test]
    fn a_superadmin_sees_what_an_admin_sees_and_nothing_that_is_not_for_admins() {
        assert!(in_role(Role::Superadmin).require(&[Role::Admin]).is_ok());
        assert!(in_role(Role::Superadmin).require(&[Role::Learner]).is_err());
        assert!(in_role(Role::Admin).require(&[Role::Auditor, Role::Admin]).is_ok());
    }

    #[test]
    fn a_wrong_role_is_told_which_would_do() {
        let problem = in_role(Role::Learner).require(&[Role::Auditor, Role::Admin]).unwrap_err();
        assert_eq!(problem.slug(), "forbidden");
        assert_eq!(problem.document().detail.as_deref(), Some("This is for the role auditor or admin."));
    }

    #[test]
    fn a_tenant_comes_from_the_token_before_it_comes_from_the_query() {
        let caller = in_role(Role::Learner);
        let elsewhere = Uuid::from_u128(9);
        assert_eq!(Anyone(Some(caller), None).tenant(Some("elsewhere")).unwrap(), caller.tenant_id);
        assert_eq!(Anyone(None, None).tenant(None).unwrap(), DEFAULT_TENANT.as_uuid());
        assert_eq!(Anyone(None, Some(elsewhere)).tenant(Some("elsewhere")).unwrap(), elsewhere);
        let problem = Anyone(None, None).tenant(Some("nowhere")).unwrap_err();
        assert_eq!((problem.slug(), &*problem.document().errors[0].pointer), ("invalid-request", "/query/tenant"));
    }
}
