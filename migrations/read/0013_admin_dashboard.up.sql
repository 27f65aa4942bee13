-- What a tenant adds up to today, one row a number:
--
--   metric           label         value
--   accounts         role          accounts, active or not
--   active_accounts  role          accounts that may log in
--   courses          status        courses
--   enrollments      -             enrolments
--   completions      -             enrolments that were completed
--   withdrawals      -             times that a learner left a course
--   payments         currency      payments
--   revenue          currency      minor units paid
--   submissions      -             submissions
--   passed           -             submissions that passed
--
-- A label that is not needed is the empty text, since a key holds no null.

create table read.admin_dashboard (
    tenant_id uuid   not null,
    metric    text   not null,
    label     text   not null,
    value     bigint not null,
    primary key (tenant_id, metric, label)
);

-- What each account and course counted for, so that a change can be taken from one number and added to another.
create table read.admin_dashboard_accounts (
    tenant_id  uuid    not null,
    account_id uuid    not null,
    role       text    not null,
    is_active  boolean not null,
    primary key (tenant_id, account_id)
);

create table read.admin_dashboard_courses (
    tenant_id uuid not null,
    course_id uuid not null,
    status    text not null,
    primary key (tenant_id, course_id)
);

call read.isolate('read.admin_dashboard');
call read.isolate('read.admin_dashboard_accounts');
call read.isolate('read.admin_dashboard_courses');

insert into read.projections (name) values ('admin_dashboard');
