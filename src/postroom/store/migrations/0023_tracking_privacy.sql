-- Whether opens and clicks of a business unit keep address and user agent; 'server': as the setting says.
alter table account
    add column tracking_privacy text not null default 'server' check (tracking_privacy in ('server', 'full', 'private'));
