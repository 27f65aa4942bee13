//! `/v1/accounts`: accounts, as those see them who make and keep them. Here is what its files share; `create` makes
//! accounts for others, `profile` changes what they say of their person, `standing` and `credentials` are what
//! those above may do to them.

mod create;
mod credentials;
mod profile;
mod standing;

pub use create::*;
pub use credentials::*;
pub use profile::*;
pub use standing::*;

use crate::{
    domain::account::{
        Person, Refusal,
        identifier::{self, Email, InvalidEmail, InvalidName, InvalidUsername, Username},
    },
    execute::Work,
};
use events::account::Account;
use ops::{
    problem::{Problem, ProblemType},
    validate::refusal,
};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;
use validator::ValidationError;

/// Where the addresses of a tenant's accounts are claimed.
pub(crate) const EMAIL_SCOPE: &str = "account-email";
/// Where their user names are.
pub(crate) const USERNAME_SCOPE: &str = "account-username";

const REGISTRATION_CLOSED: ProblemType = ProblemType {
    slug: "registration-closed",
    status: 403,
    title: "Registration is closed",
    meaning: "People do not register themselves here: an admin creates accounts.",
};
const EMAIL_TAKEN: ProblemType = ProblemType {
    slug: "email-taken",
    status: 409,
    title: "The e-mail address is taken",
    meaning: "Another account of the tenant has this address; case makes no difference.",
};
const USERNAME_TAKEN: ProblemType = ProblemType {
    slug: "username-taken",
    status: 409,
    title: "The user name is taken",
    meaning: "Another account of the tenant has this user name; case makes no difference.",
};
const BOOTSTRAP_DONE: ProblemType = ProblemType {
    slug: "bootstrap-done",
    status: 409,
    title: "There is a first superadmin",
    meaning: "The first superadmin was created before; the bootstrap works once.",
};
const ALREADY_INACTIVE: ProblemType = ProblemType {
    slug: "account-already-inactive",
    status: 409,
    title: "The account is deactivated already",
    meaning: "The account cannot log in: there is nothing to do.",
};
const ALREADY_ACTIVE: ProblemType = ProblemType {
    slug: "account-already-active",
    status: 409,
    title: "The account is active already",
    meaning: "The account can log in: there is nothing to do.",
};
const ALREADY_IN_ROLE: ProblemType = ProblemType {
    slug: "account-already-in-role",
    status: 409,
    title: "The account has this role already",
    meaning: "The account may do what the role may: there is nothing to do.",
};
const ALREADY_GRANTED: ProblemType = ProblemType {
    slug: "portal-access-already-granted",
    status: 409,
    title: "The account has access to the portal already",
    meaning: "The account may log in to the portal: there is nothing to do.",
};
const ALREADY_REVOKED: ProblemType = ProblemType {
    slug: "portal-access-already-revoked",
    status: 409,
    title: "The account has no access to the portal already",
    meaning: "The account may not log in to the portal: there is nothing to do.",
};
const NOT_LOCKED: ProblemType = ProblemType {
    slug: "account-not-locked",
    status: 409,
    title: "The account is not locked",
    meaning: "Its log-ins are not turned away, or not any more: there is nothing to do.",
};

/// What accounts refuse with, beside the problems of every route.
pub const PROBLEMS: &[ProblemType] = &[
    REGISTRATION_CLOSED,
    EMAIL_TAKEN,
    USERNAME_TAKEN,
    BOOTSTRAP_DONE,
    ALREADY_INACTIVE,
    ALREADY_ACTIVE,
    ALREADY_IN_ROLE,
    ALREADY_GRANTED,
    ALREADY_REVOKED,
    NOT_LOCKED,
];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::RegistrationClosed => Self::new(REGISTRATION_CLOSED).detail(detail),
            Refusal::EmailTaken => Self::new(EMAIL_TAKEN).detail(detail),
            Refusal::UsernameTaken => Self::new(USERNAME_TAKEN).detail(detail),
            Refusal::BootstrapDone => Self::new(BOOTSTRAP_DONE).detail(detail),
            Refusal::AlreadyInactive => Self::new(ALREADY_INACTIVE).detail(detail),
            Refusal::AlreadyActive => Self::new(ALREADY_ACTIVE).detail(detail),
            Refusal::AlreadyInRole => Self::new(ALREADY_IN_ROLE).detail(detail),
            Refusal::AlreadyGranted => Self::new(ALREADY_GRANTED).detail(detail),
            Refusal::AlreadyRevoked => Self::new(ALREADY_REVOKED).detail(detail),
            Refusal::NotLocked => Self::new(NOT_LOCKED).detail(detail),
            Refusal::NotFound => Self::not_found().detail(detail),
            Refusal::RoleNotBelowOwn
            | Refusal::NotOwnNorAdmin
            | Refusal::NotBelowOwn
            | Refusal::Oneself
            | Refusal::Inactive => Self::forbidden(detail),
        }
    }
}

impl From<InvalidEmail> for Problem {
    fn from(error: InvalidEmail) -> Self {
        Self::invalid_field("/email", "email", error.to_string())
    }
}

impl From<InvalidUsername> for Problem {
    fn from(error: InvalidUsername) -> Self {
        Self::invalid_field("/username", "username", error.to_string())
    }
}

/// `#[validate(custom(function = email_address))]`
pub(super) fn email_address(text: &str) -> Result<(), ValidationError> {
    let invalid = refusal("email", "must be an e-mail address of at most 254 bytes");
    Email::try_new(text).map(drop).map_err(|_| invalid)
}

/// `#[validate(custom(function = user_name))]`
pub(super) fn user_name(text: &str) -> Result<(), ValidationError> {
    let invalid = refusal("username", "must be 3 to 64 letters, digits, dots, underscores and hyphens");
    Username::try_new(text).map(drop).map_err(|_| invalid)
}

/// `#[validate(custom(function = person_name))]`
pub(super) fn person_name(text: &str) -> Result<(), ValidationError> {
    identifier::person_name(text).map(drop).map_err(|error| match error {
        InvalidName::Blank => refusal("blank", "must not be blank"),
        InvalidName::Control => refusal("control", "must not contain control characters"),
        InvalidName::TooLong => refusal("length", "must be at most 100 characters"),
    })
}

/// A name as it is kept: without space around it, in NFC.
pub(super) fn tidy(name: &str) -> String {
    name.trim().nfc().collect()
}

/// Puts what every new account has into the work: its key, its claims, its password hash.
pub(super) fn found(work: &mut Work<'_>, person: &Person, phc: &str) {
    bring_in(work, person, Some(phc));
}

/// As [`found`], for somebody who may come without a password.
pub(crate) fn bring_in(work: &mut Work<'_>, person: &Person, phc: Option<&str>) {
    work.new_subject(person.account_id);
    admit(work, person, phc);
}

/// As [`found`], for somebody whose key is there already.
pub(super) fn admit(work: &mut Work<'_>, person: &Person, phc: Option<&str>) {
    let id = person.account_id;
    work.claim::<Account>(EMAIL_SCOPE, person.email.as_str(), id, Refusal::EmailTaken);
    if let Some(username) = &person.username {
        work.claim::<Account>(USERNAME_SCOPE, username.as_str(), id, Refusal::UsernameTaken);
    }
    if let Some(phc) = phc {
        work.set_credential(id, phc.to_owned());
    }
}

/// A role, by its name or by an older system's: student, trainee, candidate are learners; teacher, trainer instructors.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes events::Role, whose crate knows no OpenAPI")]
pub(super) enum RoleSchema {
    Learner,
    Instructor,
    Auditor,
    Admin,
    Superadmin,
}
