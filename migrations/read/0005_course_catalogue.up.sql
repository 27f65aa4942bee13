-- The courses as they are looked for. Lessons are in course_detail.

create table read.course_catalogue (
    tenant_id     uuid             not null,
    course_id     uuid             not null,
    owner_id      uuid             not null,
    category_id   uuid,
    title         text             not null,
    description   text,
    thumbnail_url text,
    -- Zero where it is free, so that prices sort and compare.
    price_minor   bigint           not null,
    -- Null where no price was ever given.
    currency      text,
    status        text             not null,
    lessons       integer          not null,
    avg_rating    double precision,
    created_at    timestamptz      not null,
    updated_at    timestamptz      not null,
    published_at  timestamptz,
    version       bigint           not null,
    -- Words in lower case whatever the database's locale is; a query lowers its words the same way. There is no index
    -- on it: under row-level security an operator that is not leakproof cannot use one, and a tenant's catalogue is small.
    search        tsvector         not null generated always as (
        setweight(to_tsvector('simple', lower(title collate pg_c_utf8)), 'A')
        || setweight(to_tsvector('simple', lower(coalesce(description, '') collate pg_c_utf8)), 'B')
    ) stored,
    primary key (tenant_id, course_id)
);

create index course_catalogue_newest on read.course_catalogue (tenant_id, status, created_at desc, course_id desc);
create index course_catalogue_by_title on read.course_catalogue (tenant_id, status, title, course_id);
create index course_catalogue_by_price on read.course_catalogue (tenant_id, status, price_minor, course_id);
create index course_catalogue_of_a_category
    on read.course_catalogue (tenant_id, category_id, status, created_at desc, course_id desc);
create index course_catalogue_of_an_owner on read.course_catalogue (tenant_id, owner_id, created_at desc, course_id desc);

-- Apart from the course, because entering is another stream's event: either may come late, and neither is lost.
create table read.course_catalogue_students (
    tenant_id      uuid   not null,
    course_id      uuid   not null,
    total_students bigint not null,
    primary key (tenant_id, course_id)
);

create index course_catalogue_students_most
    on read.course_catalogue_students (tenant_id, total_students desc, course_id desc);

call read.isolate('read.course_catalogue');
call read.isolate('read.course_catalogue_students');

insert into read.projections (name) values ('course_catalogue');
