//! Hashing passwords with Argon2id (RFC 9106), on threads of its own (`threads`), so that a flood of log-ins slows log-ins
//! and nothing else. Which passwords are good enough is decided in `domain/password`.

mod threads;

use crate::{
    appender::Appended,
    domain::password::{self, Password, Policy},
};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{self, phc::PasswordHash},
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD};
use ops::problem::Problem;
use std::sync::Arc;
use threads::Threads;

/// What is left of the alphabet when nobody is to mistake one character for another.
const UNAMBIGUOUS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// What a caller waits before trying a full queue again.
const RETRY_AFTER_SECONDS: u64 = 2;

/// What hashing costs, and how much of it may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Threads that hash.
    pub threads: usize,
    /// Requests that may wait for one.
    pub queue: usize,
}

/// What a password turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Another one.
    Wrong,
    /// The one that was hashed.
    Right {
        /// Its hash as it would be made today, where the stored one is of another kind or cost.
        upgrade: Option<String>,
    },
}

impl Verdict {
    /// Whether it is the one that was hashed.
    pub const fn is_right(&self) -> bool {
        matches!(self, Self::Right { .. })
    }
}

/// Why a password was not hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is not good enough.
    #[error(transparent)]
    Refused(#[from] password::Refusal),
    /// As many requests as may wait are waiting.
    #[error("too many passwords are being checked")]
    Busy,
    /// No thread is left to do it.
    #[error("the threads that hash passwords have ended")]
    Ended,
    /// Argon2 failed.
    #[error("a password could not be hashed")]
    Hash(#[source] password_hash::Error),
}

/// Why hashing cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Argon2 does not take such a cost.
    #[error("the Argon2 parameters are out of bounds")]
    Parameters(#[source] argon2::Error),
    /// The system gave no thread.
    #[error("a thread for hashing cannot start")]
    Thread(#[from] std::io::Error),
}

/// Hashes and verifies passwords. Clones share the threads, which end with the last of them.
#[derive(Clone)]
pub struct Passwords {
    threads: Threads,
    argon2: Argon2<'static>,
    policy: Policy,
    nobodys: Arc<str>,
}

impl Passwords {
    /// Starts the threads, which give way to the commands that are appended.
    pub fn start(cost: Cost, policy: Policy, appended: &Appended) -> Result<Self, StartError> {
        let params =
            Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None).map_err(StartError::Parameters)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let threads = Threads::start(cost.threads, cost.queue, appended)?;
        let nobodys = draw_hash_of_nobody(&argon2).into();
        Ok(Self { threads, argon2, policy, nobodys })
    }

    /// A health check: whether one more password could be taken in.
    pub fn check_room(&self) -> Result<(), String> {
        self.threads.check_room()
    }

    /// The PHC string of a password that a person chose, if it is good enough for somebody of whom `known` is known.
    pub async fn admit(&self, password: Password, known: Vec<String>) -> Result<String, PasswordError> {
        let (argon2, policy) = (self.argon2.clone(), self.policy);
        self.threads
            .run(move || {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                password::decide(policy, &password, &known)?;
                hash(&argon2, &password)
            })
            .await?
    }

    /// The PHC string of a password that was generated.
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        self.threads.run(move || hash(&argon2, &password)).await?
    }

    /// Whether `phc` is of that password. Without one the answer is no, after as long a time. A right password whose
    /// hash is of another kind or cost than today's is hashed anew, while it is known.
    pub async fn verify(&self, password: Password, phc: Option<String>) -> Result<Verdict, PasswordError> {
        let (argon2, nobodys) = (self.argon2.clone(), Arc::clone(&self.nobodys));
        self.threads
            .run(move || {
                let is_right = matches(&argon2, &password, phc.as_deref().unwrap_or(&nobodys))?;
                let Some(phc) = phc.filter(|_| is_right) else { return Ok(Verdict::Wrong) };
                let upgrade = (!is_current(&argon2, &phc)).then(|| hash(&argon2, &password)).transpose()?;
                Ok(Verdict::Right { upgrade })
            })
            .await?
    }
}

/// Hashes of older systems: bcrypt, which looks at the first 72 bytes only. They are verified as they were made, and
/// replaced at the first log-in.
fn is_bcrypt(phc: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| phc.starts_with(prefix))
}

fn matches(argon2: &Argon2<'_>, password: &Password, phc: &str) -> Result<bool, PasswordError> {
    if is_bcrypt(phc) {
        // What bcrypt cannot hash, a NUL for one, was never anybody's password there.
        return Ok(bcrypt::verify(password.as_bytes(), phc).unwrap_or(false));
    }
    let stored = PasswordHash::new(phc).map_err(|error| PasswordError::Hash(error.into()))?;
    match argon2.verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(PasswordError::Hash(error)),
    }
}

/// Whether a hash is of today's kind and cost: `$argon2id$v=19$m=…,t=…,p=…$`.
fn is_current(argon2: &Argon2<'_>, phc: &str) -> bool {
    phc.starts_with(&kind_and_cost(argon2))
}

fn kind_and_cost(argon2: &Argon2<'_>) -> String {
    let params = argon2.params();
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$")
}

/// A hash that no password has, and that costs as much to compare with as any.
fn draw_hash_of_nobody(argon2: &Argon2<'_>) -> String {
    let (salt, hash) = (rand::random::<[u8; 16]>(), rand::random::<[u8; 32]>());
    format!("{}{}${}", kind_and_cost(argon2), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash))
}

fn hash(argon2: &Argon2<'_>, password: &Password) -> Result<String, PasswordError> {
    argon2.hash_password(password.as_bytes()).map(|phc| phc.to_string()).map_err(PasswordError::Hash)
}

/// A temporary password: four groups of five characters, 99 bits.
pub fn generate_temporary() -> String {
    let group =
        || -> String { (0..5).map(|_| char::from(UNAMBIGUOUS[rand::random_range(0..UNAMBIGUOUS.len())])).collect() };
    [group(), group(), group(), group()].join("-")
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Refused(refusal) => refusal.into(),
            PasswordError::Busy => {
                Self::unavailable("too many passwords are being checked: try again shortly", RETRY_AFTER_SECONDS)
            }
            PasswordError::Ended | PasswordError::Hash(_) => Self::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1, threads: 1, queue: 4 };
    const POLICY: Policy = Policy { min_length: 12 };
    const GOOD: &str = "quietly herding purple walruses";

    fn passwords() -> Passwords {
        Passwords::start(CHEAP, POLICY, &Appended::default()).unwrap()
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = passwords();
        let phc = passwords.admit(Password::new(GOOD), Vec::new()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{phc}");
        let verdict = passwords.verify(Password::new(GOOD), Some(phc.clone())).await.unwrap();
        assert_eq!(verdict, Verdict::Right { upgrade: None });
        let verdict = passwords.verify(Password::new("something else"), Some(phc.clone())).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
        let again = passwords.hash(Password::new(GOOD)).await.unwrap();
        assert_ne!(phc, again, "two hashes of one password share no salt");
    }

    #[tokio::test]
    async fn nobodys_password_is_never_the_right_one() {
        assert_eq!(passwords().verify(Password::new(GOOD), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_made_anew_when_its_password_is_known() {
        let cheap = passwords();
        let old = cheap.hash(Password::new(GOOD)).await.unwrap();
        let dearer = Passwords::start(Cost { iterations: 2, ..CHEAP }, POLICY, &Appended::default()).unwrap();
        let wrong = dearer.verify(Password::new("something else"), Some(old.clone())).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
        let verdict = dearer.verify(Password::new(GOOD), Some(old)).await.unwrap();
        let Verdict::Right { upgrade: Some(new) } = verdict else { panic!("{verdict:?}") };
        assert!(new.starts_with("$argon2id$v=19$m=8,t=2,p=1$"), "{new}");
        let verdict = dearer.verify(Password::new(GOOD), Some(new)).await.unwrap();
        assert_eq!(verdict, Verdict::Right { upgrade: None });
    }

    #[tokio::test]
    async fn a_bcrypt_hash_of_an_older_system_is_verified_and_replaced() {
        let passwords = passwords();
        let old = bcrypt::hash(GOOD, 4).unwrap();
        assert!(old.starts_with("$2b$04$"), "{old}");
        assert_eq!(passwords.verify(Password::new("else"), Some(old.clone())).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.verify(Password::new("nul\0"), Some(old.clone())).await.unwrap(), Verdict::Wrong);
        let verdict = passwords.verify(Password::new(GOOD), Some(old)).await.unwrap();
        let Verdict::Right { upgrade: Some(new) } = verdict else { panic!("{verdict:?}") };
        assert!(new.starts_with("$argon2id$"), "{new}");
    }

    #[tokio::test]
    async fn a_weak_password_is_not_hashed() {
        let refused = passwords().admit(Password::new("short"), Vec::new()).await;
        assert!(matches!(refused, Err(PasswordError::Refused(password::Refusal::TooShort { min: 12 }))));
    }

    #[tokio::test]
    async fn a_long_password_is_hashed_to_its_last_byte() {
        let passwords = passwords();
        let long = "x".repeat(password::MAX_BYTES);
        let phc = passwords.hash(Password::new(&long)).await.unwrap();
        let shorter = &long[1..];
        assert_eq!(passwords.verify(Password::new(shorter), Some(phc)).await.unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_temporary_password_is_four_groups_that_nobody_misreads() {
        let temporary = generate_temporary();
        let groups: Vec<&str> = temporary.split('-').collect();
        assert_eq!(groups.len(), 4);
        assert!(groups.iter().all(|group| group.len() == 5 && group.bytes().all(|byte| UNAMBIGUOUS.contains(&byte))));
        assert_ne!(temporary, generate_temporary());
    }
}
