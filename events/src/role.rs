//! What an account may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An account's role. The older systems' names are accepted on input as aliases and never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes courses and assessments.
    #[serde(alias = "student", alias = "trainee", alias = "candidate")]
    Learner,
    /// Makes courses and assessments.
    #[serde(alias = "teacher", alias = "trainer")]
    Instructor,
    /// Reads the history, and changes nothing.
    Auditor,
    /// Runs one tenant.
    Admin,
    /// Runs the whole installation.
    Superadmin,
    /// Runs the machines that the installation runs on, and proves it with their signing key. No account has this role:
    /// it is whom the operator's command acts as, and the log names it so.
    #[schemars(skip)]
    Operator,
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role; use learner, instructor, admin, auditor or superadmin")]
pub struct UnknownRole;

impl Role {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learner => "learner",
            Self::Instructor => "instructor",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
            Self::Superadmin => "superadmin",
            Self::Operator => "operator",
        }
    }

    /// Whether this role runs a tenant: admin and all above.
    pub const fn administers(self) -> bool {
        matches!(self, Self::Admin | Self::Superadmin | Self::Operator)
    }

    /// Whether this role may act in tenants that it is not of.
    pub const fn crosses_tenants(self) -> bool {
        matches!(self, Self::Superadmin | Self::Operator)
    }

    /// Whether an account of this role may create one of `other`: only below its own.
    pub fn may_create(self, other: Self) -> bool {
        self.administers() && other < self
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Ok(match text {
            "learner" | "student" | "trainee" | "candidate" => Self::Learner,
            "instructor" | "teacher" | "trainer" => Self::Instructor,
            "auditor" => Self::Auditor,
            "admin" => Self::Admin,
            "superadmin" => Self::Superadmin,
            "operator" => Self::Operator,
            _ => return Err(UnknownRole),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_creates_an_account_of_their_own_role_or_above() {
        assert!(Role::Admin.may_create(Role::Auditor));
        assert!(Role::Superadmin.may_create(Role::Admin));
        assert!(!Role::Admin.may_create(Role::Admin));
        assert!(!Role::Auditor.may_create(Role::Learner));
        assert!(!Role::Instructor.may_create(Role::Learner));
    }

    #[test]
    fn nobody_makes_an_operator() {
        for role in [Role::Learner, Role::Instructor, Role::Auditor, Role::Admin, Role::Superadmin, Role::Operator] {
            assert!(!role.may_create(Role::Operator), "{role}");
        }
        assert!(Role::Operator.may_create(Role::Superadmin));
    }

    #[test]
    fn json_and_text_agree_on_every_name_and_alias() {
        for name in ["learner", "student", "trainee", "candidate", "instructor", "teacher", "trainer", "admin"] {
            let from_json: Role = serde_json::from_value(name.into()).unwrap();
            assert_eq!(name.parse(), Ok(from_json), "{name}");
        }
    }
}
