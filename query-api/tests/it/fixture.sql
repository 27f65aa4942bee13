-- A small academy, as the projector would have left it at position 100, and next to it a tenant that is not ours.

update read.projections
set position = 100, updated_at = '2026-01-31T12:00:00Z', event_recorded_at = '2026-01-31T12:00:00Z';

update read.log_head
set position = 100, seen_at = '2026-01-31T12:00:00Z';

insert into read.account_list (tenant_id, account_id, email, username, role, first_name, last_name, bio, avatar_url,
    is_active, portal_access, must_set_password, temporary_until, created_at, updated_at, version)
select tenant::uuid, ('00000000-0000-7000-8000-0000000000' || suffix)::uuid, email, username, role, first_name,
    last_name, bio, avatar_url, is_active, true, false, null, created_at::timestamptz, created_at::timestamptz, version
from (values
    ('00000000-0000-7000-8000-000000000001', 'a1', 'ada@example.org', 'ada', 'learner', 'Ada', 'Lovelace', 'Counts.', 'https://img.example/ada.png', true, '2026-01-07T09:00:00Z', 3),
    ('00000000-0000-7000-8000-000000000001', 'a2', 'ben@example.org', null, 'learner', 'Ben', 'Ölçer', null, null, false, '2026-01-06T09:00:00Z', 2),
    ('00000000-0000-7000-8000-000000000001', 'b1', 'ida@example.org', 'ida', 'instructor', 'Ida', 'Rhodes', null, null, true, '2026-01-05T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', 'b2', 'ivo@example.org', 'ivo', 'instructor', 'Ivo', '100%', null, null, true, '2026-01-04T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', 'c1', 'audit@example.org', null, 'auditor', 'Odd', 'Auditor', null, null, true, '2026-01-03T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', 'd1', 'admin@example.org', null, 'admin', 'Ann', 'Admin', null, null, true, '2026-01-02T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', 'e1', 'root@example.org', null, 'superadmin', 'Sue', 'Root', null, null, true, '2026-01-01T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000002', 'f1', 'else@example.org', null, 'learner', 'Some', 'Stranger', null, null, true, '2026-01-01T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000002', 'f2', 'boss@example.org', null, 'admin', 'Strange', 'Admin', null, null, true, '2026-01-01T09:00:00Z', 1)
) as account (tenant, suffix, email, username, role, first_name, last_name, bio, avatar_url, is_active, created_at, version);

insert into read.account_list_logins (tenant_id, account_id, last_login_at) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000000a1', '2026-01-30T08:00:00Z'),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-0000000000f1', '2026-01-30T08:00:00Z');

insert into read.session_trail (tenant_id, session_id, account_id, scope, started_at, refreshed_at, expires_at,
    ended_at, reason, address, agent, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000010a1', '00000000-0000-7000-8000-0000000000a1', 'full', '2026-01-30T08:00:00Z', '2026-01-30T08:15:00Z', '2999-01-01T00:00:00Z', null, null, '192.0.2.1', 'curl/8', 2),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000010a9', '00000000-0000-7000-8000-0000000000a1', 'full', '2026-01-29T08:00:00Z', null, '2999-01-01T00:00:00Z', '2026-01-29T09:00:00Z', 'logged_out', '192.0.2.1', 'curl/8', 2),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000010a8', '00000000-0000-7000-8000-0000000000a1', 'full', '2026-01-02T08:00:00Z', null, '2026-01-09T08:00:00Z', null, null, null, null, 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000010d1', '00000000-0000-7000-8000-0000000000d1', 'full', '2026-01-28T08:00:00Z', null, '2999-01-01T00:00:00Z', null, null, '2001:db8::1', null, 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-0000000010f1', '00000000-0000-7000-8000-0000000000f1', 'full', '2026-01-30T08:00:00Z', null, '2999-01-01T00:00:00Z', null, null, null, null, 1);

insert into read.category_list (tenant_id, category_id, name, description, created_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000006001', 'Programming', 'Making machines do it', '2026-01-10T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000006002', 'Crafts', null, '2026-01-11T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000006003', 'Elsewhere', null, '2026-01-11T09:00:00Z', 1);

insert into read.course_catalogue (tenant_id, course_id, owner_id, category_id, title, description, thumbnail_url,
    price_minor, currency, status, lessons, avg_rating, created_at, updated_at, published_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', '00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-000000006001', 'Rust for Everyone', 'Ownership without tears', 'https://img.example/rust.png', 4999, 'EUR', 'published', 3, 4.5, '2026-01-12T09:00:00Z', '2026-01-13T09:00:00Z', '2026-01-13T09:00:00Z', 6),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005002', '00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-000000006002', 'Baking Größe L', 'Bread and rust-free tins', null, 0, null, 'published', 1, null, '2026-01-14T09:00:00Z', '2026-01-15T09:00:00Z', '2026-01-15T09:00:00Z', 3),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005003', '00000000-0000-7000-8000-0000000000b1', null, 'Not Yet', null, null, 0, null, 'draft', 0, null, '2026-01-16T09:00:00Z', '2026-01-16T09:00:00Z', null, 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005004', '00000000-0000-7000-8000-0000000000b1', null, 'Latin', null, null, 0, null, 'archived', 1, null, '2026-01-08T09:00:00Z', '2026-01-20T09:00:00Z', '2026-01-09T09:00:00Z', 4),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000005005', '00000000-0000-7000-8000-0000000000f2', null, 'Rust elsewhere', null, null, 0, null, 'published', 0, null, '2026-01-08T09:00:00Z', '2026-01-08T09:00:00Z', '2026-01-08T09:00:00Z', 1);

insert into read.category_list_courses (tenant_id, course_id, category_id, status)
select tenant_id, course_id, category_id, status
from read.course_catalogue;

insert into read.course_catalogue_students (tenant_id, course_id, total_students) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005004', 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000005005', 9);

insert into read.course_detail (tenant_id, course_id, lesson_id, order_index, title, content_type, content, url,
    preview, created_at) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', '00000000-0000-7000-8000-000000007001', 1, 'Welcome', 'text', 'Hello.', null, true, '2026-01-12T10:00:00Z'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', '00000000-0000-7000-8000-000000007002', 2, 'Borrowing', 'video', null, 'https://video.example/2', false, '2026-01-12T11:00:00Z'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', '00000000-0000-7000-8000-000000007003', 3, 'Lifetimes', 'text', 'A secret.', null, false, '2026-01-12T12:00:00Z'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005004', '00000000-0000-7000-8000-000000007004', 1, 'Salve', 'text', 'Amo.', null, false, '2026-01-08T12:00:00Z'),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000005005', '00000000-0000-7000-8000-000000007005', 1, 'Elsewhere', 'text', 'Theirs.', null, true, '2026-01-08T12:00:00Z');

insert into read.enrollment_progress (tenant_id, enrollment_id, learner_id, course_id, basis, payment_id,
    progress_percent, completed_lessons, enrolled_at, last_activity_at, completed_at, version) values
    ('00000000-0000-7000-8000-000000000001', '{ada_in_rust}', '00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000005001', 'payment', '00000000-0000-7000-8000-000000009001', 66, 2, '2026-01-20T10:00:00Z', '2026-01-22T10:00:00Z', null, 3),
    ('00000000-0000-7000-8000-000000000001', '{ben_in_latin}', '00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-000000005004', 'free', null, 100, 1, '2026-01-10T10:00:00Z', '2026-01-11T10:00:00Z', '2026-01-11T10:00:00Z', 3),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-00000000e001', '00000000-0000-7000-8000-0000000000f1', '00000000-0000-7000-8000-000000005005', 'free', null, 0, 0, '2026-01-10T10:00:00Z', '2026-01-10T10:00:00Z', null, 1);

insert into read.enrollment_progress_lessons (tenant_id, enrollment_id, lesson_id, completed_at) values
    ('00000000-0000-7000-8000-000000000001', '{ada_in_rust}', '00000000-0000-7000-8000-000000007002', '2026-01-22T10:00:00Z'),
    ('00000000-0000-7000-8000-000000000001', '{ada_in_rust}', '00000000-0000-7000-8000-000000007001', '2026-01-21T10:00:00Z'),
    ('00000000-0000-7000-8000-000000000001', '{ben_in_latin}', '00000000-0000-7000-8000-000000007004', '2026-01-11T10:00:00Z'),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-00000000e001', '00000000-0000-7000-8000-000000007005', '2026-01-11T10:00:00Z');

insert into read.payment_list (tenant_id, payment_id, learner_id, course_id, enrollment_id, amount_minor, currency,
    status, provider, transaction_id, paid_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009001', '00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000005001', '{ada_in_rust}', 4999, 'EUR', 'completed', 'dummy', 'TXN-0123456789AB', '2026-01-20T10:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000009002', '00000000-0000-7000-8000-0000000000f1', '00000000-0000-7000-8000-000000005005', '00000000-0000-7000-8000-00000000e001', 1, 'EUR', 'completed', 'dummy', 'TXN-FFFFFFFFFFFF', '2026-01-20T10:00:00Z', 1);

insert into read.assessment_list (tenant_id, assessment_id, author_id, course_id, title, kind, item_count,
    pass_percent, time_limit_seconds, max_attempts, definition, created_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000008001', '00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-000000005001', 'At the desk', 'sjt', 2, 50, 600, 2, '{"title": "At the desk", "kind": "sjt", "items": [{"id": "q1", "prompt": "The tests fail.", "options": [{"id": "a", "text": "Read them", "score": 2}, {"id": "b", "text": "Delete them", "score": 0}]}, {"id": "q2", "prompt": "Say why.", "options": []}], "pass_percent": 50, "time_limit_seconds": 600, "max_attempts": 2}', '2026-01-18T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000008002', '00000000-0000-7000-8000-0000000000d1', null, 'Dilemmas', 'jdt', 0, null, null, null, '{"title": "Dilemmas", "kind": "jdt", "items": [], "pass_percent": null, "time_limit_seconds": null, "max_attempts": null}', '2026-01-17T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000008003', '00000000-0000-7000-8000-0000000000f2', null, 'Elsewhere', 'jdt', 0, null, null, null, '{"title": "Elsewhere", "kind": "jdt", "items": [], "pass_percent": null, "time_limit_seconds": null, "max_attempts": null}', '2026-01-17T09:00:00Z', 1);

insert into read.submission_list (tenant_id, submission_id, attempts_id, assessment_id, course_id, learner_id, attempt,
    answers, score, max_score, passed, submitted_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-00000000a001', '00000000-0000-7000-8000-00000000a0ff', '00000000-0000-7000-8000-000000008001', '00000000-0000-7000-8000-000000005001', '00000000-0000-7000-8000-0000000000a1', 1, '[{"item_id": "q1", "option_id": "b"}, {"item_id": "q2", "text": "I was tired."}]', 0, 2, false, '2026-01-23T09:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-00000000a002', '00000000-0000-7000-8000-00000000a0ff', '00000000-0000-7000-8000-000000008001', '00000000-0000-7000-8000-000000005001', '00000000-0000-7000-8000-0000000000a1', 2, '[{"item_id": "q1", "option_id": "a"}]', 2, 2, true, '2026-01-24T09:00:00Z', 2),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-00000000a003', '00000000-0000-7000-8000-00000000a0fe', '00000000-0000-7000-8000-000000008003', null, '00000000-0000-7000-8000-0000000000f1', 1, '[]', null, null, null, '2026-01-24T09:00:00Z', 1);

insert into read.learner_dashboard_courses (tenant_id, enrollment_id, learner_id, course_id, progress_percent,
    last_activity_at, completed_at)
select tenant_id, enrollment_id, learner_id, course_id, progress_percent, last_activity_at, completed_at
from read.enrollment_progress;

insert into read.learner_dashboard_spending (tenant_id, learner_id, currency, payments, amount_minor)
select tenant_id, learner_id, currency, 1, amount_minor
from read.payment_list;

insert into read.learner_dashboard_submissions (tenant_id, learner_id, submissions, passed)
select tenant_id, learner_id, count(*), count(*) filter (where passed)
from read.submission_list
group by tenant_id, learner_id;

insert into read.instructor_dashboard_courses (tenant_id, course_id, owner_id, title, status, lessons, created_at)
select tenant_id, course_id, owner_id, title, status, lessons, created_at
from read.course_catalogue;

-- Days of the series: some long past, some within the last thirty.
insert into read.instructor_dashboard_students (tenant_id, course_id, day, enrollments, completions) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', (now() at time zone 'UTC')::date, 3, 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005004', (now() at time zone 'UTC')::date, 1, 0),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', '2020-01-01', 4, 2),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000005005', '2020-01-01', 9, 9);

insert into read.instructor_dashboard_revenue (tenant_id, course_id, day, currency, payments, amount_minor) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', (now() at time zone 'UTC')::date, 'EUR', 2, 9998),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000005001', '2020-01-01', 'USD', 1, 100),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000005005', '2020-01-01', 'EUR', 1, 1);

insert into read.admin_dashboard (tenant_id, metric, label, value) values
    ('00000000-0000-7000-8000-000000000001', 'accounts', 'learner', 2),
    ('00000000-0000-7000-8000-000000000001', 'accounts', 'instructor', 2),
    ('00000000-0000-7000-8000-000000000001', 'active_accounts', 'learner', 1),
    ('00000000-0000-7000-8000-000000000001', 'active_accounts', 'instructor', 2),
    ('00000000-0000-7000-8000-000000000001', 'courses', 'published', 2),
    ('00000000-0000-7000-8000-000000000001', 'courses', 'draft', 1),
    ('00000000-0000-7000-8000-000000000001', 'enrollments', '', 2),
    ('00000000-0000-7000-8000-000000000001', 'completions', '', 1),
    ('00000000-0000-7000-8000-000000000001', 'payments', 'EUR', 1),
    ('00000000-0000-7000-8000-000000000001', 'revenue', 'EUR', 4999),
    ('00000000-0000-7000-8000-000000000001', 'submissions', '', 2),
    ('00000000-0000-7000-8000-000000000001', 'passed', '', 1),
    ('00000000-0000-7000-8000-000000000002', 'accounts', 'learner', 99);

insert into read.admin_dashboard_accounts (tenant_id, account_id, role, is_active)
select tenant_id, account_id, role, is_active
from read.account_list;

insert into read.admin_dashboard_courses (tenant_id, course_id, status)
select tenant_id, course_id, status
from read.course_catalogue;

insert into read.analytics (tenant_id, metric, day, label, currency, count, amount_minor) values
    ('00000000-0000-7000-8000-000000000001', 'accounts', '2026-01-05', 'learner', '', 2, 0),
    ('00000000-0000-7000-8000-000000000001', 'accounts', '2026-01-05', 'admin', '', 1, 0),
    ('00000000-0000-7000-8000-000000000001', 'accounts', '2026-01-07', 'learner', '', 1, 0),
    ('00000000-0000-7000-8000-000000000001', 'enrollments', '2026-01-05', '', '', 2, 0),
    ('00000000-0000-7000-8000-000000000001', 'enrollments', '2026-01-12', '', '', 1, 0),
    ('00000000-0000-7000-8000-000000000001', 'completions', '2026-01-07', '', '', 1, 0),
    ('00000000-0000-7000-8000-000000000001', 'revenue', '2026-01-05', '', 'EUR', 1, 4999),
    ('00000000-0000-7000-8000-000000000001', 'revenue', '2026-01-07', '', 'EUR', 2, 200),
    ('00000000-0000-7000-8000-000000000001', 'revenue', '2026-01-07', '', 'USD', 1, 100),
    ('00000000-0000-7000-8000-000000000001', 'enrollments', (now() at time zone 'UTC')::date, '', '', 7, 0),
    ('00000000-0000-7000-8000-000000000002', 'enrollments', '2026-01-05', '', '', 99, 0);

insert into read.audit_trail (position, tenant_id, event_id, stream_type, stream_id, version, type, actor_id,
    recorded_at, data, metadata, leaf_hash)
select position, tenant::uuid, ('00000000-0000-7000-8000-00000000b0' || lpad(position::text, 2, '0'))::uuid,
    stream_type, ('00000000-0000-7000-8000-00000000' || stream)::uuid, version, type,
    ('00000000-0000-7000-8000-0000000000' || actor)::uuid, recorded_at::timestamptz,
    '{}', json_build_object('actor_id', '00000000-0000-7000-8000-0000000000' || actor), sha256(convert_to(position::text, 'UTF8'))
from (values
    (1, '00000000-0000-7000-8000-000000000001', 'account', '00a1', 1, 'registrar.account.registered.v1', 'a1', '2026-01-07T09:00:00Z'),
    (2, '00000000-0000-7000-8000-000000000002', 'account', '00f1', 1, 'registrar.account.registered.v1', 'f1', '2026-01-07T10:00:00Z'),
    (3, '00000000-0000-7000-8000-000000000001', 'course', '5001', 1, 'registrar.course.created.v1', 'b1', '2026-01-12T09:00:00Z'),
    (4, '00000000-0000-7000-8000-000000000001', 'course', '5001', 2, 'registrar.course.published.v1', 'd1', '2026-01-13T09:00:00Z'),
    (5, '00000000-0000-7000-8000-000000000001', 'account', '00a1', 2, 'registrar.account.profile_changed.v1', 'a1', '2026-01-14T00:00:00Z')
) as event (position, tenant, stream_type, stream, version, type, actor, recorded_at);

insert into read.audit_trail_subjects (tenant_id, subject_id, position) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000000a1', 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-0000000000f1', 2),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000000b1', 3),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-0000000000a1', 5);

insert into read.parked_streams (projection, tenant_id, stream_type, stream_id, position, reason, parked_at) values
    ('payment_list', '00000000-0000-7000-8000-000000000001', 'payment', '00000000-0000-7000-8000-000000009009', 9, 'broken', '2026-01-30T09:00:00Z'),
    ('payment_list', '00000000-0000-7000-8000-000000000002', 'payment', '00000000-0000-7000-8000-000000009008', 8, 'broken', '2026-01-30T09:00:00Z');

insert into read.parked_events (projection, position, tenant_id, stream_type, stream_id, event, reason, parked_at) values
    ('payment_list', 9, '00000000-0000-7000-8000-000000000001', 'payment', '00000000-0000-7000-8000-000000009009', '{}', 'broken', '2026-01-30T09:00:00Z');

insert into read.invitation_list (tenant_id, invitation_id, account_id, email, role, invited_by, created_at, expires_at,
    accepted_at, revoked_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009001', '00000000-0000-7000-8000-0000000000a1', 'ada@example.org', 'learner', '00000000-0000-7000-8000-0000000000d1', '2026-01-06T09:00:00Z', '2026-01-13T09:00:00Z', '2026-01-07T09:00:00Z', null, 2),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009002', '00000000-0000-7000-8000-000000000091', 'cay@example.org', 'auditor', '00000000-0000-7000-8000-0000000000e1', '2026-01-07T09:00:00Z', '2999-01-01T00:00:00Z', null, null, 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009003', '00000000-0000-7000-8000-000000000092', 'dee@example.org', 'learner', '00000000-0000-7000-8000-0000000000d1', '2026-01-08T09:00:00Z', '2026-01-15T09:00:00Z', null, null, 1),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009004', '00000000-0000-7000-8000-000000000093', null, 'learner', '00000000-0000-7000-8000-0000000000d1', '2026-01-09T09:00:00Z', '2026-01-16T09:00:00Z', null, '2026-01-10T09:00:00Z', 2),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000009005', '00000000-0000-7000-8000-000000000094', 'far@example.org', 'learner', '00000000-0000-7000-8000-0000000000f2', '2026-01-06T09:00:00Z', '2999-01-01T00:00:00Z', null, null, 1);

insert into read.account_import_list (tenant_id, import_id, started_by, dry_run, bytes, state, failure, accepted, refused,
    errors, started_at, updated_at, ended_at, version) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009101', '00000000-0000-7000-8000-0000000000d1', false, 2048, 'finished', null, 40, 2, '[{"line": 7, "column": "email", "code": "taken"}, {"line": 9, "column": null, "code": "columns"}]', '2026-01-10T09:00:00Z', '2026-01-10T09:00:05Z', '2026-01-10T09:00:05Z', 3),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000009102', '00000000-0000-7000-8000-0000000000d1', true, 512, 'running', null, 0, 0, '[]', '2026-01-11T09:00:00Z', '2026-01-11T09:00:00Z', null, 1),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000009103', '00000000-0000-7000-8000-0000000000f2', false, 64, 'failed', 'list_lost', 0, 0, '[]', '2026-01-10T09:00:00Z', '2026-01-10T09:00:05Z', '2026-01-10T09:00:05Z', 2);
insert into read.tenant_list (tenant_id, slug, name, registration, settings, created_at, updated_at, version) values
    ('00000000-0000-7000-8000-000000000001', 'default', 'Default', 'open', '{}', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 1),
    ('00000000-0000-7000-8000-000000000002', 'north', 'Northern Academy', 'invite', '{"colour": "#004488"}', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z', 2);

insert into read.audit_trail_sessions (tenant_id, session_id, account_id) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-00000000c0a1', '00000000-0000-7000-8000-0000000000a1'),
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-00000000c0f1', '00000000-0000-7000-8000-0000000000f1');
