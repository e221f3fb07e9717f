-- Event Notification Service: who is told of events, and how far each has been told.

-- The one order in which readers may follow the log: transactions that none still running can precede.
create index event_as_committed on event (account_id, committed_in, event_id);

create table callback (
    account_id       bigint not null references account on delete cascade,
    callback_id      uuid not null,
    name             text not null,
    url              text not null,
    max_batch_size   integer not null check (max_batch_size between 1 and 1000),
    signature_key    text not null,               -- base64 of 32 bytes; signing needs it readable
    verification_key text,                        -- null once used
    verify_until     timestamptz not null,
    verified_at      timestamptz,
    -- The place in the log: everything up to it was taken, dropped by a filter, or is older than events_from.
    cursor_xid       xid8 not null default pg_snapshot_xmin(pg_current_snapshot()),
    cursor_event     bigint not null default 0,
    cursor_at        timestamptz not null default now(),  -- when the event at the place occurred: says which days to read
    events_from      timestamptz not null default now(),
    patient_from     timestamptz not null default now(),  -- the days of trying count from here for what is older
    -- Trouble: attempts since the last success, and when the next is due.
    attempt          integer not null default 0,
    due_at           timestamptz not null default 'epoch',
    failing_since    timestamptz,
    last_error       text not null default '',
    owner            text,
    leased_until     timestamptz not null default '-infinity',
    created_at       timestamptz not null default now(),
    primary key (account_id, callback_id)
) with (fillfactor = 50);
create unique index callback_by_url on callback (account_id, url);

create table subscription (
    account_id       bigint not null references account on delete cascade,
    subscription_id  uuid not null,
    callback_id      uuid not null,
    name             text not null,
    event_types      text[] not null,
    filters          text[] not null default '{}',
    status           text not null default 'active' check (status in ('active', 'paused')),
    status_reason    text not null default 'none',
    events_from      timestamptz not null default now(),
    pauses           tstzmultirange not null default '{}',  -- what occurs in one is dropped
    created_at       timestamptz not null default now(),
    primary key (account_id, subscription_id),
    foreign key (account_id, callback_id) references callback
);
create unique index subscription_by_name on subscription (account_id, lower(name collate "C"));
create index subscription_by_callback on subscription (account_id, callback_id);
