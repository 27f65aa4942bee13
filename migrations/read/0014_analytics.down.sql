drop table read.analytics;

delete from read.projections where name = 'analytics';
delete from read.parked_events where projection = 'analytics';
delete from read.parked_streams where projection = 'analytics';
