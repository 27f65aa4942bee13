//! Forgotten passwords: whoever asks is answered at once and alike, and what follows is done afterwards, so that neither
//! the answer nor its time tells whether there is such an account (OWASP, Forgot Password Cheat Sheet).

use crate::{
    domain::account::{self, Command},
    execute::{Context, Executor, Reply},
    mail::Letter,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use events::{account::Account, ids::AccountId};
use ops::problem::Problem;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long the token is good for.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// Requests that may wait.
const QUEUE: usize = 256;

/// Somebody says that they forgot the password of the account with a name.
#[derive(Debug)]
pub struct Request {
    /// What surrounds the request.
    pub context: Context,
    /// What kind of name.
    pub scope: &'static str,
    /// The keyed digest of the name, which nobody may have.
    pub digest: Vec<u8>,
}

/// Takes such requests; cheap to clone.
#[derive(Clone)]
pub struct Recovery(mpsc::Sender<Request>);

impl Recovery {
    /// What takes requests, and the task that deals with them. At the stop it deals with those that wait, and ends.
    pub fn start(executor: Executor, stop: CancellationToken) -> (Self, impl Future<Output = Result<(), Infallible>>) {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let task = async move {
            loop {
                tokio::select! {
                    biased;
                    Some(request) = waiting.recv() => deal_with(&executor, &request).await,
                    () = stop.cancelled() => return Ok(()),
                }
            }
        };
        (Self(queue), task)
    }

    /// Takes a request, whoever it is about.
    pub fn request(&self, request: Request) -> Result<(), Problem> {
        let busy = |_| Problem::unavailable("Too many people have forgotten their passwords just now.", 2);
        self.0.try_send(request).map_err(busy)
    }
}

async fn deal_with(executor: &Executor, request: &Request) {
    let Request { context, scope, digest } = request;
    match executor.log().find_claim(context.tenant_id, scope, digest).await {
        Ok(None) => {}
        Ok(Some(stream)) => {
            if let Err(problem) = send_token(executor, context, AccountId::new(stream.id)).await {
                tracing::debug!(problem = problem.slug(), "a forgotten password is not set anew");
            }
        }
        Err(error) => ops::telemetry::error(&error, "a forgotten password cannot be dealt with"),
    }
}

async fn send_token(executor: &Executor, context: &Context, account_id: AccountId) -> Result<(), Problem> {
    let token = &ResetToken::generate();
    executor
        .execute(context, "account.forgot_password", |work| {
            Box::pin(async move {
                let account = work.load::<Account>(account_id).await?;
                let expires_at = context.now + LIFETIME;
                let command = Command::ForgetPassword { account_id, expires_at };
                let events = account::decide(&account.state, context, command)?;
                let to = account.state.profile.as_ref().and_then(|profile| profile.email.clone());
                if let Some(to) = to {
                    let (token_text, minutes) = (token.0.clone(), LIFETIME.num_minutes());
                    work.set_reset_token(account_id, token.hash(), expires_at);
                    let letter = Letter::ForgottenPassword { to, token: token_text, minutes };
                    work.send_mail(account_id, letter, expires_at);
                }
                work.append::<Account>(account_id, events);
                Ok(Reply::ok(account_id))
            })
        })
        .await
        .map(drop)
}

/// 256 random bits, base64url. Only its digest is stored, and the letter that it is sent in.
pub struct ResetToken(String);

impl ResetToken {
    fn generate() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// A token that somebody presents.
    pub const fn presented(text: String) -> Self {
        Self(text)
    }

    /// What is stored.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}
