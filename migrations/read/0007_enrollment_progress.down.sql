drop table read.enrollment_progress_lessons;
drop table read.enrollment_progress;

delete from read.projections where name = 'enrollment_progress';
delete from read.parked_events where projection = 'enrollment_progress';
delete from read.parked_streams where projection = 'enrollment_progress';
