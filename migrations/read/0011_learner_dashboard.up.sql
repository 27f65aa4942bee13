-- What a learner's first page adds up. A learner has few courses: counts and averages over them are made when asked for.

create table read.learner_dashboard_courses (
    tenant_id        uuid        not null,
    enrollment_id    uuid        not null,
    learner_id       uuid        not null,
    course_id        uuid        not null,
    progress_percent smallint    not null,
    last_activity_at timestamptz not null,
    completed_at     timestamptz,
    is_withdrawn     boolean     not null default false,
    primary key (tenant_id, enrollment_id)
);

create index learner_dashboard_courses_of_a_learner
    on read.learner_dashboard_courses (tenant_id, learner_id, last_activity_at desc);

create table read.learner_dashboard_spending (
    tenant_id    uuid   not null,
    learner_id   uuid   not null,
    currency     text   not null,
    payments     bigint not null,
    amount_minor bigint not null,
    primary key (tenant_id, learner_id, currency)
);

create table read.learner_dashboard_submissions (
    tenant_id   uuid   not null,
    learner_id  uuid   not null,
    submissions bigint not null,
    passed      bigint not null,
    primary key (tenant_id, learner_id)
);

call read.isolate('read.learner_dashboard_courses');
call read.isolate('read.learner_dashboard_spending');
call read.isolate('read.learner_dashboard_submissions');

insert into read.projections (name) values ('learner_dashboard');
