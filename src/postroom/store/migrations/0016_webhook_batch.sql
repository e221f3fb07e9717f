-- The end of the batch that is on its way to a callback, written before it is sent: whoever sends it again, after a
-- failure or the death of the process, cuts the same one, and receivers know it by its webhook-id.
alter table callback
    add column batch_xid   xid8,
    add column batch_event bigint,
    add column batch_at    timestamptz;
