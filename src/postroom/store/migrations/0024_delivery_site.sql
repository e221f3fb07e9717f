-- What each delivery process has in hand for its busy sites, written every few seconds (metrics/sites.py).
-- Nothing depends on it: after a crash of the database it is empty.
create unlogged table delivery_site (
    lease_owner   text not null,
    site          text not null,                  -- one of its hosts; empty: hosts that are being looked up
    waiting       integer not null,
    under_way     integer not null,
    per_minute    integer,                        -- null while nothing is known
    next_turn_at  timestamptz,                    -- when the last of those given back comes again; null: none was
    seen_at       timestamptz not null,
    primary key (lease_owner, site)
);
