-- Data extensions: tables that belong to a business unit. Rows are kept as documents, not as tables of their own, so
-- that a client's CREATE is a row here and never a lock on the catalogue of PostgreSQL.

create table data_extension (
    account_id        bigint not null references account,
    extension_id      bigint generated always as identity,
    object_id         uuid not null,              -- the id clients see
    extension_key     text not null,
    name              text not null,
    description       text not null default '',
    columns           json not null,              -- catalog.data_columns.Column, in the table's order
    subscriber_column text,                       -- gets the contact key of a send; null: not sendable
    category_id       bigint not null default 0,  -- given back as it came; folders are not offered
    created_at        timestamptz not null default now(),
    modified_at       timestamptz not null default now(),
    primary key (account_id, extension_id)
);
create unique index data_extension_by_key on data_extension (account_id, lower(extension_key collate "C"));
create unique index data_extension_by_name on data_extension (account_id, lower(name collate "C"));
create unique index data_extension_by_object on data_extension (account_id, object_id);

create table data_row (
    account_id     bigint not null,
    extension_id   bigint not null,
    row_id         bigint generated always as identity,
    row_key        text,                          -- the folded primary key; null when the table has none
    cells          jsonb not null,                -- folded column name: canonical text; null cells are left out
    terms          text[] not null,               -- what rows are looked up by: catalog.data_columns.term of each cell
    request_id     uuid,                          -- the message whose send made the row, so that a retry finds it
    position       integer,
    created_at     timestamptz not null default now(),
    modified_at    timestamptz not null default now(),
    primary key (account_id, extension_id, row_id),
    foreign key (account_id, extension_id) references data_extension on delete cascade
);
create unique index data_row_by_key on data_row (account_id, extension_id, row_key) where row_key is not null;
create unique index data_row_by_message on data_row (account_id, extension_id, request_id, position)
    where request_id is not null;
create index data_row_by_term on data_row using gin (terms);

-- One asynchronous call and what became of each of its rows.
create table data_job (
    account_id     bigint not null references account,
    job_id         uuid not null,
    called_at      timestamptz not null,
    completed_at   timestamptz not null,
    has_errors     boolean not null,
    results        json not null,                 -- one entry a row, in the order of the call
    primary key (account_id, job_id)
);
create index data_job_by_age on data_job (account_id, called_at);

-- Null: the version's sends write no row.
alter table definition_version add column data_extension_id bigint;
