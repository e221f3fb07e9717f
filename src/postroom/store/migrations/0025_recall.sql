-- The site that a slice was given back for without an attempt (its PutOff.place), so that it can be called back early.
alter table queue add column waits_for text;
create index queue_waits_for on queue (account_id, waits_for, due_at) where waits_for is not null;
