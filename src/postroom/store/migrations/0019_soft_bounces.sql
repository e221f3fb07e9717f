-- Soft bounces counted by address (audience/soft_bounces.py), only where POSTROOM_SOFT_BOUNCES asks for it. A row ends
-- when a mail was delivered to the address or it is suppressed.
create table soft_bounce (
    account_id    bigint not null references account on delete cascade,
    address_hash  bytea not null,                 -- as in suppression
    bounces       integer not null,
    first_at      timestamptz not null,
    last_at       timestamptz not null,
    primary key (account_id, address_hash)
);

-- Mails that were handed over to such an address and of which no bounce has come yet.
create table soft_bounce_sent (
    account_id    bigint not null,
    address_hash  bytea not null,
    request_id    uuid not null,
    position      integer not null,
    sent_at       timestamptz not null,
    primary key (account_id, address_hash, request_id, position),
    foreign key (account_id, address_hash) references soft_bounce on delete cascade
);

-- Set with the first count of a business unit and never taken back: the others are not looked up at all.
alter table account add column counts_bounces boolean not null default false;
