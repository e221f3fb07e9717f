-- A slice that is due at infinity is held; they are few, and found without reading the queue.

create index queue_held on queue (account_id, request_id) where due_at = 'infinity';

-- Definitions with sending options of their own are few; what they have in the queue is looked at once a minute.

create index definition_version_with_options on definition_version (account_id, definition_id)
    where sending is not null;
