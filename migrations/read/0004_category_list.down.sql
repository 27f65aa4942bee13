drop table read.category_list_courses;
drop table read.category_list;

delete from read.projections where name = 'category_list';
delete from read.parked_events where projection = 'category_list';
delete from read.parked_streams where projection = 'category_list';
