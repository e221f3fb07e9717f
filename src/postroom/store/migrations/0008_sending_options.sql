-- How the mail of one definition is sent, where that differs from the server's own way; null: nothing is set.

alter table definition add column sending json;
alter table definition_version add column sending json;
