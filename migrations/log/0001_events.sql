-- The log: one row per event, in one total order without gaps.

do $$
begin
    -- Roles belong to the cluster, not to the database: another database may have made them already.
    begin create role registrar_command nologin; exception when duplicate_object or unique_violation then null; end;
    begin create role registrar_projector nologin; exception when duplicate_object or unique_violation then null; end;
    begin create role registrar_auditor nologin; exception when duplicate_object or unique_violation then null; end;
end
$$;

grant usage on schema log to registrar_command, registrar_projector, registrar_auditor;

-- The last position that was given out. Its row stays locked until the append that moves it commits, so commit order is
-- position order, and an append that rolls back leaves no hole: whoever has seen position N has seen all up to N.
create table log.head (
    only_row boolean primary key default true check (only_row),
    position bigint not null check (position >= 0)
);

insert into log.head (position) values (0);

create table log.events (
    position bigint primary key,
    event_id uuid not null,
    tenant_id uuid not null,
    stream_type text not null,
    stream_id uuid not null,
    version bigint not null check (version >= 1),
    type text not null,
    -- json, not jsonb: the text stays as it was written, which is the canonical form that was hashed (RFC 8785).
    data json not null,
    metadata json not null,
    recorded_at timestamptz not null,
    leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
    constraint events_stream_version unique (stream_id, version)
);

comment on table log.events is 'What happened. Append-only: written by log.append(), changed by nobody.';
comment on column log.events.leaf_hash is 'SHA-256(0x00 || JCS(CloudEvents JSON)), RFC 6962 over RFC 8785; covers the sealed form.';

create function log.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'the log is append-only: % on log.% is refused', tg_op, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;

create trigger events_are_never_changed
    before update or delete or truncate on log.events
    for each statement execute function log.refuse_change();

create trigger head_is_never_removed
    before delete or truncate on log.head
    for each statement execute function log.refuse_change();

create function log.refuse_step_back() returns trigger
language plpgsql as $$
begin
    raise exception 'the head of the log moves forward only: % to % is refused', old.position, new.position
        using errcode = 'insufficient_privilege';
end
$$;

create trigger head_moves_forward_only
    before update on log.head
    for each row when (new.position <= old.position) execute function log.refuse_step_back();

grant select on log.head, log.events to registrar_command, registrar_projector, registrar_auditor;
