//! Who asks, in which tenant and in what role. What a role may see, each view says.

use crate::state::State;
use axum::{extract::FromRequestParts, http::request::Parts};
use events::{Role, tenant::find_by_slug};
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
    /// The account's tenant: nothing of another is shown.
    pub tenant_id: Uuid,
    /// The session that the token belongs to.
    pub session_id: Uuid,
    /// What the account may do.
    pub role: Role,
}

/// Somebody who need not have signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anyone(pub Option<SignedIn>);

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
        let named = || find_by_slug(slug).map(Uuid::from);
        self.0
            .map(|caller| caller.tenant_id)
            .or_else(named)
            .ok_or_else(|| Problem::invalid_field("/query/tenant", "unknown", "there is no organisation of this name"))
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
        Caller::from_request_parts(parts, state).await?.try_into()
    }
}

impl FromRequestParts<State> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let MaybeCaller(caller) = MaybeCaller::from_request_parts(parts, state).await?;
        caller.map(SignedIn::try_from).transpose().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::tenant::DEFAULT_TENANT;

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
        assert_eq!(Anyone(Some(caller)).tenant(Some("elsewhere")).unwrap(), caller.tenant_id);
        assert_eq!(Anyone(None).tenant(None).unwrap(), DEFAULT_TENANT.as_uuid());
        assert_eq!(Anyone(None).tenant(Some("default")).unwrap(), DEFAULT_TENANT.as_uuid());
        let problem = Anyone(None).tenant(Some("elsewhere")).unwrap_err();
        assert_eq!((problem.slug(), &*problem.document().errors[0].pointer), ("invalid-request", "/query/tenant"));
    }
}
