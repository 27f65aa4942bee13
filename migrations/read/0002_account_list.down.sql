drop table read.account_list_logins;
drop table read.account_list;
drop function read.fold(text);

delete from read.projections where name = 'account_list';
delete from read.parked_events where projection = 'account_list';
delete from read.parked_streams where projection = 'account_list';
