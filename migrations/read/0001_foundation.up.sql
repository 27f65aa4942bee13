-- What every view stands on: the roles, the checkpoints, what is parked, and the rule that keeps tenants apart.
-- All of this schema can be dropped and rebuilt from the log.

create schema if not exists read;

-- Roles belong to the cluster, so another database's migration may have made them, or be making them now.
do $$
begin
    create role registrar_projector nologin;
exception
    when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
    create role registrar_query nologin;
exception
    when duplicate_object or unique_violation then null;
end
$$;

grant usage on schema read to registrar_projector, registrar_query;

alter default privileges in schema read
    grant select, insert, update, delete on tables to registrar_projector;
alter default privileges in schema read
    grant select on tables to registrar_query;

-- The tenant of the request that is being served; null, which matches no row, where none was set.
create function read.tenant() returns uuid
    language sql
    stable
    parallel safe
    return nullif(current_setting('registrar.tenant_id', true), '')::uuid;

-- Lets the projector write all of a table, and the query API see the rows of its request's tenant only. Forced, so that
-- a table's owner is held to it too.
create procedure read.isolate(target regclass)
    language plpgsql
as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format('create policy projector on %s to registrar_projector using (true) with check (true)', target);
    execute format('create policy tenant on %s for select to registrar_query using (tenant_id = read.tenant())', target);
end
$$;

-- How far each projection has come. Its row commits together with the rows that it wrote.
create table read.projections (
    name              text        primary key,
    position          bigint      not null default 0 check (position >= 0),
    state             text        not null default 'running' check (state in ('running', 'paused', 'rebuilding')),
    updated_at        timestamptz not null default now(),
    -- When the event at `position` was recorded.
    event_recorded_at timestamptz
);

-- What a query's transaction begins with, in one call: its tenant, its bound and how it is planned, for as long as it
-- lasts. The answer is the position that it reflects, the lowest of the named projections'; of all, where none is named.
create function read.enter(tenant_id uuid, projections text[], statement_timeout text, plan_cache_mode text, seqscan text)
    returns bigint
    language plpgsql
as $$
declare
    reflected bigint;
begin
    select coalesce(min(p.position), 0) into reflected
    from read.projections p
    where cardinality(projections) = 0
       or p.name = any (projections);

    perform set_config('registrar.tenant_id', tenant_id::text, true),
            set_config('statement_timeout', statement_timeout, true),
            set_config('plan_cache_mode', plan_cache_mode, true),
            set_config('enable_seqscan', seqscan, true);
    return reflected;
end
$$;

-- The end of the log as the projector last saw it, so that lag can be told without asking the log's database.
create table read.log_head (
    singleton boolean     primary key default true check (singleton),
    position  bigint      not null default 0,
    seen_at   timestamptz not null default now()
);

insert into read.log_head default values;

-- Positions say nothing about a tenant: whoever may query, may read them. Written out, since they have no tenant_id.
alter table read.projections enable row level security;
alter table read.projections force row level security;
create policy projector on read.projections to registrar_projector using (true) with check (true);
create policy anyone on read.projections for select to registrar_query using (true);

alter table read.log_head enable row level security;
alter table read.log_head force row level security;
create policy projector on read.log_head to registrar_projector using (true) with check (true);
create policy anyone on read.log_head for select to registrar_query using (true);

-- The streams that one projection could not go on with. Everything else flows on.
create table read.parked_streams (
    projection  text        not null,
    tenant_id   uuid        not null,
    stream_type text        not null,
    stream_id   uuid        not null,
    -- The event that could not be applied, and why.
    position    bigint      not null,
    reason      text        not null,
    parked_at   timestamptz not null default now(),
    primary key (projection, stream_type, stream_id)
);

call read.isolate('read.parked_streams');

-- What is parked of them, in order: the event that failed and all that followed it in its stream.
create table read.parked_events (
    projection  text        not null,
    position    bigint      not null,
    tenant_id   uuid        not null,
    stream_type text        not null,
    stream_id   uuid        not null,
    -- CloudEvents JSON, personal data sealed.
    event       jsonb       not null,
    reason      text        not null,
    parked_at   timestamptz not null default now(),
    primary key (projection, position)
);

create index parked_events_of_a_stream on read.parked_events (projection, stream_type, stream_id, position);

-- Only operators read the events themselves: under row-level security the query API, without a policy, sees none.
alter table read.parked_events enable row level security;
alter table read.parked_events force row level security;
create policy projector on read.parked_events to registrar_projector using (true) with check (true);
