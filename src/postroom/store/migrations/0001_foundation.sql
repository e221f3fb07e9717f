-- The tables of docs/flow.md. Hot and cold are kept apart: `message`, `send_request` and `event` are appended
-- once into day partitions, `queue` holds only what is still to do, everything else is small and changes rarely.
--
-- Keys the vendor matches without regard to case (message, definition, contact keys) are indexed as
-- lower(key collate "C"): ASCII letters fold, everything else is compared exactly, on every PostgreSQL alike.

-- Who ---------------------------------------------------------------------------------------------------------

create table account (
    account_id   bigint primary key,              -- the business unit's MID
    name         text not null,
    street       text not null default '',
    city         text not null default '',
    state        text not null default '',
    postal_code  text not null default '',
    country      text not null default '',
    created_at   timestamptz not null default now()
);

create table api_client (
    client_id    text primary key,
    account_id   bigint not null references account,
    name         text not null,
    secret_hash  text not null,                   -- argon2id; the secret itself is shown once and never stored
    scopes       text[] not null,
    created_at   timestamptz not null default now(),
    revoked_at   timestamptz
);
create index api_client_by_account on api_client (account_id);

create table server_secret (
    name         text primary key,
    value        bytea not null,
    created_at   timestamptz not null default now()
);

-- What can be sent --------------------------------------------------------------------------------------------

create table list (
    account_id   bigint not null references account,
    list_id      bigint generated always as identity,
    name         text not null,
    created_at   timestamptz not null default now(),
    primary key (account_id, list_id)
);
create unique index list_by_name on list (account_id, lower(name collate "C"));

create table classification (
    account_id         bigint not null references account,
    classification_key text not null,
    name               text not null,
    kind               text not null check (kind in ('transactional', 'commercial')),
    from_name          text not null default '',  -- empty: the server's POSTROOM_FROM_NAME
    from_address       text not null default '',  -- empty: the server's POSTROOM_FROM_ADDRESS
    reply_to           text not null default '',
    created_at         timestamptz not null default now(),
    primary key (account_id, classification_key)
);

create table asset (
    account_id   bigint not null references account,
    asset_id     bigint generated always as identity,
    customer_key text not null,
    object_id    uuid not null,
    asset_type   integer not null,
    name         text not null,
    description  text not null default '',
    content      text,
    views        json not null default '{}',
    document     json not null default '{}',      -- whatever else the client sent, given back as it came
    created_at   timestamptz not null default now(),
    modified_at  timestamptz not null default now(),
    primary key (account_id, asset_id)
);
create unique index asset_by_key on asset (account_id, lower(customer_key collate "C"));

create table definition (
    account_id             bigint not null references account,
    definition_id          uuid not null,
    definition_key         text not null,
    name                   text not null,
    description            text,
    status                 text not null check (status in ('New', 'Active', 'Inactive', 'Deleted')),
    classification_key     text not null,
    content_key            text not null,         -- content.customerKey: the asset the version was made from
    list_id                bigint not null,
    data_extension_key     text,
    auto_add_subscriber    boolean not null,
    update_subscriber      boolean not null,
    track_links            boolean not null,
    cc                     text[] not null default '{}',
    bcc                    text[] not null default '{}',
    version_id             bigint not null,       -- what a send accepted now is composed with
    created_at             timestamptz not null default now(),
    modified_at            timestamptz not null default now(),
    deleted_at             timestamptz,
    primary key (account_id, definition_id)
);
create unique index definition_by_key on definition (account_id, lower(definition_key collate "C"));
create unique index definition_by_name on definition (account_id, lower(name collate "C")) where status <> 'Deleted';

-- Immutable: a message is composed with the version it was accepted with, however the definition changes.
create table definition_version (
    account_id          bigint not null,
    version_id          bigint generated always as identity,
    definition_id       uuid not null,
    list_id             bigint not null,
    auto_add_subscriber boolean not null,
    update_subscriber   boolean not null,
    track_links         boolean not null,
    content             json not null,            -- content.model.Content, field by field
    created_at          timestamptz not null default now(),
    primary key (account_id, version_id)
);

-- Whom ---------------------------------------------------------------------------------------------------------

create table contact (
    account_id   bigint not null,
    contact_id   bigint generated always as identity,
    contact_key  text not null,
    address      text not null,
    profile      json not null default '{}',
    status       text not null default 'Active' check (status in ('Active', 'Bounced', 'Held', 'Unsubscribed', 'Deleted')),
    created_at   timestamptz not null default now(),
    modified_at  timestamptz not null default now(),
    primary key (account_id, contact_id)
);
create unique index contact_by_key on contact (account_id, lower(contact_key collate "C"));

-- The attributes of a send that are kept in the contact's profile; all others live and die with their message.
create table profile_attribute (
    account_id   bigint not null references account,
    name         text not null,
    primary key (account_id, name)
);

-- The way of a message ------------------------------------------------------------------------------------------

create sequence batch_id as bigint;

create table send_request (
    account_id     bigint not null,
    accepted_on    date not null,
    request_id     uuid not null,
    batch_id       bigint not null default nextval('batch_id'),
    definition_id  uuid not null,
    version_id     bigint not null,
    accepted_at    timestamptz not null,
    attributes     text,                          -- JSON as the client sent it, null when there was none
    primary key (account_id, accepted_on, request_id)
) partition by range (accepted_on);

create table message (
    account_id     bigint not null,
    accepted_on    date not null,
    request_id     uuid not null,
    position       integer not null,              -- place in the request's recipients
    message_key    text not null,
    contact_key    text not null,
    address        text not null,
    attributes     text,
    primary key (account_id, accepted_on, request_id, position)
) partition by range (accepted_on);
create unique index message_by_key on message (account_id, lower(message_key collate "C"), accepted_on);

-- One row is a slice of a request: positions first_position..last_position, or just those in `positions` when
-- it holds what was deferred. Positions without a message row were never accepted.
create table queue (
    account_id     bigint not null,
    slice_id       bigint generated always as identity,
    definition_id  uuid not null,
    lane           smallint not null,             -- 0 small requests, 1 batches: each lane gets its turn
    request_id     uuid not null,
    accepted_on    date not null,
    first_position integer not null,
    last_position  integer not null,
    positions      integer[],
    messages       integer not null,              -- how many of the positions were accepted
    attempt        integer not null default 0,    -- attempts already made for every message of the slice
    accepted_at    timestamptz not null,
    due_at         timestamptz not null,
    lease_owner    text,
    leased_until   timestamptz not null default '-infinity',
    fence          bigint not null default 0,     -- grows with every claim; a settlement must name the current one
    primary key (account_id, slice_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);
create index queue_by_lane on queue (account_id, definition_id, lane, due_at);
create index queue_by_request on queue (account_id, request_id);

create sequence event_id as bigint;

-- Append-only. A message's status is its latest status event; one without any is queued.
create table event (
    account_id     bigint not null,
    occurred_on    date not null,
    event_id       bigint not null default nextval('event_id'),
    committed_in   xid8 not null default pg_current_xact_id(),  -- readers stop short of what may still commit
    occurred_at    timestamptz not null,
    request_id     uuid not null,
    position       integer not null,
    definition_id  uuid not null,
    kind           text not null,
    contact_id     bigint,
    status_code    smallint,
    detail         text                            -- JSON: host, reply, TLS, reason
) partition by range (occurred_on);
create index event_by_message on event (account_id, request_id, position);
create index event_not_sent on event (account_id, event_id) where kind = 'not_sent';

-- Days ------------------------------------------------------------------------------------------------------------

-- The day an accept belongs to, and the lock that closes the race at midnight (docs/promises.md, "keys").
-- Within five minutes of midnight accepts of one account go one after another, so that the look at the other
-- day's keys sees every row committed before it. Elsewhere the margin is far longer than any accept may take
-- (statement_timeout), so no lock is needed.
create function accept_day(account bigint) returns date language plpgsql as $$
begin
    if abs(extract(epoch from (clock_timestamp() at time zone 'UTC')::time - time '12:00')) > 43200 - 300 then
        perform pg_advisory_xact_lock(hashtextextended('accept', account));
    end if;
    return (clock_timestamp() at time zone 'UTC')::date;
end $$;

create function ensure_day_partitions(first date, last date) returns void language plpgsql as $$
declare
    day date := first;
    parent text;
begin
    -- Server processes start together; the second waits and finds the work done.
    perform pg_advisory_xact_lock(hashtextextended('ensure_day_partitions', 0));
    while day <= last loop
        -- In the order in which everything else locks them; making a partition locks the whole table for a moment.
        foreach parent in array array['message', 'send_request', 'event'] loop
            if to_regclass(format('%I', parent || to_char(day, '_YYYYMMDD'))) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)',
                               parent || to_char(day, '_YYYYMMDD'), parent, day, day + 1);
            end if;
        end loop;
        day := day + 1;
    end loop;
end $$;
