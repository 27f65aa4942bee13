-- The sessions that ended a short while ago, whose access tokens may still look good: what the query API refuses.

create table read.ended_sessions (
    position   bigint      primary key,
    session_id uuid        not null,
    ended_at   timestamptz not null
);

create index ended_sessions_by_time on read.ended_sessions (ended_at);

-- Ids of sessions say nothing about a tenant, and a process has to know all of them before it knows who asks.
alter table read.ended_sessions enable row level security;
alter table read.ended_sessions force row level security;
create policy projector on read.ended_sessions to registrar_projector using (true) with check (true);
create policy anyone on read.ended_sessions for select to registrar_query using (true);

insert into read.projections (name) values ('ended_sessions');
