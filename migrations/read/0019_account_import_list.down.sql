drop table read.account_import_list;

delete from read.projections where name = 'account_import_list';
delete from read.parked_events where projection = 'account_import_list';
delete from read.parked_streams where projection = 'account_import_list';
