drop table read.ended_sessions;

delete from read.projections where name = 'ended_sessions';
delete from read.parked_events where projection = 'ended_sessions';
delete from read.parked_streams where projection = 'ended_sessions';
