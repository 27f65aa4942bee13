-- What an instructor's courses add up to. Days are kept, in UTC; totals are their sums.

create table read.instructor_dashboard_courses (
    tenant_id  uuid        not null,
    course_id  uuid        not null,
    owner_id   uuid        not null,
    title      text        not null,
    status     text        not null,
    lessons    integer     not null,
    created_at timestamptz not null,
    primary key (tenant_id, course_id)
);

create index instructor_dashboard_courses_of_an_owner
    on read.instructor_dashboard_courses (tenant_id, owner_id, created_at desc, course_id desc);

create table read.instructor_dashboard_students (
    tenant_id   uuid   not null,
    course_id   uuid   not null,
    day         date   not null,
    enrollments bigint not null,
    completions bigint not null,
    primary key (tenant_id, course_id, day)
);

create table read.instructor_dashboard_revenue (
    tenant_id    uuid   not null,
    course_id    uuid   not null,
    day          date   not null,
    currency     text   not null,
    payments     bigint not null,
    amount_minor bigint not null,
    primary key (tenant_id, course_id, day, currency)
);

call read.isolate('read.instructor_dashboard_courses');
call read.isolate('read.instructor_dashboard_students');
call read.isolate('read.instructor_dashboard_revenue');

insert into read.projections (name) values ('instructor_dashboard');
