//! Rows become accounts, or in a dry run are found able to.

use super::{
    reader::{Batch, Row},
    store::Job,
};
use crate::{
    domain::{
        account::{self, Command, Person},
        account_import::row::{self, BcryptHash, Column, NewAccount},
    },
    execute::{Executor, Reply},
    http::account::{EMAIL_SCOPE, USERNAME_SCOPE, bring_in},
};
use events::{account::Account, account_import::RowError, ids::AccountId};
use futures::{StreamExt, stream};
use ops::problem::Problem;
use std::collections::HashMap;

/// Commands under way at once: they share transactions.
const AT_ONCE: usize = 32;

/// What became of some rows.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) errors: Vec<RowError>,
}

/// Carries rows out, one job's after the other.
pub(super) struct Carrier {
    executor: Executor,
    job: Job,
    dry_run: bool,
    /// The names of the rows so far, by digest, and the line where each stood first.
    seen: HashMap<Vec<u8>, u64>,
}

impl Carrier {
    pub(super) fn new(executor: Executor, job: Job, dry_run: bool) -> Self {
        Self { executor, job, dry_run, seen: HashMap::new() }
    }

    /// Carries a batch out but for the rows that were carried out before. A fault of the system stops it; what is wrong
    /// with a row does not.
    pub(super) async fn carry(&mut self, batch: Batch, skipped: usize) -> Result<Done, Problem> {
        let Batch { header, rows } = batch;
        let read: Vec<_> = rows.into_iter().map(|row| self.read(&header, &row)).collect();
        let carrier = &*self;
        let mut outcomes = stream::iter(read.into_iter().skip(skipped))
            .map(|read| async move {
                match read {
                    Ok((line, new)) => carrier.admit(line, new).await,
                    Err(errors) => Ok(Err(errors)),
                }
            })
            .buffered(AT_ONCE);
        let mut done = Done::default();
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                Ok(()) => done.accepted += 1,
                Err(mut errors) => {
                    done.refused += 1;
                    done.errors.append(&mut errors);
                }
            }
        }
        Ok(done)
    }

    /// Reads a row, and finds out whether one before it has the same names.
    fn read(&mut self, header: &row::Header, row: &Row) -> Result<(u64, NewAccount), Vec<RowError>> {
        let line = row.line;
        let Some(record) = &row.fields else {
            return Err(vec![RowError { line, column: None, code: "encoding".to_owned() }]);
        };
        let fields: Vec<&str> = record.iter().collect();
        let new = row::read(header, line, &fields)?;
        let names = [
            Some((Column::Email, EMAIL_SCOPE, new.email.as_str())),
            new.username.as_ref().map(|name| (Column::Username, USERNAME_SCOPE, name.as_str())),
        ];
        let keyring = self.executor.log().keyring();
        let mut errors = Vec::new();
        for (column, scope, name) in names.into_iter().flatten() {
            let first = *self.seen.entry(keyring.claim_digest(scope, name)).or_insert(line);
            if first != line {
                errors.push(column.error(line, "duplicate"));
            }
        }
        if errors.is_empty() { Ok((line, new)) } else { Err(errors) }
    }

    /// Makes the account, or finds out whether it could be made.
    async fn admit(&self, line: u64, new: NewAccount) -> Result<Result<(), Vec<RowError>>, Problem> {
        let id = AccountId::of_import(self.job.import_id, line);
        let has_password = new.password_hash.is_some();
        let NewAccount { email, role, first_name, last_name, username, portal_access, password_hash } = new;
        let person = Person { account_id: id, email, username, first_name, last_name };
        let command = Command::Import { person: person.clone(), role, portal_access, has_password };
        if self.dry_run {
            return self.look(line, &person, command).await;
        }
        let context = &self.job.context();
        let (command, person, phc) = (&command, &person, password_hash.as_ref().map(BcryptHash::as_str));
        let made = self
            .executor
            .execute(context, "account.import", |work| {
                Box::pin(async move {
                    // There already: made by this job before it was interrupted.
                    if !work.load::<Account>(id).await?.exists() {
                        let events = account::decide(&Account::default(), context, command.clone())?;
                        bring_in(work, person, phc);
                        work.append::<Account>(id, events);
                    }
                    Ok(Reply::ok(id))
                })
            })
            .await;
        match made {
            Ok(_) => Ok(Ok(())),
            Err(problem) => refused(line, problem),
        }
    }

    async fn look(&self, line: u64, person: &Person, command: Command) -> Result<Result<(), Vec<RowError>>, Problem> {
        let context = self.job.context();
        if let Err(refusal) = account::decide(&Account::default(), &context, command) {
            return refused(line, refusal.into());
        }
        let log = self.executor.log();
        let names = [
            Some((EMAIL_SCOPE, person.email.as_str(), account::Refusal::EmailTaken)),
            person.username.as_ref().map(|name| (USERNAME_SCOPE, name.as_str(), account::Refusal::UsernameTaken)),
        ];
        for (scope, name, taken) in names.into_iter().flatten() {
            let digest = log.keyring().claim_digest(scope, name);
            let held = log.find_claim(context.tenant_id, scope, &digest).await;
            if held.map_err(|error| Problem::unavailable(error.to_string(), 2))?.is_some() {
                return refused(line, taken.into());
            }
        }
        Ok(Ok(()))
    }
}

/// The row's error, or the system's fault.
fn refused(line: u64, problem: Problem) -> Result<Result<(), Vec<RowError>>, Problem> {
    let error = match problem.slug() {
        "email-taken" => Column::Email.error(line, "taken"),
        "username-taken" => Column::Username.error(line, "taken"),
        "forbidden" => Column::Role.error(line, "not-below-own"),
        _ => return Err(problem),
    };
    Ok(Err(vec![error]))
}
