-- Takes what a rebuild that was broken off has left along.
do $$
declare
    projection text;
begin
    for projection in select name from read.projections loop
        call read.end_rebuild(projection);
    end loop;
end
$$;

drop procedure read.swap_rebuild(text, text[]);
drop procedure read.finish_rebuild(text, text[]);
drop procedure read.build_index(text, text);
drop procedure read.begin_rebuild(text, text[], text[]);
drop procedure read.end_rebuild(text);
drop table read.skipped_events;
