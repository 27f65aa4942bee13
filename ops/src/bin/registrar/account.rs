//! `account`: one account of a running system, by its e-mail address.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    local::console,
    operator::{Operator, OperatorArgs, OperatorError},
};

/// Makes an account, shows one, gives one a temporary password, or opens one that is locked. All of it goes through the
/// APIs, as the operator, and stands in the audit trail as such.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  registrar account create --email ada@example.org --role admin --first-name Ada --last-name Lovelace
  registrar account show --email ada@example.org
  registrar account reset-password --email ada@example.org
  registrar account unlock --email ada@example.org

The installation's signing key shows that you operate it: SIGNING_KEY, or SIGNING_KEY_FILE, as the command API has it.
Of `cargo ops up` that is --signing-key-file .local/up/keys/signing.pem.")]
pub struct Account {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an account with a temporary password, which is shown once
    Create(Create),
    /// Give an account a temporary password in place of its own; its sessions end
    ResetPassword(Named),
    /// Let the log-ins of an account through that is locked because too many have failed
    Unlock(Named),
    /// Show an account
    Show(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The account's e-mail address
    #[arg(long)]
    email: String,
}

#[derive(Debug, Args)]
struct Create {
    /// Address to log in with
    #[arg(long)]
    email: String,
    /// What it may do: learner, instructor, auditor, admin or superadmin
    #[arg(long)]
    role: String,
    /// Given name
    #[arg(long)]
    first_name: String,
    /// Family name
    #[arg(long)]
    last_name: String,
    /// Name to log in with
    #[arg(long)]
    username: Option<String>,
    /// Make it without access to the portal
    #[arg(long)]
    no_portal_access: bool,
}

impl Account {
    /// Does it, and tells what there is now.
    pub async fn run(&self) -> Result<(), OperatorError> {
        let operator = self.operator.sign_in()?;
        match &self.action {
            Action::Create(create) => {
                let created = operator.command("/v1/accounts", &create.body()).await?;
                tell_password(&create.email, &created);
            }
            Action::ResetPassword(Named { email }) => {
                let done = on(&operator, email, "reset-password").await?;
                tell_password(email, &done);
            }
            Action::Unlock(Named { email }) => {
                on(&operator, email, "unlock").await?;
                console::plain(&format!("{email} can log in again."));
            }
            Action::Show(Named { email }) => {
                let account = operator.find_account(email).await?;
                for line in lines(&account) {
                    console::plain(&line);
                }
            }
        }
        Ok(())
    }
}

impl Create {
    fn body(&self) -> Value {
        let mut body = json!({
            "email": self.email, "role": self.role, "first_name": self.first_name, "last_name": self.last_name,
            "portal_access": !self.no_portal_access,
        });
        if let Some(username) = &self.username {
            body["username"] = json!(username);
        }
        body
    }
}

/// Carries a command out on the account of that address.
async fn on(operator: &Operator, email: &str, command: &str) -> Result<Value, OperatorError> {
    let account = operator.find_account(email).await?;
    let id = account["id"].as_str().unwrap_or_default();
    operator.command(&format!("/v1/accounts/{id}/{command}"), &json!({})).await
}

fn tell_password(email: &str, done: &Value) {
    let password = done["temporary_password"].as_str().unwrap_or_default();
    console::plain(&format!("{email} logs in with {password}"));
    console::plain("It is shown this once, works for a few days, and admits only to choosing another password.");
}

/// The account as lines of a name and a value; what it does not have is left out.
fn lines(account: &Value) -> Vec<String> {
    let members = account.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let line = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name:18} {value}")
    };
    members.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_shown_as_lines_of_what_it_has() {
        let account = json!({"email": "ada@example.org", "username": null, "is_active": true});
        assert_eq!(lines(&account), ["email              ada@example.org", "is_active          true"]);
    }
}
