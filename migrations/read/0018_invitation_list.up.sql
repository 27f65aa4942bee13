-- Who was invited, and what became of it. Whether one has expired follows from the time of the question.

create table read.invitation_list (
    tenant_id     uuid        not null,
    invitation_id uuid        not null,
    -- The id that the account has, or would have.
    account_id    uuid        not null,
    -- Null once the person was erased.
    email         text,
    role          text        not null,
    invited_by    uuid        not null,
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    accepted_at   timestamptz,
    revoked_at    timestamptz,
    version       bigint      not null,
    primary key (tenant_id, invitation_id)
);

create index invitation_list_newest on read.invitation_list (tenant_id, created_at desc, invitation_id desc);

call read.isolate('read.invitation_list');

insert into read.projections (name) values ('invitation_list');
