-- Lists with members, and what a classification says beyond the sender.

-- Everyone is on "All Subscribers": that list has no rows here, and its status is the contact's own.
create table list_member (
    account_id   bigint not null,
    list_id      bigint not null,
    contact_id   bigint not null,
    status       text not null default 'Active' check (status in ('Active', 'Bounced', 'Held', 'Unsubscribed')),
    created_at   timestamptz not null default now(),
    modified_at  timestamptz not null default now(),
    primary key (account_id, list_id, contact_id),
    foreign key (account_id, list_id) references list on delete cascade
);

create index contact_by_address on contact (account_id, lower(address));

-- Whether contacts that are unsubscribed from everything get no mail of this classification either.
alter table classification add column block_unsubscribed boolean not null default false;
alter table definition_version add column block_unsubscribed boolean not null default false;
