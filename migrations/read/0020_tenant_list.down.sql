drop table read.tenant_list;

delete from read.projections where name = 'tenant_list';
delete from read.parked_events where projection = 'tenant_list';
delete from read.parked_streams where projection = 'tenant_list';
