drop table read.invitation_list;

delete from read.projections where name = 'invitation_list';
delete from read.parked_events where projection = 'invitation_list';
delete from read.parked_streams where projection = 'invitation_list';
