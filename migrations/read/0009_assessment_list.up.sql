-- Every assessment with all that it asks.

create table read.assessment_list (
    tenant_id          uuid        not null,
    assessment_id      uuid        not null,
    author_id          uuid        not null,
    course_id          uuid,
    title              text        not null,
    kind               text        not null,
    item_count         integer     not null,
    pass_percent       smallint,
    time_limit_seconds bigint,
    max_attempts       bigint,
    -- As the event has it, scores of the options included: learners are not shown those.
    definition         jsonb       not null,
    created_at         timestamptz not null,
    version            bigint      not null,
    primary key (tenant_id, assessment_id)
);

create index assessment_list_newest on read.assessment_list (tenant_id, created_at desc, assessment_id desc);
create index assessment_list_of_a_course
    on read.assessment_list (tenant_id, course_id, created_at desc, assessment_id desc);
create index assessment_list_of_an_author
    on read.assessment_list (tenant_id, author_id, created_at desc, assessment_id desc);

call read.isolate('read.assessment_list');

insert into read.projections (name) values ('assessment_list');
