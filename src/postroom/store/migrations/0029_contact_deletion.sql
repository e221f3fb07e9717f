-- Contacts that a client of the vendor's asked to delete in one call: each is an erasure of its own.
create table contact_deletion (
    account_id     bigint not null references account on delete cascade,
    operation_id   bigint generated always as identity,
    erasure_ids    uuid[] not null,
    requested_at   timestamptz not null default now(),
    primary key (account_id, operation_id)
);
