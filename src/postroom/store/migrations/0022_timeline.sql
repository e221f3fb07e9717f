-- What held messages up, and what callbacks answered: kept when it is over, so that it can be asked for afterwards.
-- A row is of many messages at once. Days go when those of the events go.

-- Messages of a request that were put off: given back to the queue without an attempt, held, or taken up again.
create table put_off (
    account_id     bigint not null,
    occurred_on    date not null,
    occurred_at    timestamptz not null,
    request_id     uuid not null,
    first_position integer not null,
    last_position  integer not null,
    positions      integer[],                     -- null: all from the first to the last
    due_at         timestamptz,                   -- when they come again; null: no time is set
    reason         text not null,                 -- events.put_offs.Reason
    place          text not null default ''       -- the site, route or process that it was about
) partition by range (occurred_on);
create index put_off_by_message on put_off (account_id, request_id);

-- A batch that was posted to a callback, and how it ended.
create table webhook_attempt (
    account_id     bigint not null,
    occurred_on    date not null,
    occurred_at    timestamptz not null,          -- of the answer, or of giving up waiting for it
    milliseconds   integer not null,              -- from the request to that
    callback_id    uuid not null,
    callback_name  text not null,
    webhook_id     text not null,                 -- as in the header
    attempt        integer not null,              -- 1 and up in a row of failures
    status         smallint not null,             -- of HTTP; 0: no answer
    problem        text not null default '',
    event_ids      bigint[] not null,
    span           int8range not null             -- from the lowest of them to the highest: finds them
) partition by range (occurred_on);
create index webhook_attempt_by_event on webhook_attempt using gist (span);

-- When the one relay could not be reached, as a delivery process saw it. Nothing is claimed meanwhile, so no message
-- has a row about it.
create table relay_outage (
    outage_id      bigint generated always as identity primary key,
    relay          text not null,
    since          timestamptz not null,
    seen_until     timestamptz not null,          -- written now and then while it lasts
    reply          text not null
);
create index relay_outage_by_time on relay_outage (seen_until);

-- When a definition with accepted messages was not active.
create table definition_pause (
    account_id     bigint not null references account on delete cascade,
    definition_id  uuid not null,
    since          timestamptz not null,
    until          timestamptz,                   -- null: it is not active now
    primary key (account_id, definition_id, since)
);

-- Whose lease ran out, and when, before the current one: null when it was given back or there was none.
alter table queue
    add column lost_owner text,
    add column lost_at    timestamptz;

create or replace function ensure_day_partitions(first date, last date) returns void language plpgsql as $$
declare
    day date := first;
    parent text;
begin
    -- Server processes start together; the second waits and finds the work done.
    perform pg_advisory_xact_lock(hashtextextended('ensure_day_partitions', 0));
    while day <= last loop
        -- In the order in which everything else locks them; making a partition locks the whole table for a moment.
        foreach parent in array array['message', 'send_request', 'event', 'put_off', 'webhook_attempt'] loop
            if to_regclass(format('%I', parent || to_char(day, '_YYYYMMDD'))) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)',
                               parent || to_char(day, '_YYYYMMDD'), parent, day, day + 1);
            end if;
        end loop;
        day := day + 1;
    end loop;
end $$;
