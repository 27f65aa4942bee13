-- The one door to the log.
--
-- Appends a batch of commands in one call. Each command is numbered from 1 and stands or falls alone:
--   committed  its events, claims, side rows and idempotency record are in;
--   replayed   its idempotency key was used before, nothing was written;
--   conflict   a stream that it read or writes has another version now, or an account has a session that it did not
--              know of, nothing was written;
--   taken      a name that it claims is held by another stream (detail: the scope), nothing was written.
-- The caller forms batches in which no two commands touch the same stream, name or idempotency key (only reading the
-- same stream is fine), so that the answer of one cannot hang on another.
--
--   expected_*     the versions that the command's decision rests on, of streams it writes and of streams it only read
--   event_*        the events in order; a written stream's events follow its expected version without a gap
--   idempotency_*  at most one per command
--   side           null, or of {claims, releases, subject_keys, credentials, sessions, known_sessions, ended_sessions,
--                  refresh_tokens, voided_resets, reset_tokens, mails} those that there are some of, each an array of
--                  objects with the number of their command
--   notify         whether a relay in another process has to be told; a notification costs every commit a lock
create function log.append(
    command_count int,
    expected_command int[],
    expected_stream uuid[],
    expected_version bigint[],
    event_command int[],
    event_ids uuid[],
    event_tenant uuid[],
    event_stream_type text[],
    event_stream uuid[],
    event_version bigint[],
    event_type text[],
    event_data json[],
    event_metadata json[],
    event_recorded_at timestamptz[],
    event_leaf_hash bytea[],
    idempotency_command int[],
    idempotency_tenant uuid[],
    idempotency_actor uuid[],
    idempotency_key text[],
    idempotency_request bytea[],
    idempotency_response jsonb[],
    side jsonb,
    notify boolean
)
returns table (command int, outcome text, detail text, last_position bigint)
language plpgsql
security definer
set search_path = log, pg_temp
-- The plans are made once a session, perhaps while the tables are empty, and kept while they grow: every look-up is by
-- an index, whatever the tables' size was then.
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    head_position bigint;
    appended bigint;
    replayed int[];
    conflicting int[];
    taken int[] := '{}';
    taken_scope text[] := '{}';
    refused int[];
begin
    -- From here until commit, nobody else appends; every statement below sees all that was committed before.
    select h.position into strict head_position from log.head h for update;

    select coalesce(array_agg(i.command), '{}') into replayed
    from unnest(idempotency_command, idempotency_tenant, idempotency_actor, idempotency_key) as i (command, tenant_id, actor_id, key)
    where (select true
           from log.idempotency known
           where known.tenant_id = i.tenant_id and known.actor_id = i.actor_id and known.key = i.key
           limit 1);

    select coalesce(array_agg(distinct x.command), '{}') into conflicting
    from unnest(expected_command, expected_stream, expected_version) as x (command, stream_id, version)
    where x.version <> coalesce(
        (select e.version from log.events e where e.stream_id = x.stream_id order by e.version desc limit 1), 0);

    if side is not null then
        -- Whoever ends all sessions of an account has to have seen them all: one that began meanwhile would live on.
        if side ? 'known_sessions' then
            select conflicting || coalesce(array_agg(k.command), '{}') into conflicting
            from jsonb_to_recordset(side -> 'known_sessions') as k (command int, account_id uuid, sessions uuid[])
            where exists (
                select from log.open_sessions s where s.account_id = k.account_id and s.session_id <> all (k.sessions));
        end if;

        if side ? 'claims' then
            select coalesce(array_agg(c.command), '{}'), coalesce(array_agg(c.scope), '{}') into taken, taken_scope
            from jsonb_to_recordset(side -> 'claims')
                as c (command int, tenant_id uuid, scope text, digest bytea, stream_id uuid)
            where c.stream_id <> (
                select held.stream_id
                from log.claims held
                where held.tenant_id = c.tenant_id and held.scope = c.scope and held.digest = c.digest);
        end if;
    end if;

    refused := replayed || conflicting || taken;

    -- A caller that numbers versions wrongly is a fault, never a conflict: nothing of the batch may stand.
    if exists (
        select
        from (
            select e.stream_id, e.version,
                   row_number() over (partition by e.stream_id order by e.ordinal) as step, e.command
            from unnest(event_command, event_stream, event_version) with ordinality as e (command, stream_id, version, ordinal)
        ) e
        left join unnest(expected_command, expected_stream, expected_version) as x (command, stream_id, version)
            on x.command = e.command and x.stream_id = e.stream_id
        where x.version is null or e.version <> x.version + e.step
    ) then
        raise exception 'events do not follow the expected version of their stream' using errcode = 'data_exception';
    end if;

    insert into log.events
        (position, event_id, tenant_id, stream_type, stream_id, version, type, data, metadata, recorded_at, leaf_hash)
    select head_position + row_number() over (order by e.ordinal),
           e.event_id, e.tenant_id, e.stream_type, e.stream_id, e.version, e.type, e.data, e.metadata, e.recorded_at, e.leaf_hash
    from unnest(event_command, event_ids, event_tenant, event_stream_type, event_stream, event_version, event_type,
                event_data, event_metadata, event_recorded_at, event_leaf_hash)
        with ordinality
        as e (command, event_id, tenant_id, stream_type, stream_id, version, type,
              data, metadata, recorded_at, leaf_hash, ordinal)
    where e.command <> all (refused);

    get diagnostics appended = row_count;

    if appended > 0 then
        update log.head set position = head_position + appended;
    end if;

    if side is not null then
        perform log.write_beside(side, refused);
    end if;

    return query
    with last as (
        select e.command, max(e.place) + head_position as position
        from (
            select e.command, row_number() over (order by e.ordinal) as place
            from unnest(event_command) with ordinality as e (command, ordinal)
            where e.command <> all (refused)
        ) e
        group by e.command
    ),
    answered as (
        select n as command,
               case when n = any (replayed) then 'replayed'
                    when n = any (conflicting) then 'conflict'
                    when n = any (taken) then 'taken'
                    else 'committed' end as outcome,
               taken_scope[array_position(taken, n)] as detail,
               -- A command without events reached whatever is there.
               coalesce(last.position, head_position) as position
        from generate_series(1, command_count) n
        left join last on last.command = n
    ),
    remembered as (
        insert into log.idempotency (tenant_id, actor_id, key, request_hash, response, position, created_at)
        select i.tenant_id, i.actor_id, i.key, i.request_hash, i.response, a.position, now()
        from unnest(idempotency_command, idempotency_tenant, idempotency_actor, idempotency_key,
                    idempotency_request, idempotency_response)
            as i (command, tenant_id, actor_id, key, request_hash, response)
        join answered a on a.command = i.command and a.outcome = 'committed'
    )
    select a.command, a.outcome, a.detail, a.position from answered a order by a.command;

    -- A hint that wakes relays in other processes; what they do follows from the log.
    if notify and appended > 0 then
        perform pg_notify('registrar_log', (head_position + appended)::text);
    end if;
end
$$;

-- The rows beside the events: seldom, and few when they come, so they travel as JSON. Only what there is some of is
-- there, and only that is written: an append holds the head of the log meanwhile.
create function log.write_beside(side jsonb, refused int[]) returns void
language plpgsql
set search_path = log, pg_temp
as $$
begin
    if side ? 'releases' then
        delete from log.claims held
        using jsonb_to_recordset(side -> 'releases') as r (command int, tenant_id uuid, scope text, digest bytea)
        where r.command <> all (refused)
          and held.tenant_id = r.tenant_id and held.scope = r.scope and held.digest = r.digest;
    end if;

    -- A name that the stream holds already stays held.
    if side ? 'claims' then
        insert into log.claims (tenant_id, scope, digest, stream_type, stream_id)
        select c.tenant_id, c.scope, c.digest, c.stream_type, c.stream_id
        from jsonb_to_recordset(side -> 'claims')
            as c (command int, tenant_id uuid, scope text, digest bytea, stream_type text, stream_id uuid)
        where c.command <> all (refused)
          and not exists (
              select from log.claims held
              where held.tenant_id = c.tenant_id and held.scope = c.scope and held.digest = c.digest);
    end if;

    if side ? 'subject_keys' then
        insert into log.subject_keys (subject_id, tenant_id, wrapped_key)
        select k.subject_id, k.tenant_id, k.wrapped_key
        from jsonb_to_recordset(side -> 'subject_keys')
            as k (command int, subject_id uuid, tenant_id uuid, wrapped_key bytea)
        where k.command <> all (refused);
    end if;

    if side ? 'credentials' then
        insert into log.credentials (account_id, tenant_id, phc)
        select p.account_id, p.tenant_id, p.phc
        from jsonb_to_recordset(side -> 'credentials') as p (command int, account_id uuid, tenant_id uuid, phc text)
        where p.command <> all (refused)
        on conflict (account_id) do update set phc = excluded.phc, set_at = now();

        -- Whoever was sent a token before does not undo a newer password with it.
        delete from log.reset_tokens t
        using jsonb_to_recordset(side -> 'credentials') as p (command int, account_id uuid)
        where p.command <> all (refused) and t.account_id = p.account_id;
    end if;

    if side ? 'voided_resets' then
        delete from log.reset_tokens t
        using jsonb_to_recordset(side -> 'voided_resets') as v (command int, account_id uuid)
        where v.command <> all (refused) and t.account_id = v.account_id;
    end if;

    if side ? 'reset_tokens' then
        insert into log.reset_tokens (token_hash, account_id, tenant_id, expires_at)
        select r.token_hash, r.account_id, r.tenant_id, r.expires_at
        from jsonb_to_recordset(side -> 'reset_tokens')
            as r (command int, token_hash bytea, account_id uuid, tenant_id uuid, expires_at timestamptz)
        where r.command <> all (refused)
        on conflict (account_id) do update set token_hash = excluded.token_hash, expires_at = excluded.expires_at;
    end if;

    if side ? 'mails' then
        insert into log.mail_outbox (mail_id, account_id, tenant_id, sealed, expires_at)
        select m.mail_id, m.account_id, m.tenant_id, m.sealed, m.expires_at
        from jsonb_to_recordset(side -> 'mails')
            as m (command int, mail_id uuid, account_id uuid, tenant_id uuid, sealed bytea, expires_at timestamptz)
        where m.command <> all (refused);
    end if;

    if side ? 'sessions' then
        -- A log-in that succeeded forgives those that failed.
        delete from log.login_failures f
        using jsonb_to_recordset(side -> 'sessions') as s (command int, account_id uuid)
        where s.command <> all (refused) and f.account_id = s.account_id;

        insert into log.open_sessions (session_id, account_id, tenant_id, expires_at)
        select s.session_id, s.account_id, s.tenant_id, s.expires_at
        from jsonb_to_recordset(side -> 'sessions')
            as s (command int, session_id uuid, account_id uuid, tenant_id uuid, expires_at timestamptz)
        where s.command <> all (refused);
    end if;

    if side ? 'refresh_tokens' then
        update log.refresh_tokens t
        set used = true
        from jsonb_to_recordset(side -> 'refresh_tokens') as n (command int, session_id uuid)
        where n.command <> all (refused) and t.session_id = n.session_id;

        insert into log.refresh_tokens (token_hash, session_id, expires_at)
        select n.token_hash, n.session_id, n.expires_at
        from jsonb_to_recordset(side -> 'refresh_tokens')
            as n (command int, token_hash bytea, session_id uuid, expires_at timestamptz)
        where n.command <> all (refused);

        update log.open_sessions s
        set expires_at = n.expires_at
        from jsonb_to_recordset(side -> 'refresh_tokens') as n (command int, session_id uuid, expires_at timestamptz)
        where n.command <> all (refused) and s.session_id = n.session_id and s.expires_at <> n.expires_at;
    end if;

    if side ? 'ended_sessions' then
        insert into log.ended_sessions (session_id)
        select e.session_id
        from jsonb_to_recordset(side -> 'ended_sessions') as e (command int, session_id uuid)
        where e.command <> all (refused);

        -- Takes the session's refresh tokens with it.
        delete from log.open_sessions s
        using jsonb_to_recordset(side -> 'ended_sessions') as e (command int, session_id uuid)
        where e.command <> all (refused) and s.session_id = e.session_id;
    end if;
end
$$;

revoke all on function log.append from public;
revoke all on function log.write_beside from public;
grant execute on function log.append to registrar_command;
