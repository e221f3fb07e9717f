-- What the rest of the wire contract keeps: limits of clients, replies of sends that may be repeated, the order in
-- which not-sent events became visible, folders and files of Content Builder.

alter table api_client add column rate_per_minute integer check (rate_per_minute > 0);  -- null: as many as it likes

-- A cursor over committed events must not pass one that commits late under a lower number: they are read in the
-- order of their transactions, and only those that no running transaction can still precede.
create index event_not_sent_as_committed on event (account_id, committed_in, event_id) where kind = 'not_sent';

-- The reply of an accepted send with an Idempotency-Key, committed together with its messages.
create table idempotency_key (
    account_id       bigint not null references account on delete cascade,
    idempotency_key  text not null,
    fingerprint      bytea not null,               -- SHA-256 of what was asked for
    reply            bytea not null,
    created_at       timestamptz not null default now(),
    primary key (account_id, idempotency_key)
);
create index idempotency_key_by_age on idempotency_key (account_id, created_at);

create table asset_category (
    account_id    bigint not null references account on delete cascade,
    category_id   bigint generated always as identity,
    parent_id     bigint not null,                 -- 0 for the root
    name          text not null,
    description   text not null default '',
    created_at    timestamptz not null default now(),
    primary key (account_id, category_id)
);
create unique index asset_category_by_name on asset_category (account_id, parent_id, lower(name collate "C"));

insert into asset_category (account_id, parent_id, name) select account_id, 0, 'Content Builder' from account;

alter table asset add column category_id bigint;   -- as the client sent it; null: the root

update asset set category_id = (document->'category'->>'id')::bigint
 where document->'category'->>'id' ~ '^[0-9]{1,18}$';

-- The bytes of an image, served to anybody who has its URL; the key in it can't be guessed.
create table asset_file (
    account_id    bigint not null,
    asset_id      bigint not null,
    public_key    uuid not null default gen_random_uuid(),
    name          text not null,
    media_type    text not null,
    content       bytea not null,
    primary key (account_id, asset_id),
    unique (account_id, public_key),
    foreign key (account_id, asset_id) references asset on delete cascade
);
