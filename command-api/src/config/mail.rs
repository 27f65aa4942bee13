//! Where mail leaves, and where its links lead.

use crate::mail::{Links, MailConfig, SmtpConfig, Tls};
use clap::Args;
use ops::config::{ConfigError, Secret};
use std::path::PathBuf;

ops::secret_args! {
    /// What SMTP_USERNAME logs in to the mail server with.
    pub SmtpPasswordArg = "SMTP_PASSWORD", "smtp-password";
}

/// Mail.
#[derive(Debug, Clone, Args)]
pub(super) struct MailArgs {
    /// The mail server. Without it and without `MAIL_OUTBOX` no mail leaves, and forgotten passwords cannot be set anew.
    #[arg(long, env = "SMTP_HOST", value_name = "NAME")]
    smtp_host: Option<String>,

    /// Its port; without it, 587 for starttls and 465 for implicit TLS.
    #[arg(long, env = "SMTP_PORT", value_name = "PORT")]
    smtp_port: Option<u16>,

    /// How the connection to it is encrypted: starttls, implicit, or none, which is for a server on this machine only.
    #[arg(
        long,
        env = "SMTP_TLS",
        value_enum,
        default_value = "starttls",
        hide_possible_values = true,
        value_name = "HOW"
    )]
    smtp_tls: Tls,

    /// Who logs in to the mail server, where it wants that.
    #[arg(long, env = "SMTP_USERNAME", value_name = "NAME")]
    smtp_username: Option<String>,

    #[command(flatten)]
    smtp_password: SmtpPasswordArg,

    /// A certificate authority in PEM that the mail server's certificate may be of, beside those that the system trusts.
    #[arg(long, env = "SMTP_CA_FILE", value_name = "PATH")]
    smtp_ca_file: Option<PathBuf>,

    /// A folder that mail is written into instead: for development only.
    #[arg(long, env = "MAIL_OUTBOX", value_name = "PATH", conflicts_with = "smtp_host")]
    mail_outbox: Option<PathBuf>,

    /// Whom mail comes from.
    #[arg(long, env = "MAIL_FROM", default_value = "Registrar <no-reply@localhost>", value_name = "MAILBOX")]
    mail_from: String,

    /// The frontend's page that sets a new password; `{token}` stands where the token of the letter goes. Behind a `#`
    /// it reaches no server's log.
    #[arg(
        long,
        env = "RESET_PASSWORD_URL",
        default_value = "http://localhost:3000/reset-password#{token}",
        value_name = "URL"
    )]
    reset_password_url: String,

    /// The frontend's page that makes an account; `{token}` stands where the token of an invitation goes.
    #[arg(long, env = "REGISTER_URL", default_value = "http://localhost:3000/register#{token}", value_name = "URL")]
    register_url: String,
}

/// What mail is sent with.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Where it leaves, where it does.
    pub way: Option<MailConfig>,
    /// Whom it comes from.
    pub from: String,
    /// Where its links lead.
    pub links: Links,
}

impl MailArgs {
    pub(super) fn into_settings(self) -> Result<MailSettings, ConfigError> {
        for (name, url) in [("RESET_PASSWORD_URL", &self.reset_password_url), ("REGISTER_URL", &self.register_url)] {
            if !url.contains("{token}") {
                return Err(ConfigError::invalid(name, "it has no {token}"));
            }
        }
        let password = self.smtp_password.optional()?;
        let credentials = match (self.smtp_username.filter(|name| !name.is_empty()), password) {
            (Some(name), password) => Some((name, password.unwrap_or_else(|| Secret::new("")))),
            (None, Some(_)) => return Err(ConfigError::invalid("SMTP_PASSWORD", "SMTP_USERNAME is missing")),
            (None, None) => None,
        };
        let smtp = self.smtp_host.filter(|host| !host.is_empty()).map(|host| {
            let (port, tls, authority) = (self.smtp_port, self.smtp_tls, self.smtp_ca_file);
            MailConfig::Smtp(SmtpConfig { host, port, tls, credentials, authority })
        });
        let folder = self.mail_outbox.filter(|path| !path.as_os_str().is_empty()).map(MailConfig::Folder);
        Ok(MailSettings {
            way: smtp.or(folder),
            from: self.mail_from,
            links: Links { reset_password: self.reset_password_url, register: self.register_url },
        })
    }
}
