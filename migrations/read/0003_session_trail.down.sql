drop table read.session_trail;

delete from read.projections where name = 'session_trail';
delete from read.parked_events where projection = 'session_trail';
delete from read.parked_streams where projection = 'session_trail';
