//! What may happen to a tenant: superadmins found organisations, and those who run one say what it is and how it goes
//! about things. Whether a slug is free is decided by the claim at the append.

use crate::execute::Context;
use events::{
    ids::TenantId,
    tenant::{DEFAULT_SLUG, RegistrationPolicy, Tenant, TenantDetails, TenantEvent},
};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Longest slug: that of a DNS label, so that it may stand in a host name.
const SLUG_MAX_LENGTH: usize = 63;

/// The name by which requests choose a tenant: a DNS label in lower case that cannot be taken for an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

/// The text is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 63 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen")]
pub struct InvalidSlug;

impl Slug {
    /// Takes a slug as it is written.
    pub fn try_new(text: &str) -> Result<Self, InvalidSlug> {
        let is_short = (2..=SLUG_MAX_LENGTH).contains(&text.len());
        let is_plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let ends_well = text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.ends_with('-');
        if is_short && is_plain && ends_well && Uuid::parse_str(text).is_err() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSlug)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is to change; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Name.
    pub name: Option<String>,
    /// Whether people may register themselves.
    pub registration: Option<RegistrationPolicy>,
    /// All settings, in place of those before.
    pub settings: Option<BTreeMap<String, Value>>,
}

/// What somebody wants to do with a tenant.
#[derive(Debug, Clone)]
pub enum Command {
    /// An organisation is founded.
    Create {
        /// The name by which requests choose it.
        slug: Slug,
        /// What it says of itself.
        details: TenantDetails,
    },
    /// The installation has its default one, as the operator's settings say.
    OpenDefault {
        /// Whether people may register themselves, to begin with.
        registration: RegistrationPolicy,
    },
    /// It says something else of itself.
    Change {
        /// Which one.
        tenant_id: TenantId,
        /// What.
        changes: Changes,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Organisations are founded by those above them.
    #[error("only a superadmin makes organisations")]
    NotSuperadmin,
    /// An organisation is run by its own admins.
    #[error("only admins and superadmins may do this to an organisation")]
    NotAdmin,
    /// Another has the slug.
    #[error("another organisation is chosen by this slug")]
    SlugTaken,
    /// There is none.
    #[error("there is no such organisation")]
    NotFound,
}

/// Decides what a command does to a tenant.
pub fn decide(state: &Tenant, context: &Context, command: Command) -> Result<Vec<TenantEvent>, Refusal> {
    match command {
        Command::Create { slug, details } => {
            if !context.actor.is_some_and(|actor| actor.role.crosses_tenants()) {
                return Err(Refusal::NotSuperadmin);
            }
            Ok(vec![TenantEvent::Created { slug: slug.0, details }])
        }
        Command::OpenDefault { .. } if state.slug.is_some() => Ok(Vec::new()),
        Command::OpenDefault { registration } => {
            let details = TenantDetails { name: "Default".to_owned(), registration, settings: BTreeMap::new() };
            Ok(vec![TenantEvent::Created { slug: DEFAULT_SLUG.to_owned(), details }])
        }
        Command::Change { tenant_id, changes } => {
            check_runs(context, tenant_id)?;
            if state.slug.is_none() {
                return Err(Refusal::NotFound);
            }
            let before = state.details.clone();
            let after = TenantDetails {
                name: changes.name.unwrap_or_else(|| before.name.clone()),
                registration: changes.registration.unwrap_or(before.registration),
                settings: changes.settings.unwrap_or_else(|| before.settings.clone()),
            };
            Ok(if after == before { Vec::new() } else { vec![TenantEvent::Updated { before, after }] })
        }
    }
}

/// Whether who asks may do things to this organisation: as its own admin, or as somebody who acts in any. To admins of
/// others it is not there.
pub fn check_runs(context: &Context, tenant_id: TenantId) -> Result<(), Refusal> {
    let actor = context.actor.filter(|actor| actor.role.administers()).ok_or(Refusal::NotAdmin)?;
    let is_own = context.home() == tenant_id;
    if is_own || actor.role.crosses_tenants() { Ok(()) } else { Err(Refusal::NotFound) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ada_as, given, nobody};
    use events::{Role, tenant::DEFAULT_TENANT};

    const NORTH: TenantId = TenantId::new(Uuid::from_u128(0x40));

    fn details(name: &str) -> TenantDetails {
        TenantDetails { name: name.to_owned(), registration: RegistrationPolicy::Invite, settings: BTreeMap::new() }
    }

    fn create() -> Command {
        Command::Create { slug: Slug::try_new("north").unwrap(), details: details("North") }
    }

    fn north() -> Tenant {
        given([TenantEvent::Created { slug: "north".to_owned(), details: details("North") }])
    }

    fn rename(tenant_id: TenantId) -> Command {
        Command::Change { tenant_id, changes: Changes { name: Some("Far North".to_owned()), ..Changes::default() } }
    }

    #[test]
    fn superadmins_found_organisations_and_nobody_else_does() {
        let created = TenantEvent::Created { slug: "north".to_owned(), details: details("North") };
        assert_eq!(decide(&Tenant::default(), &ada_as(Role::Superadmin), create()), Ok(vec![created]));
        for context in [ada_as(Role::Admin), ada_as(Role::Auditor), ada_as(Role::Learner), nobody()] {
            assert_eq!(decide(&Tenant::default(), &context, create()), Err(Refusal::NotSuperadmin));
        }
    }

    #[test]
    fn the_default_organisation_is_opened_once() {
        let open = Command::OpenDefault { registration: RegistrationPolicy::Open };
        let events = decide(&Tenant::default(), &nobody(), open.clone()).unwrap();
        let tenant: Tenant = given(events);
        assert_eq!(tenant.slug.as_deref(), Some("default"));
        assert_eq!(tenant.details.registration, RegistrationPolicy::Open);
        assert_eq!(decide(&tenant, &nobody(), open), Ok(Vec::new()));
    }

    #[test]
    fn an_organisation_is_changed_by_its_own_admins_and_by_superadmins() {
        let changed = TenantEvent::Updated { before: details("North"), after: details("Far North") };
        let at_home = |role| Context { tenant_id: NORTH, ..ada_as(role) };
        let from_afar = |role| Context { tenant_id: NORTH, actor_tenant_id: Some(DEFAULT_TENANT), ..ada_as(role) };
        for context in [at_home(Role::Admin), at_home(Role::Superadmin), from_afar(Role::Superadmin)] {
            assert_eq!(decide(&north(), &context, rename(NORTH)), Ok(vec![changed.clone()]));
        }
        for context in [at_home(Role::Instructor), ada_as(Role::Learner), nobody()] {
            assert_eq!(decide(&north(), &context, rename(NORTH)), Err(Refusal::NotAdmin));
        }
        for context in [from_afar(Role::Admin), ada_as(Role::Admin)] {
            assert_eq!(decide(&north(), &context, rename(NORTH)), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn an_organisation_that_is_not_there_is_not_changed() {
        let context = ada_as(Role::Superadmin);
        assert_eq!(decide(&Tenant::default(), &context, rename(NORTH)), Err(Refusal::NotFound));
    }

    #[test]
    fn what_changes_nothing_leaves_no_event() {
        let context = Context { tenant_id: NORTH, ..ada_as(Role::Admin) };
        let same = Changes {
            name: Some("North".to_owned()),
            registration: Some(RegistrationPolicy::Invite),
            settings: Some(BTreeMap::new()),
        };
        let command = Command::Change { tenant_id: NORTH, changes: same };
        assert_eq!(decide(&north(), &context, command), Ok(Vec::new()));
    }

    #[test]
    fn a_slug_is_a_host_label_and_no_id() {
        for good in ["ab", "north", "north-2", &"a".repeat(63)] {
            assert_eq!(Slug::try_new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(64);
        let id = "abcdef00-0000-7000-8000-000000000001";
        for wrong in ["", "a", "-a", "a-", "1st", "North", "n\u{f6}rd", "a b", "a.b", long.as_str(), id] {
            assert_eq!(Slug::try_new(wrong), Err(InvalidSlug), "{wrong:?}");
        }
    }
}
