-- Lists of people that became accounts, or are about to: how far each has come, and which rows were refused.

create table read.account_import_list (
    tenant_id   uuid        not null,
    import_id   uuid        not null,
    started_by  uuid        not null,
    dry_run     boolean     not null,
    bytes       bigint      not null,
    state       text        not null check (state in ('running', 'finished', 'failed')),
    -- Why it was given up.
    failure     text,
    accepted    bigint      not null,
    refused     bigint      not null,
    -- Of the refused rows, in the order of the list, at most a thousand: [{"line", "column", "code"}].
    errors      jsonb       not null,
    started_at  timestamptz not null,
    updated_at  timestamptz not null,
    ended_at    timestamptz,
    version     bigint      not null,
    primary key (tenant_id, import_id)
);

create index account_import_list_newest on read.account_import_list (tenant_id, started_at desc, import_id desc);

call read.isolate('read.account_import_list');

insert into read.projections (name) values ('account_import_list');
