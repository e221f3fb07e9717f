-- Addresses that a business unit sends nothing to. The look-up is by keyed hash (audience/suppression.py), so that it is
-- the same for an address that is known and for one that was erased, of which only the hash is kept.
create table suppression (
    account_id     bigint not null references account on delete cascade,
    address_hash   bytea not null,                -- HMAC-SHA-256 of business unit and folded address
    cause          text not null check (cause in ('bounce', 'complaint', 'unsubscribe', 'erasure', 'manual', 'import')),
    suppression_id bigint generated always as identity,
    address        text,                          -- folded; null: erased
    evidence       text not null default '',      -- the reply, who, when; empty where the address is null
    created_at     timestamptz not null default now(),
    changed_at     timestamptz not null default now(),
    expires_at     timestamptz,                   -- null: never
    primary key (account_id, address_hash, cause)
);
create unique index suppression_by_id on suppression (account_id, suppression_id);
create index suppression_by_expiry on suppression (account_id, expires_at) where expires_at is not null;

-- Set with the first suppression of a business unit and never taken back: the others are not looked up at all.
alter table account add column suppresses boolean not null default false;
