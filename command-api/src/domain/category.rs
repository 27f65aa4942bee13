//! A category comes to be: those who run the tenant make it, and each name is there once.
//!
//! Whether a name is free is not for this file to know: the claim on [`name_key`] decides it at the append.

use crate::execute::Context;
use events::category::CategoryEvent;
use unicode_normalization::UnicodeNormalization;

/// Where the names of a tenant's categories are claimed.
pub const NAME_SCOPE: &str = "category-name";

/// Make a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Name, as it is shown.
    pub name: String,
    /// What belongs in it.
    pub description: Option<String>,
}

/// Why a category is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller does not run the tenant.
    #[error("only an admin makes categories")]
    NotAdmin,
    /// Another category has that name.
    #[error("there is already a category named “{name}”")]
    NameTaken {
        /// The name asked for.
        name: String,
    },
}

/// Decides on a category that has no history yet.
pub fn decide(context: &Context, command: Create) -> Result<Vec<CategoryEvent>, Refusal> {
    if !context.actor.as_ref().is_some_and(|actor| actor.role.administers()) {
        return Err(Refusal::NotAdmin);
    }
    let Create { name, description } = command;
    Ok(vec![CategoryEvent::Created { name: name.trim().to_owned(), description }])
}

/// What is claimed for a name: names that people cannot tell apart have the same key.
pub fn name_key(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    // Lower-casing can take a text out of its normal form, so that it comes first.
    words.join(" ").to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ada_as, nobody};
    use events::Role;

    fn create(name: &str) -> Create {
        Create { name: name.to_owned(), description: Some("Safe work".to_owned()) }
    }

    #[test]
    fn those_who_run_the_tenant_make_categories() {
        for role in [Role::Admin, Role::Superadmin] {
            let created = CategoryEvent::Created {
                name: "Health and safety".to_owned(),
                description: Some("Safe work".to_owned()),
            };
            assert_eq!(decide(&ada_as(role), create(" Health and safety ")), Ok(vec![created]));
        }
    }

    #[test]
    fn nobody_else_makes_categories() {
        for role in [Role::Learner, Role::Instructor, Role::Auditor] {
            assert_eq!(decide(&ada_as(role), create("Law")), Err(Refusal::NotAdmin), "{role}");
        }
        assert_eq!(decide(&nobody(), create("Law")), Err(Refusal::NotAdmin));
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for same in ["caf\u{e9} law", "CAFE\u{301} LAW", "  Caf\u{e9}\t\u{a0} Law\n"] {
            assert_eq!(name_key(same), "caf\u{e9} law", "{same:?}");
        }
        assert_ne!(name_key("cafe law"), name_key("caf\u{e9} law"));
    }
}
