-- When links in mails lead over a tracking domain, and what recipients' pages are written in.

-- Mails accepted within one of these times have counted links, on every attempt.
create table tracking_domain (
    url           text not null,
    active_from   timestamptz not null,
    retired_from  timestamptz,
    primary key (url, active_from)
);

create table tracking_probe (
    url           text primary key,
    probed_at     timestamptz not null default '-infinity',
    failures      integer not null default 0,      -- one after another, up to the last look
    problem       text not null default 'not looked at yet'
);

alter table account add column language text not null default 'en';
