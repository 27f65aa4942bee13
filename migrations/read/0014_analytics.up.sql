-- Series by day, in UTC:
--
--   metric       label  currency  count        amount_minor
--   accounts     role   -         registered   0
--   enrollments  -      -         enrolled     0
--   completions  -      -         completed    0
--   withdrawals  -      -         left           0
--   revenue      -      currency  payments     minor units paid
--   submissions  -      -         handed in    0
--   passed       -      -         of which enough  0
--
-- A label or currency that is not needed is the empty text, since a key holds no null.

create table read.analytics (
    tenant_id    uuid   not null,
    metric       text   not null,
    day          date   not null,
    label        text   not null,
    currency     text   not null,
    count        bigint not null,
    amount_minor bigint not null,
    primary key (tenant_id, metric, day, label, currency)
);

call read.isolate('read.analytics');

insert into read.projections (name) values ('analytics');
