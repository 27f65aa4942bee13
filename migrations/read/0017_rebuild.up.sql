-- Rebuilding views beside the live ones. A schema of its own, `rebuild_<projection>`, is shaped like this one and filled
-- from the log; then its tables take the place of the live ones.
--
-- The procedures have their owner's rights, because only an owner makes, drops and moves tables. The projector may call
-- them, and nobody else. They move tables; rows and checkpoints are the projector's affair.

-- Events that an operator has left out of a projection for good, so that a rebuild leaves them out too.
create table read.skipped_events (
    projection text        not null,
    position   bigint      not null,
    tenant_id  uuid        not null,
    skipped_at timestamptz not null default now(),
    primary key (projection, position)
);

-- Only operators ask for it: under row-level security the query API, without a policy, sees none.
alter table read.skipped_events enable row level security;
alter table read.skipped_events force row level security;
create policy projector on read.skipped_events to registrar_projector using (true) with check (true);

-- Drops what a rebuild has left, where it was broken off or is done.
create procedure read.end_rebuild(projection text)
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
begin
    execute format('drop schema if exists %I cascade', 'rebuild_' || projection);
end
$$;

-- Makes the schema, with empty tables and checkpoints of its own. Keys are made at once for the tables that the
-- projection looks things up in; those that it only appends to get theirs when they are full.
create procedure read.begin_rebuild(projection text, tables text[], appended text[])
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
declare
    beside text := 'rebuild_' || projection;
    target text;
    made   record;
begin
    call read.end_rebuild(projection);
    execute format('create schema %I', beside);
    execute format('grant usage on schema %I to registrar_projector', beside);
    foreach target in array array['projections', 'parked_streams', 'parked_events'] || tables loop
        execute format(
            'create table %I.%I (like read.%I including all excluding indexes excluding statistics)
             with (autovacuum_enabled = false)',
            beside, target, target);
        execute format('grant select, insert, update, delete on %I.%I to registrar_projector', beside, target);
        continue when target = any (appended);
        for made in
            select conname, pg_get_constraintdef(oid) as definition
            from pg_constraint
            where conrelid = format('read.%I', target)::regclass
              and contype in ('p', 'u')
        loop
            execute format('alter table %I.%I add constraint %I %s', beside, target, made.conname, made.definition);
        end loop;
    end loop;
end
$$;

-- Builds one index that a live table has for its filled one, a key's index too. Several may be built at once, each over
-- a connection of its own and by one process: together they keep the processors busy, and none writes what it sorts to a
-- file for others to merge.
create procedure read.build_index(projection text, index text)
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
    set maintenance_work_mem = '256MB'
    set max_parallel_maintenance_workers = 0
as $$
declare
    live     regclass := format('read.%I', index)::regclass;
    target   regclass := (select indrelid::regclass from pg_index where indexrelid = live);
    relation name := (select relname from pg_class where oid = target);
begin
    execute replace(pg_get_indexdef(live), format(' ON %s ', target), format(' ON %I.%I ', 'rebuild_' || projection, relation));
end
$$;

-- Makes of the filled tables, which have all indexes, what the live ones are: the keys that are still missing, the
-- storage parameters, the owner, the rights and the policies.
create procedure read.finish_rebuild(projection text, tables text[])
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target text;
    live   regclass;
    fresh  regclass;
    made   record;
begin
    foreach target in array tables loop
        live := format('read.%I', target)::regclass;
        fresh := format('%I.%I', 'rebuild_' || projection, target)::regclass;
        for made in
            select conname, case contype when 'p' then 'primary key' else 'unique' end as kind
            from pg_constraint
            where conrelid = live
              and contype in ('p', 'u')
              and conname not in (select conname from pg_constraint where conrelid = fresh)
        loop
            execute format('alter table %s add constraint %I %s using index %I', fresh, made.conname, made.kind, made.conname);
        end loop;
        execute format('alter table %s reset (autovacuum_enabled)', fresh);

        for made in select * from pg_class where oid = live loop
            if made.reloptions is not null then
                execute format('alter table %s set (%s)', fresh, array_to_string(made.reloptions, ', '));
            end if;
            if made.relrowsecurity then
                execute format('alter table %s enable row level security', fresh);
            end if;
            if made.relforcerowsecurity then
                execute format('alter table %s force row level security', fresh);
            end if;
            execute format('revoke all on %s from registrar_projector', fresh);
            execute format('alter table %s owner to %s', fresh, made.relowner::regrole);
        end loop;
        for made in
            select privilege_type, case grantee when 0 then 'public' else grantee::regrole::text end as grantee
            from pg_class, aclexplode(relacl)
            where oid = live
              and grantee <> relowner
        loop
            execute format('grant %s on %s to %s', made.privilege_type, fresh, made.grantee);
        end loop;
        for made in
            select policyname, permissive, cmd, qual, with_check,
                   (select string_agg(case role when 'public' then 'public' else quote_ident(role) end, ', ')
                    from unnest(roles) role) as roles
            from pg_policies
            where schemaname = 'read'
              and tablename = target
        loop
            execute format('create policy %I on %s as %s for %s to %s', made.policyname, fresh, made.permissive,
                           made.cmd, made.roles)
                || coalesce(' using (' || made.qual || ')', '')
                || coalesce(' with check (' || made.with_check || ')', '');
        end loop;
        execute format('analyze %s', fresh);
    end loop;
end
$$;

-- Puts the fresh tables in the place of the live ones. Readers wait for it, so the caller bounds how long it may wait
-- for them (lock_timeout), and commits at once.
create procedure read.swap_rebuild(projection text, tables text[])
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target text;
begin
    foreach target in array tables loop
        execute format('lock table read.%I in access exclusive mode', target);
    end loop;
    foreach target in array tables loop
        execute format('drop table read.%I', target);
        execute format('alter table %I.%I set schema read', 'rebuild_' || projection, target);
    end loop;
end
$$;

revoke all on procedure read.end_rebuild, read.begin_rebuild, read.build_index, read.finish_rebuild, read.swap_rebuild from public;
grant execute on procedure read.end_rebuild, read.begin_rebuild, read.build_index, read.finish_rebuild, read.swap_rebuild
    to registrar_projector;
