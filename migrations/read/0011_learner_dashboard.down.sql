drop table read.learner_dashboard_submissions;
drop table read.learner_dashboard_spending;
drop table read.learner_dashboard_courses;

delete from read.projections where name = 'learner_dashboard';
delete from read.parked_events where projection = 'learner_dashboard';
delete from read.parked_streams where projection = 'learner_dashboard';
