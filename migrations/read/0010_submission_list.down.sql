drop table read.submission_list;

delete from read.projections where name = 'submission_list';
delete from read.parked_events where projection = 'submission_list';
delete from read.parked_streams where projection = 'submission_list';
