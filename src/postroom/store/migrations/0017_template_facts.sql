-- What templates know of their business unit.
alter table account
    add column time_zone      text not null default 'America/Chicago',  -- of SystemDateToLocalDate and its reverse
    add column web_analytics  text not null default '',                 -- what WAT prints
    add column pages          jsonb not null default '{}';              -- CloudPagesURL: id of a page -> its address

create table template_key (
    account_id    bigint not null references account on delete cascade,
    folded_name   text not null,
    name          text not null,                  -- as it was given
    kind          text not null check (kind in ('symmetric', 'salt', 'iv', 'jwt', 'rsa', 'page')),
    sealed        bytea not null,
    created_at    timestamptz not null default now(),
    primary key (account_id, folded_name)
);
create unique index template_key_of_pages on template_key (account_id) where kind = 'page';
