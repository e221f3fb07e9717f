-- Erasures: the receipt of each, and, until it is finished, whom it concerns and how far it has come.
create table erasure (
    account_id    bigint not null references account on delete cascade,
    erasure_id    uuid not null,
    subject_hash  bytea not null,                 -- keyed hash of what was asked for: finds an unfinished one again
    contact_keys  text[] not null,                -- folded; these three are emptied when it is finished
    addresses     text[] not null,                -- folded: asked for
    seen          text[] not null default '{}',   -- folded: what the contacts had, which others may have as well
    suppress      boolean not null,
    requested_by  text not null,                  -- an API client's id, or who gave the command
    requested_at  timestamptz not null default now(),
    finished_at   timestamptz,
    done          text[] not null default '{}',   -- the steps that are over
    counts        jsonb not null default '{}',    -- class of data: rows erased
    primary key (account_id, erasure_id)
);
create unique index erasure_unfinished on erasure (account_id, subject_hash) where finished_at is null;
