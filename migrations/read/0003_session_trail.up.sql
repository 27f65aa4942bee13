-- Every log-in from its start to its end.

create table read.session_trail (
    tenant_id    uuid        not null,
    session_id   uuid        not null,
    account_id   uuid        not null,
    -- What its tokens admit to: `full` or `set-password`.
    scope        text        not null,
    started_at   timestamptz not null,
    refreshed_at timestamptz,
    -- When it ends by itself. Live is: not ended, and this is not past.
    expires_at   timestamptz not null,
    ended_at     timestamptz,
    -- Why it ended: `revoked` by an admin, `expired`, or a reason of registrar.auth_session.ended.v1.
    reason       text,
    address      text,
    agent        text,
    version      bigint      not null,
    primary key (tenant_id, session_id)
);

create index session_trail_newest on read.session_trail (tenant_id, started_at desc, session_id desc);
create index session_trail_of_an_account
    on read.session_trail (tenant_id, account_id, started_at desc, session_id desc);
create index session_trail_open
    on read.session_trail (tenant_id, started_at desc, session_id desc)
    where ended_at is null;

call read.isolate('read.session_trail');

insert into read.projections (name) values ('session_trail');
