-- The reports of RFC 8460 that are sent once a day (delivery/tls_reporting), only where POSTROOM_TLS_REPORTS asks for it.
create table tls_report (
    policy_domain  text not null,                 -- as in tls_session_count
    day            date not null,                 -- UTC; the report is sent after it
    due_at         timestamptz not null,
    leased_until   timestamptz not null default '-infinity',
    attempt        integer not null default 0,
    first_at       timestamptz,                   -- of the first attempt
    told           text[] not null default '{}',  -- destinations that have it
    outcome        text not null default '' check (outcome in ('', 'not-asked', 'sent', 'failed')),
    settled_at     timestamptz,
    last_error     text not null default '',
    primary key (policy_domain, day)
);

create index tls_report_due on tls_report (due_at) where outcome = '';
create index tls_report_day on tls_report (day);
