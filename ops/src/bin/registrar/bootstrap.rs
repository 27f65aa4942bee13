//! `bootstrap`: the first superadmin of an installation, by a link that works once.

use clap::Args;
use serde_json::json;
use url::Url;

use crate::{
    local::console,
    operator::{OperatorArgs, OperatorError},
};

/// Invites the installation's first superadmin: prints a link, or a token, that makes one account and then nothing more.
/// It is shown once, is good for a few hours, and is stored only as a digest. The password is chosen by whoever follows
/// it, so no configuration holds one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  registrar bootstrap --email root@example.org --signing-key-file secrets/signing.pem
  registrar bootstrap --email root@example.org --link https://portal.example.org/register

Without a portal, the token is used like this:
  curl -X POST $COMMAND_API/v1/auth/register -H 'Content-Type: application/json' -d '{\"invitation\": \"<token>\",
    \"email\": \"root@example.org\", \"password\": \"…\", \"first_name\": \"…\", \"last_name\": \"…\"}'

An installation that has an active superadmin is left alone; --another invites one more, as when nobody can get in any
longer.")]
pub struct Bootstrap {
    /// Whom: the account can only be made with this address
    #[arg(long)]
    email: String,
    /// How long the link is good
    #[arg(long, default_value_t = 4, value_name = "HOURS", value_parser = clap::value_parser!(u16).range(1..=72))]
    hours: u16,
    /// The portal's page for registering; the token is put behind it
    #[arg(long, value_name = "URL")]
    link: Option<Url>,
    /// Invite one more superadmin where there is one
    #[arg(long)]
    another: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Bootstrap {
    /// Invites, and prints the link.
    pub async fn run(&self) -> Result<(), OperatorError> {
        let operator = self.operator.sign_in()?;
        if !self.another {
            let filter = [("role", "superadmin"), ("status", "active"), ("limit", "1")];
            let page = operator.query("/v1/accounts", &filter).await?;
            if page["items"].as_array().is_some_and(|items| !items.is_empty()) {
                return Err(OperatorError::Needless(
                    "there is an active superadmin: log in as they, or invite one more with --another".to_owned(),
                ));
            }
        }
        let invitation = json!({"email": self.email, "role": "superadmin", "expires_in_hours": self.hours});
        let invited = operator.command("/v1/invitations", &invitation).await?;
        let token = invited["invitation_token"].as_str().unwrap_or_default();
        console::plain(&self.show(token));
        let until = invited["expires_at"].as_str().unwrap_or_default();
        console::plain(&format!("It makes one account, for {}, until {until}, and is not shown again.", self.email));
        Ok(())
    }

    /// The token, or the link that carries it where no server's log shows it.
    fn show(&self, token: &str) -> String {
        let Some(link) = &self.link else { return token.to_owned() };
        let mut link = link.clone();
        link.set_fragment(Some(&format!("invitation={token}")));
        link.to_string()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bootstrap: Bootstrap,
    }

    #[test]
    fn the_token_stands_behind_the_link_where_no_server_sees_it() {
        let parse =
            |more: &[&str]| Line::parse_from([&["bootstrap", "--email", "a@b.example"], more].concat()).bootstrap;
        assert_eq!(parse(&[]).show("t0ken"), "t0ken");
        let link = parse(&["--link", "https://portal.example/register"]).show("t0ken");
        assert_eq!(link, "https://portal.example/register#invitation=t0ken");
    }
}
