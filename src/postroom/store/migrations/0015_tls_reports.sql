-- TLS sessions with the MX hosts of recipients' domains, for reports of RFC 8460. A session may carry mail of
-- several business units: the counts are of the whole installation.

create table tls_session_count (
    policy_domain  text not null,                 -- the recipients' domain: lower case, A-labels
    day            date not null,                 -- UTC
    digest         bytea not null,                -- SHA-256 of policy_type to reason
    policy_type    text not null check (policy_type in ('sts', 'tlsa', 'no-policy-found')),
    policy         text not null,                 -- its lines, or TLSA records, one a line
    failure        text not null,                 -- result type of RFC 8460 §4.3, or empty: success
    mx_host        text not null,
    address        text not null,
    reason         text not null,
    sessions       bigint not null,
    primary key (policy_domain, day, digest)
);

create index tls_session_count_day on tls_session_count (day);
