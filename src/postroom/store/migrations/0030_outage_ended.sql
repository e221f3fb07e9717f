-- Whether the process that noted an outage has seen its end: without it the report of the queue called a relay away for
-- two minutes after it was back.
alter table relay_outage add column ended boolean not null default false;
