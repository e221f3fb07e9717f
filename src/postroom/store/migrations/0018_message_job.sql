-- Jobs over many messages: the filter, what it found when it was counted, how far the work has come, and its result.
create table message_job (
    account_id      bigint not null references account on delete cascade,
    job_id          uuid not null,
    action          text not null check (action in ('hold', 'release', 'cancel', 'retry', 'resend')),
    state           text not null default 'counted' check (state in ('counted', 'running', 'finished', 'cancelled')),
    address         text,                         -- the filter; this and the contact key are emptied when it ends
    contact_key     text,
    definition_key  text,
    status          text,
    accepted_from   timestamptz,
    accepted_before timestamptz not null,         -- never after the moment of counting
    requested_by    text not null,                -- an API client's id
    counted_at      timestamptz not null,
    confirmed_at    timestamptz,
    ended_at        timestamptz,
    matching        jsonb not null,               -- state of a message: how many were counted
    complete        boolean not null,             -- false: there are more than were counted
    place_day       date,                         -- of the last message that was dealt with
    place_request   uuid,
    place_position  integer,
    results         jsonb not null default '{}',  -- what became of messages: how many
    primary key (account_id, job_id)
);
create index message_job_running on message_job (confirmed_at) where state = 'running';

create table resent_message (
    account_id      bigint not null,
    job_id          uuid not null,
    number          integer not null,             -- from 1
    message_key     text not null,
    resent_as       text not null,                -- the new message's key
    primary key (account_id, job_id, number),
    foreign key (account_id, job_id) references message_job on delete cascade
);
