-- Every payment.

create table read.payment_list (
    tenant_id      uuid        not null,
    payment_id     uuid        not null,
    learner_id     uuid        not null,
    course_id      uuid        not null,
    enrollment_id  uuid        not null,
    amount_minor   bigint      not null,
    currency       text        not null,
    status         text        not null,
    provider       text        not null,
    -- The reference that people quote.
    transaction_id text        not null,
    paid_at        timestamptz not null,
    version        bigint      not null,
    primary key (tenant_id, payment_id)
);

create index payment_list_newest on read.payment_list (tenant_id, paid_at desc, payment_id desc);
create index payment_list_of_a_learner on read.payment_list (tenant_id, learner_id, paid_at desc, payment_id desc);
create index payment_list_of_a_course on read.payment_list (tenant_id, course_id, paid_at desc, payment_id desc);
create index payment_list_by_transaction on read.payment_list (tenant_id, transaction_id);

call read.isolate('read.payment_list');

insert into read.projections (name) values ('payment_list');
