-- How many messages went to each site from source pools that are being warmed up, by UTC day; by all processes.

create table warm_up_count (
    source       text not null,                   -- the pool's name in the route table
    site         text not null,                   -- the provider's name in the shaping rules, or an MX host
    day          date not null,
    messages     integer not null,
    primary key (source, site, day)
);
