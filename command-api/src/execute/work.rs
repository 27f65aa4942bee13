//! One attempt at one command: what it read, what it wants to write.

use super::{Context, Executor, cache::Folded, failed};
use crate::{domain::account, mail::Letter};
use chrono::{DateTime, Utc};
use events::{
    Aggregate, Event, Metadata, Place, Role, StreamRef,
    account::{Account, AccountEvent},
    auth_session::AuthSessionEvent,
    ids::{AccountId, AuthSessionId, TenantId},
    invitation::InvitationEvent,
    log::{Append, Claim, LogError, OpenSession, OutgoingMail, RefreshToken, ResetToken, Side},
    personal::{DataKey, SealError},
    refusal::RefusalEvent,
    tenant::{BOOTSTRAP_NAME, BOOTSTRAP_SCOPE, INSTALLATION},
};
use ops::problem::{self, Problem};
use std::{any::Any, sync::Arc};
use uuid::Uuid;

/// A stream as its events leave it.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// The folded state.
    pub state: Arc<A>,
    /// The stream's version; 0 where there is no such stream in the caller's tenant.
    pub version: i64,
}

impl<A> Loaded<A> {
    /// Whether there is such a stream.
    pub const fn exists(&self) -> bool {
        self.version > 0
    }
}

/// One attempt at one command. Every stream that is loaded is asserted to be unchanged when the command is appended.
pub struct Work<'a> {
    executor: &'a Executor,
    context: &'a Context,
    /// Where the events go.
    tenant_id: TenantId,
    trust_cache: bool,
    rests_on_cache: bool,
    streams: Vec<Touched>,
    side: Side,
    taken: Vec<Problem>,
    fresh_keys: Vec<(AccountId, DataKey)>,
    letters: Vec<(AccountId, Letter, DateTime<Utc>)>,
    failed: Option<SealError>,
}

/// A stream that was read or is to be written.
struct Touched {
    stream: StreamRef,
    /// As it was read; what an append expects.
    version: i64,
    /// Folded up to and including `events`.
    state: Arc<dyn Any + Send + Sync>,
    events: Vec<Happened>,
}

/// An event, and when it happened, where that is not when its command was given.
struct Happened {
    event: Event,
    at: Option<DateTime<Utc>>,
}

/// What an attempt comes to.
pub(super) struct Finished {
    pub(super) append: Append,
    /// What to answer when a claim, by its index, is taken.
    pub(super) taken: Vec<Problem>,
    /// The written streams as they will be.
    pub(super) folded: Vec<(Uuid, Folded)>,
    pub(super) fresh_keys: Vec<(AccountId, DataKey)>,
    versions: Vec<(Uuid, i64)>,
}

impl Finished {
    /// The version that the stream will have.
    pub(super) fn version_of(&self, stream: Uuid) -> i64 {
        self.versions.iter().find(|(id, _)| *id == stream).map_or(0, |(_, version)| *version)
    }
}

impl<'a> Work<'a> {
    pub(super) const fn new(executor: &'a Executor, context: &'a Context, trust_cache: bool) -> Self {
        Self {
            executor,
            context,
            tenant_id: context.tenant_id,
            trust_cache,
            rests_on_cache: false,
            streams: Vec::new(),
            side: Side {
                claims: Vec::new(),
                releases: Vec::new(),
                subject_keys: Vec::new(),
                credentials: Vec::new(),
                sessions: Vec::new(),
                known_sessions: Vec::new(),
                ended_sessions: Vec::new(),
                refresh_tokens: Vec::new(),
                voided_resets: Vec::new(),
                reset_tokens: Vec::new(),
                mails: Vec::new(),
            },
            taken: Vec::new(),
            fresh_keys: Vec::new(),
            letters: Vec::new(),
            failed: None,
        }
    }

    pub(super) const fn rests_on_cache(&self) -> bool {
        self.rests_on_cache
    }

    /// Loads a stream. One of another tenant is as good as none. While memory is trusted, a stream that is not remembered
    /// is taken to be new: where that is wrong, the append is refused or the refusal decided again, and the log is read.
    pub async fn load<A: Aggregate>(&mut self, id: A::Id) -> Result<Loaded<A>, Problem> {
        let id: Uuid = id.into();
        if let Some(touched) = self.streams.iter().find(|touched| touched.stream.id == id) {
            let state = touched.state.clone().downcast::<A>().unwrap_or_default();
            return Ok(Loaded { state, version: touched.version });
        }
        let stream = StreamRef { stream_type: A::STREAM_TYPE.into(), id };
        let remembered = self.executor.0.cache.find(id);
        let folded = match remembered {
            remembered if self.trust_cache => {
                self.rests_on_cache = true;
                remembered
            }
            // Seldom, and large: what most commands do not need is not to make all of them larger.
            remembered => Box::pin(self.read::<A>(&stream, remembered)).await.map_err(|error| failed(&error))?,
        };
        let folded = folded.filter(|folded| folded.tenant_id == self.context.tenant_id);
        let state = folded.as_ref().and_then(|folded| folded.state.clone().downcast::<A>().ok()).unwrap_or_default();
        let version = folded.map_or(0, |folded| folded.version);
        self.streams.push(Touched { stream, version, state: state.clone(), events: Vec::new() });
        Ok(Loaded { state, version })
    }

    /// Folds what the log has beyond what is remembered.
    async fn read<A: Aggregate>(
        &self,
        stream: &StreamRef,
        remembered: Option<Folded>,
    ) -> Result<Option<Folded>, LogError> {
        let log = &self.executor.0.log;
        let known = remembered.as_ref().map_or(0, |folded| folded.version);
        let events = log.stream(stream, known).await?;
        let Some(last) = events.last() else { return Ok(remembered) };
        let (tenant_id, version) = (last.tenant_id, last.version);
        let remembered = remembered.and_then(|folded| folded.state.downcast::<A>().ok());
        let mut state = remembered.map_or_else(A::default, Arc::unwrap_or_clone);
        for event in log.decode(events).await? {
            let event = event.map_err(|(_, error)| error)?;
            if let Some(event) = A::own(event.event) {
                state.evolve(&event);
            }
        }
        let folded = Folded { tenant_id, version, state: Arc::new(state) };
        self.executor.0.cache.insert(stream.id, folded.clone());
        Ok(Some(folded))
    }

    /// Appends events to a stream, behind the version at which it was loaded; to a new one where it was not.
    pub fn append<A: Aggregate>(&mut self, id: A::Id, events: Vec<A::Event>) {
        self.add::<A>(id, events.into_iter().map(|event| (None, event)));
    }

    /// As [`Self::append`], for what happened before, each event at its own time.
    pub fn append_history<A: Aggregate>(&mut self, id: A::Id, events: Vec<(DateTime<Utc>, A::Event)>) {
        self.add::<A>(id, events.into_iter().map(|(at, event)| (Some(at), event)));
    }

    fn add<A: Aggregate>(
        &mut self,
        id: A::Id,
        events: impl ExactSizeIterator<Item = (Option<DateTime<Utc>>, A::Event)>,
    ) {
        let id: Uuid = id.into();
        let at = self.streams.iter().position(|touched| touched.stream.id == id).unwrap_or_else(|| {
            let stream = StreamRef { stream_type: A::STREAM_TYPE.into(), id };
            self.streams.push(Touched { stream, version: 0, state: Arc::new(A::default()), events: Vec::new() });
            self.streams.len() - 1
        });
        let touched = &mut self.streams[at];
        let mut state = touched.state.clone().downcast::<A>().map_or_else(|_| A::default(), Arc::unwrap_or_clone);
        let mut appended = Vec::with_capacity(events.len());
        for (at, event) in events {
            state.evolve(&event);
            appended.push(Happened { event: event.into(), at });
        }
        touched.state = Arc::new(state);
        for happened in &appended {
            keep_beside(&mut self.side, id, &happened.event);
        }
        self.streams[at].events.append(&mut appended);
    }

    /// Refuses with 412 where the client has seen another version than the loaded one (`If-Match`, RFC 9110, 13.1.1).
    pub fn check_if_match<A>(&self, loaded: &Loaded<A>) -> Result<(), Problem> {
        match self.context.if_match {
            Some(seen) if seen != loaded.version => {
                let detail = format!("You have seen version {seen}; it is at version {} now.", loaded.version);
                Err(Problem::new(problem::VERSION_CONFLICT).detail(detail))
            }
            _ => Ok(()),
        }
    }

    /// Puts the events into a tenant that comes to be with them. The request is remembered where it was made.
    pub const fn found_tenant(&mut self, tenant_id: TenantId) {
        self.tenant_id = tenant_id;
    }

    /// Makes a name the stream's own within the tenant; where another stream has it, the command answers `taken`.
    pub fn claim<A: Aggregate>(&mut self, scope: &'static str, name: &str, id: A::Id, taken: impl Into<Problem>) {
        let digest = self.executor.0.log.keyring().claim_digest(scope, name);
        let stream = StreamRef { stream_type: A::STREAM_TYPE.into(), id: id.into() };
        self.side.claims.push(Claim { scope, digest, stream });
        self.taken.push(taken.into());
    }

    /// Makes a name free again.
    pub fn release(&mut self, scope: &'static str, name: &str) {
        let digest = self.executor.0.log.keyring().claim_digest(scope, name);
        self.side.releases.push((scope, digest));
    }

    /// Makes a key for a new person's data; it commits with the events.
    pub fn new_subject(&mut self, subject: AccountId) {
        match self.executor.0.log.keyring().generate(subject) {
            Ok((key, wrapped)) => {
                self.side.subject_keys.push((subject, wrapped));
                self.fresh_keys.push((subject, key));
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// Sets an account's password hash, a PHC string; it commits with the events.
    pub fn set_credential(&mut self, account: AccountId, phc: String) {
        self.side.credentials.push((account, phc));
    }

    /// The open sessions of an account. Should it have another one when the command is appended, it is decided anew: a
    /// session that begins while all are being ended does not slip through.
    pub async fn load_sessions(&mut self, account: AccountId) -> Result<Vec<AuthSessionId>, Problem> {
        let sessions = self.executor.open_sessions(account).await?;
        self.side.known_sessions.push((account, sessions.clone()));
        Ok(sessions)
    }

    /// Gives a session its next refresh token; those before it count as used from then on.
    pub fn set_refresh_token(&mut self, session: AuthSessionId, token_hash: [u8; 32], expires_at: DateTime<Utc>) {
        self.side.refresh_tokens.push(RefreshToken { session_id: session, token_hash, expires_at });
    }

    /// Gives an account a token that sets another password, in place of any before it.
    pub fn set_reset_token(&mut self, account: AccountId, token_hash: [u8; 32], expires_at: DateTime<Utc>) {
        self.side.reset_tokens.push(ResetToken { account_id: account, token_hash, expires_at });
    }

    /// Writes to somebody. The letter commits with the events, sealed with the account's key, and is sent afterwards; at
    /// `expires_at` it is not worth sending any more.
    pub fn send_mail(&mut self, account: AccountId, letter: Letter, expires_at: DateTime<Utc>) {
        self.letters.push((account, letter, expires_at));
    }

    /// Once there is a superadmin, wherever they come from, the bootstrap by a configured secret is over.
    async fn close_bootstrap(&mut self, superadmin: AccountId) -> Result<(), LogError> {
        if self.side.claims.iter().any(|claim| claim.scope == BOOTSTRAP_SCOPE) {
            return Ok(());
        }
        let log = &self.executor.0.log;
        let digest = log.keyring().claim_digest(BOOTSTRAP_SCOPE, BOOTSTRAP_NAME);
        if log.find_claim(INSTALLATION, BOOTSTRAP_SCOPE, &digest).await?.is_none() {
            self.claim::<Account>(BOOTSTRAP_SCOPE, BOOTSTRAP_NAME, superadmin, account::Refusal::BootstrapDone);
        }
        Ok(())
    }

    /// What is to be appended: every event sealed, hashed and in its place.
    pub(super) async fn finish(mut self) -> Result<Finished, LogError> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        let made = self.streams.iter().find(|touched| touched.events.iter().any(|it| makes_superadmin(&it.event)));
        if let Some(superadmin) = made.map(|touched| AccountId::new(touched.stream.id)) {
            Box::pin(self.close_bootstrap(superadmin)).await?;
        }
        let keyring = self.executor.0.log.keyring();
        let tenant_id = self.tenant_id;
        let metadata = self.context.metadata(tenant_id);
        let mut events = Vec::new();
        let (mut expected, mut folded, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        for touched in self.streams {
            let mut version = touched.version;
            for Happened { event, at } in &touched.events {
                version += 1;
                if let Some(subject) = subject_of(event)
                    && !self.fresh_keys.iter().any(|(fresh, _)| *fresh == subject)
                {
                    Box::pin(keyring.load([subject])).await?;
                }
                let place = Place {
                    event_id: Uuid::now_v7(),
                    tenant_id,
                    stream: touched.stream.clone(),
                    version,
                    recorded_at: self.context.now,
                };
                let own = at.map(|at| Metadata { occurred_at: Some(at), ..metadata.clone() });
                let metadata = own.as_ref().unwrap_or(&metadata);
                events.push(place.record(event, metadata, |json| keyring.seal(json, &self.fresh_keys))?);
            }
            versions.push((touched.stream.id, version));
            if version > touched.version {
                folded.push((touched.stream.id, Folded { tenant_id, version, state: touched.state }));
            }
            expected.push((touched.stream, touched.version));
        }
        for (account_id, letter, expires_at) in &self.letters {
            Box::pin(keyring.load([*account_id])).await?;
            let letter = serde_json::to_string(letter).map_err(LogError::Canonical)?;
            let sealed = keyring.seal_text(*account_id, &letter, &self.fresh_keys)?;
            let (mail_id, account_id, expires_at) = (Uuid::now_v7(), *account_id, *expires_at);
            self.side.mails.push(OutgoingMail { mail_id, account_id, sealed, expires_at });
        }
        let tenant_id = self.context.tenant_id;
        let append = Append { tenant_id, expected, events, idempotency: None, side: self.side };
        Ok(Finished { append, taken: self.taken, folded, fresh_keys: self.fresh_keys, versions })
    }
}

fn makes_superadmin(event: &Event) -> bool {
    matches!(
        event,
        Event::Account(
            AccountEvent::Registered { role: Role::Superadmin, .. }
                | AccountEvent::RoleChanged { after: Role::Superadmin, .. }
        )
    )
}

/// Whose key seals the event's personal data, where it has any.
fn subject_of(event: &Event) -> Option<AccountId> {
    match event {
        Event::Account(AccountEvent::Registered { account_id, .. })
        | Event::Invitation(InvitationEvent::Issued { account_id, .. })
        | Event::AuthSession(AuthSessionEvent::Started { account_id, .. }) => Some(*account_id),
        Event::Account(
            AccountEvent::ProfileUpdated { first_name: text, .. }
            | AccountEvent::EmailChanged { email: text }
            | AccountEvent::UsernameChanged { username: Some(text) }
            | AccountEvent::PasswordResetRequested { address: Some(text), .. }
            | AccountEvent::PasswordResetRequested { agent: Some(text), .. },
        )
        | Event::Refusal(RefusalEvent::Recorded { address: Some(text), .. }) => Some(text.subject()),
        _ => None,
    }
}

/// What follows from events and is no history: the table of open sessions, and what was sent to an address that is the
/// account's no more, or to somebody who was shut out.
fn keep_beside(side: &mut Side, stream: Uuid, event: &Event) {
    let session_id = AuthSessionId::new(stream);
    match event {
        Event::AuthSession(AuthSessionEvent::Started { account_id, expires_at, .. }) => {
            side.sessions.push(OpenSession { session_id, account_id: *account_id, expires_at: *expires_at });
        }
        Event::AuthSession(
            AuthSessionEvent::Ended { .. } | AuthSessionEvent::Revoked {} | AuthSessionEvent::Expired {},
        ) => side.ended_sessions.push(session_id),
        Event::Account(AccountEvent::EmailChanged { .. } | AccountEvent::Deactivated {}) => {
            side.voided_resets.push(AccountId::new(stream));
        }
        _ => {}
    }
}
