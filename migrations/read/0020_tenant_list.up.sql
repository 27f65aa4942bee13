-- The organisations of the installation. Each sees its own row. The directory of all of them, and the way from a name to
-- its organisation, are opened for one transaction by settings of their own, as the tenant is.

create table read.tenant_list (
    tenant_id    uuid        not null primary key,
    slug         text        not null unique,
    name         text        not null,
    registration text        not null,
    settings     jsonb       not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    version      bigint      not null
);

create index tenant_list_newest on read.tenant_list (created_at desc, tenant_id desc);

call read.isolate('read.tenant_list');

create policy directory on read.tenant_list for select to registrar_query
    using (current_setting('registrar.tenant_directory', true) = 'open');
create policy named on read.tenant_list for select to registrar_query
    using (current_setting('registrar.tenant_name', true) in (slug, tenant_id::text));

insert into read.projections (name) values ('tenant_list');
