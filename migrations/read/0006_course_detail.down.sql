drop table read.course_detail;

delete from read.projections where name = 'course_detail';
delete from read.parked_events where projection = 'course_detail';
delete from read.parked_streams where projection = 'course_detail';
