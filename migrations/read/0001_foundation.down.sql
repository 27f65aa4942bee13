-- The schema and the roles stay: other things of this database or this cluster may stand on them.
drop table read.parked_events;
drop table read.parked_streams;
drop table read.log_head;
drop function read.enter(uuid, text[], text, text, text);
drop table read.projections;
drop procedure read.isolate(regclass);
drop function read.tenant();

alter default privileges in schema read
    revoke select, insert, update, delete on tables from registrar_projector;
alter default privileges in schema read
    revoke select on tables from registrar_query;
revoke usage on schema read from registrar_projector, registrar_query;
