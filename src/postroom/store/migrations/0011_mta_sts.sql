-- MTA-STS policies of recipients' domains (RFC 8461): what was seen once holds for its age, also when an attacker
-- in the network suppresses it later. They are the same for all business units.

create table mta_sts_policy (
    domain           text primary key,            -- lower case, A-labels
    policy_id        text not null,               -- the id it was announced with in the DNS
    mode             text not null check (mode in ('enforce', 'testing', 'none')),
    mx               text[] not null,             -- host names, or *. and a name
    max_age_seconds  integer not null,
    fetched_at       timestamptz not null,
    expires_at       timestamptz not null         -- fetched_at + max_age_seconds
);

create index mta_sts_policy_expired on mta_sts_policy (expires_at);
