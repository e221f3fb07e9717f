-- The page of a mail whose template asked a site when it was sent: made again it would ask again, and may read another
-- answer. Only mails that carry the link to their page have one. It lasts as long as its message.
create table kept_page (
    account_id     bigint not null,
    accepted_on    date not null,
    request_id     uuid not null,
    position       integer not null,
    page           bytea not null,                -- zlib of UTF-8
    primary key (account_id, accepted_on, request_id, position)
) partition by range (accepted_on);
alter table kept_page alter column page set storage external;

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
        foreach parent in array
            array['message', 'send_request', 'event', 'put_off', 'webhook_attempt', 'kept_page']
        loop
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

-- Messages of days before this are sent after it.
do $$
declare
    child record;
begin
    for child in
        select to_date(right(c.relname, 8), 'YYYYMMDD') as day
        from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
        where p.relname = 'message' and c.relkind = 'r'
    loop
        perform ensure_day_partitions(child.day, child.day);
    end loop;
end $$;
