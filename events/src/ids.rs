//! Typed identifiers, so that a course is never passed where a learner is meant.
//!
//! Every id is a UUID. New things get a UUIDv7 (RFC 9562), drawn by the caller: this crate has no clock. Things with a
//! natural identity get a UUIDv5 derived from it, which makes a duplicate impossible rather than merely refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Namespace of every derived id. Changing it would orphan every derived stream.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2d_3c51_7a04_5d0e_9b8a_4f1e_c0de_1091);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes an id as it stands.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The plain UUID, for SQL and for paths.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id!(
    /// An organisation; nothing of one is visible to another.
    TenantId
);
id!(
    /// A person's account, of any role; also the subject whose key seals that person's data.
    AccountId
);
id!(
    /// An invitation to make an account.
    InvitationId
);
id!(
    /// An import of a list of accounts.
    AccountImportId
);
id!(
    /// One log-in, from its start to its end.
    AuthSessionId
);
id!(
    /// A category of courses.
    CategoryId
);
id!(
    /// A course.
    CourseId
);
id!(
    /// A lesson within a course.
    LessonId
);
id!(
    /// One learner in one course; derived, see [`EnrollmentId::of`].
    EnrollmentId
);
id!(
    /// One payment.
    PaymentId
);
id!(
    /// An assessment's definition.
    AssessmentId
);
id!(
    /// All that one learner submitted to one assessment; derived, see [`AttemptsId::of`].
    AttemptsId
);
id!(
    /// One submission among a learner's attempts.
    SubmissionId
);
id!(
    /// A record of refusals.
    RefusalId
);

impl AccountId {
    /// Whom the operator's command acts as. It is nobody's account.
    pub const OPERATOR: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000));

    /// The one account that a line of an imported list becomes.
    pub fn of_import(import: AccountImportId, line: u64) -> Self {
        Self(derive(b"account_import", import.0, Uuid::from_u128(line.into())))
    }
}

impl EnrollmentId {
    /// The one enrolment that a learner can have in a course.
    pub fn of(learner: AccountId, course: CourseId) -> Self {
        Self(derive(b"enrollment", learner.0, course.0))
    }
}

impl AttemptsId {
    /// The one series of attempts that a learner can have at an assessment.
    pub fn of(learner: AccountId, assessment: AssessmentId) -> Self {
        Self(derive(b"submission", learner.0, assessment.0))
    }
}

/// The id of what is imported from `source` under its key there: the same whenever it is imported, so that nothing comes
/// in twice. `stream_type` keeps a course and an account of the same key apart.
pub fn of_import(tenant: TenantId, source: &str, stream_type: &str, key: &str) -> Uuid {
    let name = [b"import", tenant.0.as_bytes().as_slice(), [source, stream_type, key].join("\0").as_bytes()].concat();
    Uuid::new_v5(&NAMESPACE, &name)
}

fn derive(kind: &[u8], left: Uuid, right: Uuid) -> Uuid {
    let mut name = Vec::with_capacity(kind.len() + 32);
    name.extend_from_slice(kind);
    name.extend_from_slice(left.as_bytes());
    name.extend_from_slice(right.as_bytes());
    Uuid::new_v5(&NAMESPACE, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_has_one_enrolment_per_course() {
        let (ada, bob) = (AccountId::new(Uuid::from_u128(1)), AccountId::new(Uuid::from_u128(2)));
        let course = CourseId::new(Uuid::from_u128(3));
        assert_eq!(EnrollmentId::of(ada, course), EnrollmentId::of(ada, course));
        assert_ne!(EnrollmentId::of(ada, course), EnrollmentId::of(bob, course));
    }

    #[test]
    fn what_is_imported_has_one_id_per_tenant_source_kind_and_key() {
        let id = |tenant, source, kind, key| of_import(TenantId::new(Uuid::from_u128(tenant)), source, kind, key);
        let first = id(1, "old", "course", "a");
        assert_eq!(first, id(1, "old", "course", "a"));
        for other in [(2, "old", "course", "a"), (1, "new", "course", "a"), (1, "old", "account", "a")] {
            assert_ne!(first, id(other.0, other.1, other.2, other.3), "{other:?}");
        }
        assert_ne!(first, id(1, "old", "course", "b"));
    }

    #[test]
    fn derived_ids_never_change() {
        let id = EnrollmentId::of(AccountId::new(Uuid::from_u128(1)), CourseId::new(Uuid::from_u128(2)));
        insta::assert_snapshot!(id, @"e16bad9b-de7e-563f-8520-be8867d02c7b");
    }
}
