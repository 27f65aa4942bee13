//! What may happen to an import of accounts: who may start one, and how it goes on to its end. What a row must be like
//! is in `row`; whether its person may have an account is decided in `domain/account`, as for any other.

pub mod row;

use crate::execute::Context;
use events::account_import::{AccountImport, AccountImportEvent, ImportFailure, RowError};

/// Errors that are told of one job; the rest is counted.
pub const MAX_TOLD: usize = 1_000;

/// What somebody wants to do with an import.
#[derive(Debug, Clone)]
pub enum Command {
    /// An admin hands a list in.
    Start {
        /// Its size.
        bytes: u64,
        /// Whether it is only to be looked through.
        dry_run: bool,
    },
    /// Some more rows are done.
    Progress {
        /// Those that became accounts, or could.
        accepted: u64,
        /// Those that did not.
        refused: u64,
        /// Why not.
        errors: Vec<RowError>,
    },
    /// All rows are done.
    Finish,
    /// It cannot go on.
    Fail {
        /// Why.
        reason: ImportFailure,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Lists are handed in by admins.
    #[error("only an admin may import accounts")]
    NotAdmin,
    /// It never began, or is over.
    #[error("the import is not running")]
    NotRunning,
}

/// Decides what a command does to an import.
pub fn decide(state: &AccountImport, context: &Context, command: Command) -> Result<Vec<AccountImportEvent>, Refusal> {
    let event = match command {
        Command::Start { bytes, dry_run } => {
            let actor = context.actor.filter(|actor| actor.role.administers()).ok_or(Refusal::NotAdmin)?;
            AccountImportEvent::Started { started_by: actor.account_id, bytes, dry_run }
        }
        _ if !state.is_running() => return Err(Refusal::NotRunning),
        Command::Progress { accepted, refused, mut errors } => {
            errors.truncate(MAX_TOLD.saturating_sub(state.told));
            let (accepted, refused) = (state.accepted + accepted, state.refused + refused);
            AccountImportEvent::Progressed { accepted, refused, errors }
        }
        Command::Finish => AccountImportEvent::Finished { accepted: state.accepted, refused: state.refused },
        Command::Fail { reason } => AccountImportEvent::Failed { reason },
    };
    Ok(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::given::{ADA, ada_as, given, nobody};
    use events::{Aggregate, Role};

    fn started() -> AccountImport {
        given(
            decide(&AccountImport::default(), &ada_as(Role::Admin), Command::Start { bytes: 9, dry_run: true })
                .unwrap(),
        )
    }

    fn errors(count: usize) -> Vec<RowError> {
        vec![RowError { line: 2, column: None, code: "columns".to_owned() }; count]
    }

    #[test]
    fn only_admins_import() {
        let start = || Command::Start { bytes: 9, dry_run: false };
        for context in [ada_as(Role::Learner), ada_as(Role::Instructor), ada_as(Role::Auditor), nobody()] {
            assert_eq!(decide(&AccountImport::default(), &context, start()), Err(Refusal::NotAdmin));
        }
        let state = started();
        assert_eq!((state.started_by, state.dry_run, state.is_running()), (Some(ADA), true, true));
    }

    #[test]
    fn rows_add_up_to_the_end() {
        let (mut state, admin) = (started(), ada_as(Role::Admin));
        for (accepted, refused) in [(3, 1), (2, 0)] {
            let command = Command::Progress { accepted, refused, errors: errors(usize::try_from(refused).unwrap()) };
            for event in decide(&state, &admin, command).unwrap() {
                state.evolve(&event);
            }
        }
        assert_eq!((state.accepted, state.refused, state.rows(), state.told), (5, 1, 6, 1));
        let finished = AccountImportEvent::Finished { accepted: 5, refused: 1 };
        assert_eq!(decide(&state, &admin, Command::Finish), Ok(vec![finished]));
    }

    #[test]
    fn a_thousand_errors_are_told_and_all_are_counted() {
        let (mut state, admin) = (started(), ada_as(Role::Admin));
        for _ in 0..3 {
            let command = Command::Progress { accepted: 0, refused: 400, errors: errors(400) };
            for event in decide(&state, &admin, command).unwrap() {
                state.evolve(&event);
            }
        }
        assert_eq!((state.refused, state.told), (1_200, MAX_TOLD));
    }

    #[test]
    fn what_is_over_or_never_began_goes_no_further() {
        let admin = ada_as(Role::Admin);
        let ended = AccountImport { has_ended: true, ..started() };
        for state in [AccountImport::default(), ended] {
            for command in [
                Command::Progress { accepted: 1, refused: 0, errors: Vec::new() },
                Command::Finish,
                Command::Fail { reason: ImportFailure::ListLost },
            ] {
                assert_eq!(decide(&state, &admin, command), Err(Refusal::NotRunning));
            }
        }
    }
}
