-- Every event as it stands in the log, to be filtered. An index a filter, ending in the position, so that every
-- filtered feed is read in log order. Each begins with what tells its entries apart, which sorts fastest: a type by its
-- hash, the one that hash indexes and partitions rest on. Streams and subjects are one tenant's alone, and looked up
-- without naming the tenant, whom row-level security asks about all the same: the entries are smaller.

create table read.audit_trail (
    tenant_id   uuid        not null,
    position    bigint      not null,
    event_id    uuid        not null,
    stream_type text        not null,
    stream_id   uuid        not null,
    version     bigint      not null,
    type        text        collate "C" not null,
    actor_id    uuid,
    recorded_at timestamptz not null,
    -- JSON as text: it is read as a whole, and never looked into. Personal data are sealed.
    data        text        not null,
    metadata    text        not null,
    leaf_hash   bytea       not null,
    type_hash   integer     generated always as (hashtext(type)) stored,
    primary key (tenant_id, position)
);

create index audit_trail_by_actor on read.audit_trail (actor_id, tenant_id, position);
create index audit_trail_by_stream on read.audit_trail (stream_id, position);
create index audit_trail_by_type on read.audit_trail (type_hash, tenant_id, position);
-- Rows lie in the order of their times, so the least of indexes finds a range of them.
create index audit_trail_by_time on read.audit_trail using brin (recorded_at);

-- Whom each event concerns. A table rather than an array: comparing ids is leakproof, so row-level security lets it use
-- an index, which it forbids to a search in arrays.
create table read.audit_trail_subjects (
    tenant_id  uuid   not null,
    subject_id uuid   not null,
    position   bigint not null,
    primary key (subject_id, position)
);

-- Whose each session is: only a session's first event says so, and the later ones concern the same account.
create table read.audit_trail_sessions (
    tenant_id  uuid not null,
    session_id uuid not null,
    account_id uuid not null,
    primary key (tenant_id, session_id)
);

call read.isolate('read.audit_trail');
call read.isolate('read.audit_trail_subjects');
call read.isolate('read.audit_trail_sessions');

insert into read.projections (name) values ('audit_trail');
