#!/bin/sh
# Once, when the data folder of PostgreSQL is new: the two databases, and for each process a user that may do what the
# migrations grant to its group role, and nothing else.
set -eu

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
    --set=command="$(cat "$PASSWORDS/command.password")" \
    --set=projector="$(cat "$PASSWORDS/projector.password")" \
    --set=query="$(cat "$PASSWORDS/query.password")" <<'SQL'
create database registrar_log;
create database registrar_read;

create role registrar_command nologin;
create role registrar_projector nologin;
create role registrar_query nologin;

create user registrar_command_login password :'command' in role registrar_command;
create user registrar_projector_login password :'projector' in role registrar_projector;
create user registrar_query_login password :'query' in role registrar_query;
SQL
