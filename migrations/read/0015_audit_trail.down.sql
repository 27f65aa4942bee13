drop table read.audit_trail_sessions;
drop table read.audit_trail_subjects;
drop table read.audit_trail;

delete from read.projections where name = 'audit_trail';
delete from read.parked_events where projection = 'audit_trail';
delete from read.parked_streams where projection = 'audit_trail';
