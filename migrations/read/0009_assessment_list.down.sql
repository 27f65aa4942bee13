drop table read.assessment_list;

delete from read.projections where name = 'assessment_list';
delete from read.parked_events where projection = 'assessment_list';
delete from read.parked_streams where projection = 'assessment_list';
