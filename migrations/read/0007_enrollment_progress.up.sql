-- Who is in which course, and how far.

create table read.enrollment_progress (
    tenant_id         uuid        not null,
    enrollment_id     uuid        not null,
    learner_id        uuid        not null,
    course_id         uuid        not null,
    -- What gave the right to enter: `free`, `payment` or `import`.
    basis             text        not null,
    payment_id        uuid,
    progress_percent  smallint    not null,
    completed_lessons integer     not null,
    enrolled_at       timestamptz not null,
    last_activity_at  timestamptz not null,
    completed_at      timestamptz,
    -- When the learner left; null while they are in the course.
    withdrawn_at      timestamptz,
    version           bigint      not null,
    primary key (tenant_id, enrollment_id)
);

create index enrollment_progress_of_a_learner
    on read.enrollment_progress (tenant_id, learner_id, enrolled_at desc, enrollment_id desc);
create index enrollment_progress_of_a_course
    on read.enrollment_progress (tenant_id, course_id, enrolled_at desc, enrollment_id desc);

create table read.enrollment_progress_lessons (
    tenant_id     uuid        not null,
    enrollment_id uuid        not null,
    lesson_id     uuid        not null,
    completed_at  timestamptz not null,
    primary key (tenant_id, enrollment_id, lesson_id)
);

call read.isolate('read.enrollment_progress');
call read.isolate('read.enrollment_progress_lessons');

insert into read.projections (name) values ('enrollment_progress');
