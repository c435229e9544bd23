-- Keys may begin with seq 0.
alter table ordered_progress drop constraint if exists ordered_progress_seq;
alter table ordered_progress add constraint ordered_progress_seq check (last_seq between 0 and 9007199254740991);
alter table ordered_repairs drop constraint if exists ordered_repairs_range;
alter table ordered_repairs add constraint ordered_repairs_range
    check (from_seq between 0 and to_seq and to_seq <= 9007199254740991);
