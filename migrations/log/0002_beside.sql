-- What commits together with events, and is not history: uniqueness, replays of requests, secrets.

-- Who holds a name that only one may hold. The digest is keyed, so that no personal data stand here.
create table log.claims (
    tenant_id uuid not null,
    scope text not null,
    digest bytea not null,
    stream_type text not null,
    stream_id uuid not null,
    primary key (tenant_id, scope, digest)
);

-- The first answer to a request that carried an Idempotency-Key, to be given again.
create table log.idempotency (
    -- A digest of the tenant, of who asked and of the key, which is compared in one step.
    idempotency_id uuid primary key,
    request_hash bytea not null check (octet_length(request_hash) = 32),
    response json not null,
    position bigint not null,
    created_at timestamptz not null
);

-- Each person's own key, wrapped by the master key. Deleting the row erases the person.
create table log.subject_keys (
    subject_id uuid primary key,
    tenant_id uuid not null,
    wrapped_key bytea not null,
    created_at timestamptz not null default now()
);

-- Password hashes: PHC strings, never plain, never in an event.
create table log.credentials (
    account_id uuid primary key,
    tenant_id uuid not null,
    phc text not null,
    set_at timestamptz not null default now()
);

-- Sessions that have not ended, by account: what ends when an account is shut or its password changes.
create table log.open_sessions (
    session_id uuid primary key,
    account_id uuid not null,
    tenant_id uuid not null,
    expires_at timestamptz not null
);

create index open_sessions_by_account on log.open_sessions (account_id);
create index open_sessions_by_end on log.open_sessions (expires_at);

-- Sessions that ended a short while ago, whose access tokens may still look good: what every process refuses. Numbers
-- are drawn while the head of the log is locked, so they commit in their order, and a reader that has seen one has seen
-- all before it.
create table log.ended_sessions (
    number bigint generated always as identity primary key,
    session_id uuid not null,
    ended_at timestamptz not null default now()
);

-- Refresh tokens by SHA-256. A used one is kept while its session is open, to recognise it when it comes again.
create table log.refresh_tokens (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    session_id uuid not null references log.open_sessions on delete cascade,
    expires_at timestamptz not null,
    used boolean not null default false
);

create index refresh_tokens_by_session on log.refresh_tokens (session_id);

-- What sets a forgotten password anew, by SHA-256; an account has one at most, and any new password takes it away.
create table log.reset_tokens (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    account_id uuid not null unique,
    tenant_id uuid not null,
    expires_at timestamptz not null
);

-- Log-ins to an account that failed since the last that did not.
create table log.login_failures (
    account_id uuid primary key,
    tenant_id uuid not null,
    failures int not null,
    last_at timestamptz not null
);

-- Mail that is to be sent, each sealed with its recipient's key; a row goes when it was sent.
create table log.mail_outbox (
    mail_id uuid primary key,
    account_id uuid not null,
    tenant_id uuid not null,
    sealed bytea not null,
    expires_at timestamptz not null,
    attempts int not null default 0,
    next_attempt_at timestamptz not null default now()
);

create index mail_outbox_next on log.mail_outbox (next_attempt_at);

-- How far the relay's publishing was acknowledged. JetStream's own last sequence is the truth; this tells operators.
create table log.relay (
    only_row boolean primary key default true check (only_row),
    position bigint not null,
    updated_at timestamptz not null default now()
);

insert into log.relay (position) values (0);

grant select on log.claims, log.idempotency, log.subject_keys, log.credentials, log.open_sessions, log.refresh_tokens, log.relay,
    log.ended_sessions to registrar_command;
grant delete on log.ended_sessions to registrar_command;
grant select on log.reset_tokens to registrar_command;
grant select, insert, update, delete on log.login_failures to registrar_command;
grant select, update, delete on log.mail_outbox to registrar_command;
grant update (position, updated_at) on log.relay to registrar_command;
grant select on log.subject_keys, log.relay to registrar_projector;
