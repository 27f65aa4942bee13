-- A UUIDv7 (RFC 9562), as payments and events have them.
create function pg_temp.new_id() returns uuid
language sql
as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
            || substr(encode(uuid_send(gen_random_uuid()), 'hex'), 1, 3) || '8'
            || substr(encode(uuid_send(gen_random_uuid()), 'hex'), 1, 15))::uuid
$$;

-- Appends as many payments as are asked for, each with the enrolment that it opens, to streams of their own, in one batch
-- as the command API does. An enrolment's id is made of its learner and course, and so lies anywhere among all ids.
-- Answers what log.append took of it, in microseconds a command.
create function pg_temp.append_sample(commands int) returns double precision
language plpgsql
as $$
declare
    payments uuid[];
    enrollments uuid[];
    begun timestamptz;
    expected_command int[];
    expected_stream uuid[];
    expected_version bigint[];
    event_expected int[];
    event_ids uuid[];
    event_tenant uuid[];
    event_stream_type text[];
    event_version bigint[];
    event_type text[];
    event_data json[];
    event_metadata json[];
    event_recorded_at timestamptz[];
    event_leaf_hash bytea[];
    idempotency_command int[];
    idempotency_ids uuid[];
    idempotency_hash bytea[];
    idempotency_response json[];
    idempotency_events bigint[];
begin
    select array_agg(pg_temp.new_id()), array_agg(gen_random_uuid()) into payments, enrollments
    from generate_series(1, commands);
    expected_command := (select array_agg(c order by c, s) from generate_series(1, commands) c, generate_series(1, 3) s);
    expected_stream := (select array_agg(case s when 1 then payments[c] when 2 then enrollments[c] else '00000000-0000-0000-0000-000000000001'::uuid end order by c, s) from generate_series(1, commands) c, generate_series(1, 3) s);
    expected_version := (select array_agg(0::bigint) from generate_series(1, commands * 3));
    event_expected := (select array_agg(3 * (c - 1) + s order by c, s) from generate_series(1, commands) c, generate_series(1, 2) s);
    event_ids := (select array_agg(pg_temp.new_id()) from generate_series(1, commands * 2));
    event_tenant := (select array_agg('00000000-0000-7000-8000-000000000001'::uuid) from generate_series(1, commands * 2));
    event_stream_type := (select array_agg(case s when 1 then 'payment' else 'enrollment' end order by c, s) from generate_series(1, commands) c, generate_series(1, 2) s);
    event_version := (select array_agg(1::bigint) from generate_series(1, commands * 2));
    event_type := (select array_agg('registrar.payment.captured.v1'::text) from generate_series(1, commands * 2));
    event_data := (select array_agg('{"learner_id":"00000000-0000-7000-8000-000000000001","course_id":"00000000-0000-7000-8000-000000000001","enrollment_id":"00000000-0000-7000-8000-000000000001","amount":{"amount_minor":4999,"currency":"EUR"},"transaction_id":"TXN-0123456789AB","provider":"dummy"}'::json) from generate_series(1, commands * 2));
    event_metadata := (select array_agg('{"actor_id":"00000000-0000-7000-8000-000000000001","actor_role":"learner","session_id":"00000000-0000-7000-8000-000000000001","correlation_id":"00000000-0000-7000-8000-000000000001","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'::json) from generate_series(1, commands * 2));
    event_recorded_at := (select array_agg(now()) from generate_series(1, commands * 2));
    event_leaf_hash := (select array_agg(sha256(c::text::bytea)) from generate_series(1, commands * 2) c);
    idempotency_command := (select array_agg(c) from generate_series(1, commands) c);
    idempotency_ids := (select array_agg(gen_random_uuid()) from generate_series(1, commands));
    idempotency_hash := (select array_agg(sha256(c::text::bytea)) from generate_series(1, commands) c);
    idempotency_response := (select array_agg('{"status":201,"id":"00000000-0000-7000-8000-000000000001","version":1,"location":"/v1/me/payments","extra":{"a":"b"}}'::json) from generate_series(1, commands));
    idempotency_events := (select array_agg(2 * c) from generate_series(1, commands) c);
    begun := clock_timestamp();
    perform log.append(
        expected_command, expected_stream, expected_version,
        event_expected, event_ids, event_tenant, event_stream_type, event_version, event_type, event_data, event_metadata,
        event_recorded_at, event_leaf_hash,
        idempotency_command, idempotency_ids, idempotency_hash, idempotency_response, idempotency_events,
        null, false);
    return extract(epoch from clock_timestamp() - begun) * 1e6 / commands;
end
$$;
