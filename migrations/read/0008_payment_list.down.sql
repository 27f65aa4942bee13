drop table read.payment_list;

delete from read.projections where name = 'payment_list';
delete from read.parked_events where projection = 'payment_list';
delete from read.parked_streams where projection = 'payment_list';
