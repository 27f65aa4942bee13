-- Lists of people that wait to become accounts: work, not history. A list is sealed, and gone when its job has ended;
-- what became of it is in the log.

create table log.account_imports (
    import_id uuid primary key,
    tenant_id uuid not null,
    -- In whose name the accounts are made.
    actor_id uuid not null,
    actor_role text not null,
    -- The organisation that they are of, where they act in another.
    actor_tenant_id uuid,
    session_id uuid not null,
    correlation_id uuid not null,
    -- Which hold on the job is the last, and until when nobody else may take it.
    holder uuid not null,
    lease_until timestamptz not null
);

create table log.account_import_chunks (
    import_id uuid not null references log.account_imports on delete cascade,
    number int not null,
    content bytea not null,
    primary key (import_id, number)
);

grant select, insert, update, delete on log.account_imports to registrar_command;
grant select, insert, delete on log.account_import_chunks to registrar_command;
