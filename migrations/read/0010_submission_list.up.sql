-- Every attempt that was handed in.

create table read.submission_list (
    tenant_id     uuid        not null,
    submission_id uuid        not null,
    -- The stream of all attempts of this learner at this assessment.
    attempts_id   uuid        not null,
    assessment_id uuid        not null,
    course_id     uuid,
    learner_id    uuid        not null,
    attempt       bigint      not null,
    answers       jsonb       not null,
    -- Null while a person has yet to judge.
    score         bigint,
    max_score     bigint,
    -- Null where the assessment sets no bar too.
    passed        boolean,
    -- Whether the result was carried over from an earlier time that the learner took the course.
    banked        boolean     not null default false,
    submitted_at  timestamptz not null,
    version       bigint      not null,
    primary key (tenant_id, submission_id)
);

create index submission_list_newest on read.submission_list (tenant_id, submitted_at desc, submission_id desc);
create index submission_list_of_a_learner
    on read.submission_list (tenant_id, learner_id, submitted_at desc, submission_id desc);
create index submission_list_of_an_assessment
    on read.submission_list (tenant_id, assessment_id, submitted_at desc, submission_id desc);

call read.isolate('read.submission_list');

insert into read.projections (name) values ('submission_list');
