//! What a row of an imported list must be like. Its first line names the columns, in any order: `email`, `role`,
//! `first_name`, `last_name`, and where wanted `username`, `portal_access` (true or false) and `password_hash`.

use crate::domain::account::identifier::{Email, InvalidName, Username, person_name};
use events::{Role, account_import::RowError};
use serde::Deserialize;
use std::fmt;

/// A column of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Address to log in with.
    Email,
    /// What the account may do.
    Role,
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// Name to log in with.
    Username,
    /// Whether it may log in to the portal.
    PortalAccess,
    /// A bcrypt hash of the person's password, `$2b$…`.
    PasswordHash,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::Email,
        Self::Role,
        Self::FirstName,
        Self::LastName,
        Self::Username,
        Self::PortalAccess,
        Self::PasswordHash,
    ];
    const REQUIRED: [Self; 4] = [Self::Email, Self::Role, Self::FirstName, Self::LastName];

    /// The name in the header, and in errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Role => "role",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Username => "username",
            Self::PortalAccess => "portal_access",
            Self::PasswordHash => "password_hash",
        }
    }

    /// An error in this column.
    pub fn error(self, line: u64, code: &str) -> RowError {
        RowError { line, column: Some(self.as_str().to_owned()), code: code.to_owned() }
    }
}

/// The first line: which column stands where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header(Vec<Column>);

/// Why a first line is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A name that means nothing here.
    #[error(
        "the column {0:?} is not known: the columns are email, role, first_name, last_name, username, portal_access and password_hash"
    )]
    Unknown(String),
    /// A name that stands there before.
    #[error("the column {} stands there twice", .0.as_str())]
    Twice(Column),
    /// A name that does not stand there.
    #[error("the column {} is missing from the first line", .0.as_str())]
    Missing(Column),
}

impl Header {
    /// Reads the names; neither case nor space around them matters.
    pub fn try_new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, HeaderError> {
        let mut columns = Vec::new();
        for name in names {
            let tidy = name.trim().to_lowercase();
            let column = Column::ALL.into_iter().find(|column| column.as_str() == tidy);
            let column = column.ok_or_else(|| HeaderError::Unknown(name.chars().take(40).collect()))?;
            if columns.contains(&column) {
                return Err(HeaderError::Twice(column));
            }
            columns.push(column);
        }
        match Column::REQUIRED.into_iter().find(|column| !columns.contains(column)) {
            Some(missing) => Err(HeaderError::Missing(missing)),
            None => Ok(Self(columns)),
        }
    }
}

/// Somebody whom a row describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Address to log in with.
    pub email: Email,
    /// What the account may do.
    pub role: Role,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Name to log in with.
    pub username: Option<Username>,
    /// Whether it may log in to the portal.
    pub portal_access: bool,
    /// What their password is verified with, where they bring one along.
    pub password_hash: Option<BcryptHash>,
}

/// A bcrypt hash, `$2b$<cost>$<salt and digest>`, in the form of OpenBSD's crypt(3). Printing it shows nothing.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BcryptHash(String);

/// The text is no such hash. It is not told which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a bcrypt hash, $2b$, of cost 4 to 14")]
pub struct InvalidHash;

impl TryFrom<String> for BcryptHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        Self::find(&text).ok_or(InvalidHash)
    }
}

impl BcryptHash {
    /// The most that verifying one may cost: 2^14 rounds take about a second.
    const MAX_COST: u8 = 14;

    fn find(text: &str) -> Option<Self> {
        let (cost, rest) = text.strip_prefix("$2b$")?.split_once('$')?;
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
        let is_number = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
        let costs = is_number && cost.parse().is_ok_and(|cost: u8| (4..=Self::MAX_COST).contains(&cost));
        (costs && rest.len() == 53 && rest.bytes().all(is_base64)).then(|| Self(text.to_owned()))
    }

    /// The hash, for the table of credentials.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BcryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BcryptHash(…)")
    }
}

/// Reads a row, or says everything that is wrong with it.
pub fn read(header: &Header, line: u64, fields: &[&str]) -> Result<NewAccount, Vec<RowError>> {
    if fields.len() != header.0.len() {
        return Err(vec![RowError { line, column: None, code: "columns".to_owned() }]);
    }
    let field = |column: Column| {
        let at = header.0.iter().position(|known| *known == column);
        at.map_or("", |at| fields[at].trim())
    };
    let mut errors = Vec::new();
    let mut check = |column: Column, result: Result<(), &'static str>| {
        if let Err(code) = result {
            errors.push(column.error(line, code));
        }
    };
    let email = Email::try_new(field(Column::Email));
    check(Column::Email, email.as_ref().map(drop).map_err(|_| missing_or(field(Column::Email), "email")));
    let role = field(Column::Role).to_lowercase().parse::<Role>();
    check(Column::Role, role.as_ref().map(drop).map_err(|_| missing_or(field(Column::Role), "unknown")));
    let first_name = person_name(field(Column::FirstName));
    check(Column::FirstName, first_name.as_ref().map(drop).map_err(|error| name_code(*error)));
    let last_name = person_name(field(Column::LastName));
    check(Column::LastName, last_name.as_ref().map(drop).map_err(|error| name_code(*error)));
    let username = Some(field(Column::Username)).filter(|text| !text.is_empty()).map(Username::try_new).transpose();
    check(Column::Username, username.as_ref().map(drop).map_err(|_| "username"));
    let portal_access = flag(field(Column::PortalAccess));
    check(Column::PortalAccess, portal_access.map(drop).ok_or("unknown"));
    let hash = field(Column::PasswordHash);
    let password_hash = BcryptHash::find(hash);
    check(Column::PasswordHash, if hash.is_empty() || password_hash.is_some() { Ok(()) } else { Err("hash") });
    match (email, role, first_name, last_name, username, portal_access) {
        (Ok(email), Ok(role), Ok(first_name), Ok(last_name), Ok(username), Some(portal_access))
            if errors.is_empty() =>
        {
            Ok(NewAccount { email, role, first_name, last_name, username, portal_access, password_hash })
        }
        _ => Err(errors),
    }
}

const fn missing_or(text: &str, code: &'static str) -> &'static str {
    if text.is_empty() { "missing" } else { code }
}

const fn name_code(error: InvalidName) -> &'static str {
    match error {
        InvalidName::Blank => "missing",
        InvalidName::Control => "control",
        InvalidName::TooLong => "length",
    }
}

/// Nothing is yes.
fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "" | "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";

    fn header() -> Header {
        Header::try_new(["email", "role", "first_name", "last_name", "username", "portal_access", "password_hash"])
            .unwrap()
    }

    fn codes(fields: &[&str]) -> Vec<(Option<String>, String)> {
        let errors = read(&header(), 7, fields).unwrap_err();
        assert!(errors.iter().all(|error| error.line == 7));
        errors.into_iter().map(|error| (error.column, error.code)).collect()
    }

    #[test]
    fn a_row_is_somebody_whatever_the_order_of_its_columns() {
        let header = Header::try_new(["\u{20}Last_Name", "ROLE", "email", "first_name"]).unwrap();
        let ada = read(&header, 2, &["Lovelace", "Trainee", " Ada@Example.org ", " Zoe\u{308} "]).unwrap();
        assert_eq!((ada.email.as_str(), ada.role), ("ada@example.org", Role::Learner));
        assert_eq!((ada.first_name.as_str(), ada.portal_access, ada.username), ("Zo\u{eb}", true, None));
        let full = read(&self::header(), 2, &["a@b.example", "teacher", "A", "B", "AB.1", "no", HASH]).unwrap();
        assert_eq!(full.username.unwrap().as_str(), "ab.1");
        assert_eq!((full.portal_access, full.password_hash.unwrap().as_str()), (false, HASH));
    }

    #[test]
    fn everything_that_is_wrong_with_a_row_is_told_at_once() {
        let wrong = codes(&["no address", "wizard", " ", "a\u{0}b", "a b", "perhaps", "$2b$12$short"]);
        let at = |column: Column, code: &str| (Some(column.as_str().to_owned()), code.to_owned());
        let expected = [
            at(Column::Email, "email"),
            at(Column::Role, "unknown"),
            at(Column::FirstName, "missing"),
            at(Column::LastName, "control"),
            at(Column::Username, "username"),
            at(Column::PortalAccess, "unknown"),
            at(Column::PasswordHash, "hash"),
        ];
        assert_eq!(wrong, expected);
        let empty = codes(&["", "", "", "", "", "", ""]);
        assert_eq!(empty.len(), 4);
        assert!(empty.iter().all(|(_, code)| code == "missing"), "{empty:?}");
    }

    #[test]
    fn a_row_has_as_many_fields_as_the_header() {
        assert_eq!(codes(&["a@b.example", "learner"]), [(None, "columns".to_owned())]);
    }

    #[test]
    fn a_header_names_what_is_needed_once_and_nothing_else() {
        let header = |names: &[&str]| Header::try_new(names.iter().copied());
        assert_eq!(header(&["email", "role", "first_name"]), Err(HeaderError::Missing(Column::LastName)));
        assert_eq!(header(&["email", "Email"]), Err(HeaderError::Twice(Column::Email)));
        assert_eq!(header(&["email", "shoe size"]), Err(HeaderError::Unknown("shoe size".to_owned())));
    }

    #[test]
    fn a_hash_is_bcrypt_of_a_bearable_cost() {
        assert!(BcryptHash::find(HASH).is_some());
        for wrong in [
            HASH.replace("$2b$", "$2x$"),
            HASH.replace("$12$", "$15$"),
            HASH.replace("$12$", "$03$"),
            HASH.replace("$12$", "$+9$"),
            HASH.replace('/', "!"),
            format!("{HASH}x"),
        ] {
            assert!(BcryptHash::find(&wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{:?}", BcryptHash::find(HASH)).contains("R9h"));
    }
}
