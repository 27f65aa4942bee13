-- The one door to the log.
--
-- Appends a batch of commands in one call: all of them, or, where some are refused, none. Each command is numbered from 1
-- and is refused alone; the caller sends the others again. The answer has a row for each reason to refuse a command, the
-- one that counts first:
--   replayed  its request was carried out before;
--   conflict  a stream that it read or writes has another version now, or an account has a session that it did not know of;
--   taken     a name that it claims is held by another stream (detail: the scope);
-- or, where there is none, a single row, and all events, claims, side rows and requests are in:
--   appended  the first event stands right behind this position, the others after it, in their order.
-- The caller forms batches in which no two commands touch the same stream, name or request (only reading the same stream
-- is fine), so that the answer of one cannot hang on another.
--
--   expected_*     the versions that the commands' decisions rest on, of streams they write and of streams they only read
--   event_*        the events in order: each names the place of its stream in expected_*, whose events follow one
--                  another, numbered from the expected version on without a gap
--   idempotency_*  at most one for each command: what is remembered of its request, and how many of the events come up to
--                  the command's last
--   side           null, or of {claims, releases, subject_keys, credentials, sessions, known_sessions, ended_sessions,
--                  refresh_tokens, voided_resets, reset_tokens, mails} those that there are some of, each an array of
--                  objects; those that a command can be refused for have its number
--   notify         whether a relay in another process has to be told; a notification costs every commit a lock
--
-- Most of what a command costs is spent in here, and the head of the log is locked meanwhile. What has a fixed length is
-- therefore taken from its array by number; unnest, which copies, is for the rest.
create function log.append(
    expected_command int[],
    expected_stream uuid[],
    expected_version bigint[],
    event_expected int[],
    event_ids uuid[],
    event_tenant uuid[],
    event_stream_type text[],
    event_version bigint[],
    event_type text[],
    event_data json[],
    event_metadata json[],
    event_recorded_at timestamptz[],
    event_leaf_hash bytea[],
    idempotency_command int[],
    idempotency_ids uuid[],
    idempotency_hash bytea[],
    idempotency_response json[],
    idempotency_events bigint[],
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
    head_after bigint;
    is_refused boolean;
begin
    -- From here until commit, nobody else appends; every statement below sees all that was committed before.
    select h.position into strict head_position from log.head h for update;

    return query
    select idempotency_command[n], 'replayed', null::text, null::bigint
    from generate_subscripts(idempotency_ids, 1) n
    where (select true from log.idempotency known where known.idempotency_id = idempotency_ids[n]);
    is_refused := found;

    return query
    select expected_command[n], 'conflict', null::text, null::bigint
    from generate_subscripts(expected_stream, 1) n
    where expected_version[n] <> coalesce(
        (select e.version from log.events e where e.stream_id = expected_stream[n] order by e.version desc limit 1), 0);
    is_refused := is_refused or found;

    if side is not null then
        -- Whoever ends all sessions of an account has to have seen them all: one that began meanwhile would live on.
        if side ? 'known_sessions' then
            return query
            select k.command, 'conflict', null::text, null::bigint
            from jsonb_to_recordset(side -> 'known_sessions') as k (command int, account_id uuid, sessions uuid[])
            where exists (
                select from log.open_sessions s where s.account_id = k.account_id and s.session_id <> all (k.sessions));
            is_refused := is_refused or found;
        end if;

        if side ? 'claims' then
            return query
            select c.command, 'taken', c.scope, null::bigint
            from jsonb_to_recordset(side -> 'claims')
                as c (command int, tenant_id uuid, scope text, digest bytea, stream_id uuid)
            where c.stream_id <> (
                select held.stream_id
                from log.claims held
                where held.tenant_id = c.tenant_id and held.scope = c.scope and held.digest = c.digest);
            is_refused := is_refused or found;
        end if;
    end if;

    if is_refused then
        return;
    end if;

    -- A caller that numbers versions wrongly is a fault, never a conflict: nothing of the batch may stand.
    if exists (
        select
        from generate_subscripts(event_expected, 1) n
        where event_version[n] is distinct from 1 + case
            when event_expected[n] = event_expected[n - 1] then event_version[n - 1]
            else expected_version[event_expected[n]]
        end
    ) then
        raise exception 'events do not follow the expected version of their stream' using errcode = 'data_exception';
    end if;

    insert into log.events
        (position, event_id, tenant_id, stream_type, stream_id, version, type, data, metadata, recorded_at, leaf_hash)
    select head_position + e.n, event_ids[e.n], event_tenant[e.n], e.stream_type, expected_stream[event_expected[e.n]],
           event_version[e.n], e.type, e.data, e.metadata, event_recorded_at[e.n], e.leaf_hash
    from unnest(event_stream_type, event_type, event_data, event_metadata, event_leaf_hash)
        with ordinality
        as e (stream_type, type, data, metadata, leaf_hash, n);

    head_after := head_position + cardinality(event_ids);

    if head_after > head_position then
        update log.head set position = head_after;
    end if;

    if side is not null then
        perform log.write_beside(side);
    end if;

    insert into log.idempotency (idempotency_id, request_hash, response, position, created_at)
    select idempotency_ids[r.n], r.hash, r.response, head_position + idempotency_events[r.n], now()
    from unnest(idempotency_hash, idempotency_response) with ordinality as r (hash, response, n);

    -- A hint that wakes relays in other processes; what they do follows from the log.
    if notify and head_after > head_position then
        perform pg_notify('registrar_log', head_after::text);
    end if;

    return query select null::int, 'appended', null::text, head_position;
end
$$;

-- The rows beside the events: seldom, and few when they come, so they travel as JSON. Only what there is some of is
-- there, and only that is written: an append holds the head of the log meanwhile.
create function log.write_beside(side jsonb) returns void
language plpgsql
set search_path = log, pg_temp
as $$
begin
    if side ? 'releases' then
        delete from log.claims held
        using jsonb_to_recordset(side -> 'releases') as r (tenant_id uuid, scope text, digest bytea)
        where held.tenant_id = r.tenant_id and held.scope = r.scope and held.digest = r.digest;
    end if;

    -- A name that the stream holds already stays held.
    if side ? 'claims' then
        insert into log.claims (tenant_id, scope, digest, stream_type, stream_id)
        select c.tenant_id, c.scope, c.digest, c.stream_type, c.stream_id
        from jsonb_to_recordset(side -> 'claims')
            as c (tenant_id uuid, scope text, digest bytea, stream_type text, stream_id uuid)
        where not exists (
              select from log.claims held
              where held.tenant_id = c.tenant_id and held.scope = c.scope and held.digest = c.digest);
    end if;

    if side ? 'subject_keys' then
        insert into log.subject_keys (subject_id, tenant_id, wrapped_key)
        select k.subject_id, k.tenant_id, k.wrapped_key
        from jsonb_to_recordset(side -> 'subject_keys')
            as k (subject_id uuid, tenant_id uuid, wrapped_key bytea);
    end if;

    if side ? 'credentials' then
        insert into log.credentials (account_id, tenant_id, phc)
        select p.account_id, p.tenant_id, p.phc
        from jsonb_to_recordset(side -> 'credentials') as p (account_id uuid, tenant_id uuid, phc text)
        on conflict (account_id) do update set phc = excluded.phc, set_at = now();

        -- Whoever was sent a token before does not undo a newer password with it.
        delete from log.reset_tokens t
        using jsonb_to_recordset(side -> 'credentials') as p (account_id uuid)
        where t.account_id = p.account_id;
    end if;

    if side ? 'voided_resets' then
        delete from log.reset_tokens t
        using jsonb_to_recordset(side -> 'voided_resets') as v (account_id uuid)
        where t.account_id = v.account_id;
    end if;

    if side ? 'reset_tokens' then
        insert into log.reset_tokens (token_hash, account_id, tenant_id, expires_at)
        select r.token_hash, r.account_id, r.tenant_id, r.expires_at
        from jsonb_to_recordset(side -> 'reset_tokens')
            as r (token_hash bytea, account_id uuid, tenant_id uuid, expires_at timestamptz)
        on conflict (account_id) do update set token_hash = excluded.token_hash, expires_at = excluded.expires_at;
    end if;

    if side ? 'mails' then
        insert into log.mail_outbox (mail_id, account_id, tenant_id, sealed, expires_at)
        select m.mail_id, m.account_id, m.tenant_id, m.sealed, m.expires_at
        from jsonb_to_recordset(side -> 'mails')
            as m (mail_id uuid, account_id uuid, tenant_id uuid, sealed bytea, expires_at timestamptz);
    end if;

    if side ? 'sessions' then
        -- A log-in that succeeded forgives those that failed.
        delete from log.login_failures f
        using jsonb_to_recordset(side -> 'sessions') as s (account_id uuid)
        where f.account_id = s.account_id;

        insert into log.open_sessions (session_id, account_id, tenant_id, expires_at)
        select s.session_id, s.account_id, s.tenant_id, s.expires_at
        from jsonb_to_recordset(side -> 'sessions')
            as s (session_id uuid, account_id uuid, tenant_id uuid, expires_at timestamptz);
    end if;

    if side ? 'refresh_tokens' then
        update log.refresh_tokens t
        set used = true
        from jsonb_to_recordset(side -> 'refresh_tokens') as n (session_id uuid)
        where t.session_id = n.session_id;

        insert into log.refresh_tokens (token_hash, session_id, expires_at)
        select n.token_hash, n.session_id, n.expires_at
        from jsonb_to_recordset(side -> 'refresh_tokens')
            as n (token_hash bytea, session_id uuid, expires_at timestamptz);

        update log.open_sessions s
        set expires_at = n.expires_at
        from jsonb_to_recordset(side -> 'refresh_tokens') as n (session_id uuid, expires_at timestamptz)
        where s.session_id = n.session_id and s.expires_at <> n.expires_at;
    end if;

    if side ? 'ended_sessions' then
        insert into log.ended_sessions (session_id)
        select e.session_id
        from jsonb_to_recordset(side -> 'ended_sessions') as e (session_id uuid);

        -- Takes the session's refresh tokens with it.
        delete from log.open_sessions s
        using jsonb_to_recordset(side -> 'ended_sessions') as e (session_id uuid)
        where s.session_id = e.session_id;
    end if;
end
$$;

revoke all on function log.append from public;
revoke all on function log.write_beside from public;
grant execute on function log.append to registrar_command;
