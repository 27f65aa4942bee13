//! Mail leaves by a real SMTP conversation, with STARTTLS and with TLS from the first byte, and stays until it has left.

use crate::{smtp::SmtpServer, world::World};
use chrono::TimeDelta;
use command_api::{
    execute::Reply,
    mail::{Folder, Letter, Links, MailConfig, Mailer, SmtpConfig, Tls, Worker, mailer},
};
use events::{account::Account, ids::AccountId};
use ops::config::Secret;
use std::sync::Arc;
use uuid::Uuid;

const TOKEN: &str = "a-token-of-a-letter";

fn links() -> Links {
    Links {
        reset_password: "https://learn.example/reset#{token}".to_owned(),
        register: "https://learn.example/register#{token}".to_owned(),
    }
}

fn letter() -> Letter {
    Letter::ForgottenPassword { to: "ada@example.org".to_owned(), token: TOKEN.to_owned(), minutes: 30 }
}

fn smtp(server: &SmtpServer, tls: Tls, password: &str) -> Arc<dyn Mailer> {
    let config = SmtpConfig {
        host: "localhost".to_owned(),
        port: Some(server.port),
        tls,
        credentials: Some(("registrar".to_owned(), Secret::new(password))),
        authority: Some(server.authority.clone()),
    };
    mailer(&MailConfig::Smtp(config), "Registrar <no-reply@example.org>").unwrap()
}

/// Writes to somebody, as a command does.
async fn write(world: &World, account_id: AccountId, lifetime: TimeDelta) {
    let context = &World::context();
    let written = world.executor.execute(context, "test.write", |work| {
        Box::pin(async move {
            work.load::<Account>(account_id).await?;
            work.send_mail(account_id, letter(), context.now + lifetime);
            Ok(Reply::ok(account_id))
        })
    });
    written.await.unwrap();
}

fn worker(world: &World, mailer: Arc<dyn Mailer>) -> Worker {
    Worker::new(world.pool.clone(), world.executor.log().keyring().clone(), mailer, links())
}

async fn waiting(world: &World) -> Vec<(i32, Vec<u8>)> {
    sqlx::query_as("select attempts, sealed from log.mail_outbox").fetch_all(&world.pool).await.unwrap()
}

#[tokio::test]
async fn a_letter_leaves_by_starttls_and_by_implicit_tls() {
    for tls in [Tls::Starttls, Tls::Implicit] {
        let server = SmtpServer::start(tls == Tls::Implicit).await;
        let message = letter().compose("7".to_owned(), &links());
        smtp(&server, tls, "the right one").send(&message).await.unwrap();
        let [received] = server.received().try_into().unwrap();
        assert!(received.encrypted, "{tls:?}");
        assert_eq!((received.from.as_str(), received.to.as_str()), ("no-reply@example.org", "ada@example.org"));
        assert!(received.data.contains("Subject: Set a new password"), "{}", received.data);
        assert!(received.data.contains("https://learn.example/reset#a-token-of-a-letter"), "{}", received.data);
    }
}

#[tokio::test]
async fn a_server_that_offers_no_encryption_gets_no_letter() {
    let server = SmtpServer::in_the_clear().await;
    let message = letter().compose("7".to_owned(), &links());
    assert!(smtp(&server, Tls::Starttls, "the right one").send(&message).await.is_err());
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_gets_no_letter() {
    let (server, other) = (SmtpServer::start(false).await, SmtpServer::start(false).await);
    let stranger = SmtpServer { authority: other.authority.clone(), ..server.clone() };
    let message = letter().compose("7".to_owned(), &links());
    assert!(smtp(&stranger, Tls::Starttls, "the right one").send(&message).await.is_err());
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_letter_waits_sealed_until_it_has_left_and_leaves_once() {
    let world = World::new().await;
    let account_id = world.person().await;
    write(&world, account_id, TimeDelta::minutes(30)).await;
    let waits: [(i32, Vec<u8>); 1] = waiting(&world).await.try_into().unwrap();
    let [(0, sealed)] = waits else { panic!("it waits") };
    assert!(!sealed.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()), "the token is sealed");

    // What a process that is killed leaves undone, another one does: nothing is held but the row.
    let server = SmtpServer::start(false).await;
    let refusing = worker(&world, smtp(&server, Tls::Starttls, "a wrong one"));
    assert!(refusing.step().await.unwrap());
    assert_eq!(waiting(&world).await[0].0, 1, "it stays, and is tried again later");
    assert!(!refusing.step().await.unwrap(), "not at once");

    sqlx::query("update log.mail_outbox set next_attempt_at = now()").execute(&world.pool).await.unwrap();
    let sending = worker(&world, smtp(&server, Tls::Starttls, "the right one"));
    assert!(sending.step().await.unwrap());
    assert!(!sending.step().await.unwrap());
    assert_eq!(server.received().len(), 1);
    assert!(waiting(&world).await.is_empty());
}

#[tokio::test]
async fn a_letter_that_comes_too_late_is_not_sent() {
    let world = World::new().await;
    let account_id = world.person().await;
    write(&world, account_id, TimeDelta::seconds(-1)).await;
    let server = SmtpServer::start(false).await;
    assert!(worker(&world, smtp(&server, Tls::Starttls, "the right one")).step().await.unwrap());
    assert!(server.received().is_empty() && waiting(&world).await.is_empty());
}

#[tokio::test]
async fn in_development_a_letter_is_a_file() {
    let folder = std::env::temp_dir().join(format!("mail-{}", Uuid::new_v4()));
    let outbox = Folder::new(folder.clone(), "no-reply@example.org".parse().unwrap());
    outbox.send(&letter().compose("7".to_owned(), &links())).await.unwrap();
    let written = std::fs::read_to_string(folder.join("7.eml")).unwrap();
    assert!(written.contains("To: ada@example.org") && written.contains(TOKEN), "{written}");
    std::fs::remove_dir_all(folder).unwrap();
}
