-- What a course is made of: its lessons, with their content. Who may see which of it, the query API decides.

create table read.course_detail (
    tenant_id    uuid        not null,
    course_id    uuid        not null,
    lesson_id    uuid        not null,
    -- Place in the course, from 1.
    order_index  integer     not null,
    title        text        not null,
    content_type text        not null,
    content      text,
    url          text,
    preview      boolean     not null,
    created_at   timestamptz not null,
    primary key (tenant_id, course_id, lesson_id)
);

create index course_detail_in_order on read.course_detail (tenant_id, course_id, order_index, lesson_id);

call read.isolate('read.course_detail');

insert into read.projections (name) values ('course_detail');
