//! The organisation that a stream belongs to.

use crate::ids::TenantId;
use uuid::Uuid;

/// The tenant of an installation that serves one organisation.
pub const DEFAULT_TENANT: TenantId = TenantId::new(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

/// The name by which requests choose [`DEFAULT_TENANT`].
pub const DEFAULT_SLUG: &str = "default";

/// The tenant that a request names; without a name, the default one. `None` where there is no such tenant.
pub fn find_by_slug(slug: Option<&str>) -> Option<TenantId> {
    match slug {
        None | Some(DEFAULT_SLUG) => Some(DEFAULT_TENANT),
        Some(_) => None,
    }
}
