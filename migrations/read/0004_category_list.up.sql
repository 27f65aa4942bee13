-- The categories, and which course is in which, so that they can be counted.

create table read.category_list (
    tenant_id   uuid        not null,
    category_id uuid        not null,
    name        text        not null,
    description text,
    created_at  timestamptz not null,
    version     bigint      not null,
    primary key (tenant_id, category_id)
);

create index category_list_by_name on read.category_list (tenant_id, name, category_id);

create table read.category_list_courses (
    tenant_id   uuid not null,
    course_id   uuid not null,
    category_id uuid,
    status      text not null,
    primary key (tenant_id, course_id)
);

create index category_list_courses_of_a_category
    on read.category_list_courses (tenant_id, category_id, status);

call read.isolate('read.category_list');
call read.isolate('read.category_list_courses');

insert into read.projections (name) values ('category_list');
