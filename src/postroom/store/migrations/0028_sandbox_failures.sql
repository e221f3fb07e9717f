-- Parallel tests with a business unit each look at, and delete, only their own mails.
create index captured_mail_by_account on captured_mail (account_id, capture_id) where account_id is not null;

-- Calls that the sandbox answers wrongly on purpose. The rules that hold are those of the newest generation, which
-- API processes have to say that they know.
create table chaos_rule (
    account_id     bigint,                        -- only calls of this business unit; null is any call
    rule_id        bigint generated always as identity primary key,
    rule           text not null,                 -- JSON as it was given
    matched        bigint not null default 0,     -- calls that it was about
    hits           bigint not null default 0      -- those that it happened to
);
create table chaos_generation (
    one            boolean primary key default true check (one),
    generation     bigint not null default 0
);
insert into chaos_generation default values;
