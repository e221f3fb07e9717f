-- `create table ... partition of` locks its parent against everybody, so behind a long reader, such as pg_dump, all
-- accepts waited for the day to be made. Attaching a table that is there already lets readers and writers pass.
create or replace function ensure_day_partitions(first date, last date) returns void language plpgsql as $$
declare
    day date := first;
    parent text;
    child text;
begin
    -- Server processes start together; the second waits and finds the work done.
    perform pg_advisory_xact_lock(hashtextextended('ensure_day_partitions', 0));
    while day <= last loop
        -- In the order in which everything else locks them.
        foreach parent in array array['message', 'send_request', 'event', 'put_off', 'webhook_attempt'] loop
            child := parent || to_char(day, '_YYYYMMDD');
            if to_regclass(format('%I', child)) is null then
                execute format('create table %I (like %I including defaults including constraints'
                               ' including storage including compression)', child, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                               parent, child, day, day + 1);
            end if;
        end loop;
        day := day + 1;
    end loop;
end $$;
