drop table read.course_catalogue_students;
drop table read.course_catalogue;

delete from read.projections where name = 'course_catalogue';
delete from read.parked_events where projection = 'course_catalogue';
delete from read.parked_streams where projection = 'course_catalogue';
