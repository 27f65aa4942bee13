//! Mail by SMTP (RFC 5321): with STARTTLS (RFC 3207) or TLS from the first byte (RFC 8314), by `lettre`.

use super::{MailError, Mailer, Message};
use futures::{FutureExt, future::BoxFuture};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls as LettreTls, TlsParameters},
    },
};
use ops::config::Secret;
use std::{path::PathBuf, time::Duration};

/// How long the server may take for each answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tls {
    /// It begins in the clear and changes to TLS, or is given up: port 587.
    Starttls,
    /// It is TLS from the beginning: port 465.
    Implicit,
    /// It stays in the clear: only to this machine.
    None,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// Its name, which its certificate has to bear.
    pub host: String,
    /// Its port; without it, the one that is usual for the encryption.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// What one logs in with, where the server wants it.
    pub credentials: Option<(String, Secret)>,
    /// A certificate authority in PEM that is trusted beside the system's.
    pub authority: Option<PathBuf>,
}

/// Sends messages to a mail server, each in a connection of its own.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Nothing is connected before there is something to send.
    pub fn new(config: &SmtpConfig, from: Mailbox) -> Result<Self, MailError> {
        let (tls, usual_port) = match config.tls {
            Tls::Starttls => (LettreTls::Required(parameters(config)?), 587),
            Tls::Implicit => (LettreTls::Wrapper(parameters(config)?), 465),
            Tls::None if is_this_machine(&config.host) => (LettreTls::None, 25),
            Tls::None => return Err(MailError::InTheClear),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port.unwrap_or(usual_port))
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((name, password)) = &config.credentials {
            transport = transport.credentials(Credentials::new(name.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: transport.build(), from })
    }
}

fn parameters(config: &SmtpConfig) -> Result<TlsParameters, MailError> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.authority {
        let pem = std::fs::read(path).map_err(|error| MailError::Authority(error.into()))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| MailError::Authority(error.into()))?;
        parameters = parameters.add_root_certificate(authority);
    }
    Ok(parameters.build()?)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), MailError>> {
        async {
            self.transport.send(message.to_mail(&self.from)?).await?;
            Ok(())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(host: &str, tls: Tls) -> SmtpConfig {
        SmtpConfig { host: host.to_owned(), port: None, tls, credentials: None, authority: None }
    }

    fn start(config: &SmtpConfig) -> Result<Smtp, MailError> {
        Smtp::new(config, "no-reply@example.org".parse().unwrap())
    }

    #[test]
    fn nothing_leaves_this_machine_in_the_clear() {
        for here in ["localhost", "127.0.0.1", "::1"] {
            assert!(start(&config(here, Tls::None)).is_ok(), "{here}");
        }
        for elsewhere in ["mail.example.org", "192.0.2.1", "localhost.example.org"] {
            let refused = start(&config(elsewhere, Tls::None)).err();
            assert!(matches!(refused, Some(MailError::InTheClear)), "{elsewhere}");
        }
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_refused_at_start() {
        let missing = SmtpConfig { authority: Some("/missing.pem".into()), ..config("localhost", Tls::Starttls) };
        assert!(matches!(start(&missing).err(), Some(MailError::Authority(_))));
    }
}
