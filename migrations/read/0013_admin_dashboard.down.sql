drop table read.admin_dashboard_courses;
drop table read.admin_dashboard_accounts;
drop table read.admin_dashboard;

delete from read.projections where name = 'admin_dashboard';
delete from read.parked_events where projection = 'admin_dashboard';
delete from read.parked_streams where projection = 'admin_dashboard';
