-- Who there is. Texts are null once the person was erased.

-- A text as it is searched: without accents (the marks that a letter is decomposed into, U+0300 to U+036F) and without
-- case (Unicode's full folding: straße is found as STRASSE), whatever the database's locale is.
create function read.fold(text) returns text
    language sql
    immutable
    strict
    parallel safe
    return regexp_replace(casefold(normalize($1, nfkd) collate pg_unicode_fast), '[\u0300-\u036f]', '', 'g');

create table read.account_list (
    tenant_id         uuid        not null,
    account_id        uuid        not null,
    email             text,
    username          text,
    role              text        not null,
    first_name        text,
    last_name         text,
    bio               text,
    avatar_url        text,
    is_active         boolean     not null,
    portal_access     boolean     not null,
    must_set_password boolean     not null,
    -- The end of the temporary password, where it has one.
    temporary_until   timestamptz,
    -- Until when log-ins are turned away, where too many have failed.
    locked_until      timestamptz,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    version           bigint      not null,
    -- What a search looks in.
    search            text        generated always as (
        read.fold(
            coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, '')
            || ' ' || coalesce(username, '')
        )
    ) stored,
    primary key (tenant_id, account_id)
);

create index account_list_newest on read.account_list (tenant_id, created_at desc, account_id desc);
create index account_list_by_role on read.account_list (tenant_id, role, created_at desc, account_id desc);

-- Apart from the account, because logging in is another stream's event: either may come late, and neither is lost.
create table read.account_list_logins (
    tenant_id     uuid        not null,
    account_id    uuid        not null,
    last_login_at timestamptz not null,
    primary key (tenant_id, account_id)
);

call read.isolate('read.account_list');
call read.isolate('read.account_list_logins');

insert into read.projections (name) values ('account_list');
