-- Domains that a business unit sends from, and the keys their mails are signed with.

create table sender_domain (
    account_id   bigint not null references account on delete cascade,
    domain       text not null,                   -- lower case, A-labels
    created_at   timestamptz not null default now(),
    primary key (account_id, domain)
);

-- A mail is signed with the keys that were in force when it was accepted, on every attempt.
create table dkim_key (
    account_id   bigint not null,
    domain       text not null,
    selector     text not null,
    algorithm    text not null check (algorithm in ('rsa', 'ed25519')),
    sealed       bytea not null,                  -- PKCS #8 under AES-256-GCM: nonce, ciphertext, tag
    public_key   text not null,                   -- p= of its DNS record
    created_at   timestamptz not null default now(),
    active_from  timestamptz,                     -- null: made by a rotation that is not finished
    retired_at   timestamptz,                     -- null: signs what is accepted from active_from on
    primary key (account_id, domain, selector),
    foreign key (account_id, domain) references sender_domain on delete cascade
);

-- Raised with every change to the keys of a business unit: a delivery process asks for it once a claim.
alter table account add column signing_revision bigint not null default 0;
