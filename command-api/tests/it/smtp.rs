//! A mail server of the test's own: enough of SMTP (RFC 5321), STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954) for a real
//! conversation, with a certificate that only its own authority vouches for.

use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use uuid::Uuid;

/// What the server was given.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) encrypted: bool,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) data: String,
}

#[derive(Clone)]
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    /// Who vouches for its certificate, in PEM.
    pub(crate) authority: PathBuf,
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Starttls,
    Implicit,
    Clear,
}

impl SmtpServer {
    pub(crate) async fn start(implicit: bool) -> Self {
        Self::listen(if implicit { Way::Implicit } else { Way::Starttls }).await
    }

    pub(crate) async fn in_the_clear() -> Self {
        Self::listen(Way::Clear).await
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn listen(way: Way) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let authority = std::env::temp_dir().join(format!("authority-{}.pem", Uuid::new_v4()));
        std::fs::write(&authority, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), authority, received: Arc::default() };
        let received = server.received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that gives up in the middle is what some tests are about.
                tokio::spawn(serve(stream, acceptor.clone(), way, received.clone()));
            }
        });
        server
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    way: Way,
    received: Arc<Mutex<Vec<Received>>>,
) -> std::io::Result<()> {
    if way == Way::Implicit {
        let mut stream = BufStream::new(acceptor.accept(stream).await?);
        say(&mut stream, "220 localhost").await?;
        return converse(&mut stream, true, false, &received).await.map(drop);
    }
    let mut clear = BufStream::new(stream);
    say(&mut clear, "220 localhost").await?;
    if converse(&mut clear, false, way == Way::Starttls, &received).await? {
        let mut stream = BufStream::new(acceptor.accept(clear.into_inner()).await?);
        converse(&mut stream, true, false, &received).await?;
    }
    Ok(())
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

/// One conversation; whether it is to go on encrypted.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    encrypted: bool,
    starttls: bool,
    received: &Mutex<Vec<Received>>,
) -> std::io::Result<bool> {
    let (mut from, mut to, mut is_known) = (String::new(), String::new(), false);
    let address = |line: &str| line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let said = line.trim_end().to_owned();
        line.clear();
        match said.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "EHLO" if starttls => say(stream, "250-localhost\r\n250 STARTTLS").await?,
            "EHLO" if encrypted => say(stream, "250-localhost\r\n250 AUTH PLAIN").await?,
            "EHLO" => say(stream, "250 localhost").await?,
            "STARTTLS" if starttls => {
                say(stream, "220 go on").await?;
                return Ok(true);
            }
            "AUTH" => {
                let sent = BASE64_STANDARD.decode(said.rsplit(' ').next().unwrap_or_default()).unwrap_or_default();
                is_known = encrypted && sent == b"\0registrar\0the right one";
                say(stream, if is_known { "235 welcome" } else { "535 not you" }).await?;
            }
            "MAIL" if is_known => {
                from = address(&said);
                say(stream, "250 ok").await?;
            }
            "RCPT" if is_known => {
                to = address(&said);
                say(stream, "250 ok").await?;
            }
            "DATA" if is_known => {
                say(stream, "354 go on").await?;
                let mut data = String::new();
                while stream.read_line(&mut data).await? > 0 && !data.ends_with("\r\n.\r\n") {}
                let message = Received { encrypted, from: from.clone(), to: to.clone(), data };
                received.lock().unwrap().push(message);
                say(stream, "250 taken").await?;
            }
            "QUIT" => {
                say(stream, "221 bye").await?;
                return Ok(false);
            }
            _ => say(stream, "530 not now").await?,
        }
    }
    Ok(false)
}
