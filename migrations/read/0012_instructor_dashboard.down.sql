drop table read.instructor_dashboard_revenue;
drop table read.instructor_dashboard_students;
drop table read.instructor_dashboard_courses;

delete from read.projections where name = 'instructor_dashboard';
delete from read.parked_events where projection = 'instructor_dashboard';
delete from read.parked_streams where projection = 'instructor_dashboard';
