"""Where a person's data lies, and how each place forgets it.

Every function runs within its caller's transaction, takes the business unit first, erases what it finds, and answers
how many rows that were. Done twice it finds nothing. A message keeps its key, its times and its outcome, without which
nobody could tell what was sent; an event keeps what a server said of itself, and nothing it said of a person.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import asyncpg

from postroom.catalog.data_columns import term
from postroom.content.attributes import fold_name
from postroom.intake.holding import Place
from postroom.privacy.subject import Subject
from postroom.store.database import Connection

_LONGEST_SECONDS = 3_600.0

_FIND_MESSAGES = """
select request_id, position, address from message
where account_id = $1 and accepted_on = $2
  and (lower(contact_key collate "C") = any($3::text[]) or lower(address) = any($4::text[]))
"""

_PLACES = "unnest($2::uuid[], $3::integer[]) as p(request_id, position)"

_BLANK_MESSAGES = f"""
update message m set contact_key = '', address = '', attributes = null
from {_PLACES}
where m.account_id = $1 and m.accepted_on = $4 and m.request_id = p.request_id and m.position = p.position
"""  # noqa: S608

# A request's own attributes belong to all its recipients: they go with the last of them.
_BLANK_REQUESTS = """
update send_request r set attributes = null
where r.account_id = $1 and r.accepted_on = $2 and r.request_id = any($3::uuid[]) and r.attributes is not null
  and not exists (
    select from message m
    where m.account_id = $1 and m.accepted_on = $2 and m.request_id = r.request_id and m.contact_key <> '')
"""

# json, not jsonb: a reply may hold an escaped NUL, which jsonb does not take.
_BLANK_EVENTS = f"""
update event e
set contact_id = null,
    detail = (select json_object_agg(d.key, d.value)::text from json_each(e.detail::json) as d
              where d.key = any(case when e.kind = any($6::text[]) then $4::text[] else $5::text[] end))
from {_PLACES}
where e.account_id = $1 and e.request_id = p.request_id and e.position = p.position
  and (e.contact_id is not null or exists (
    select from json_object_keys(e.detail::json) as k(key)
    where not k.key = any(case when e.kind = any($6::text[]) then $4::text[] else $5::text[] end)))
"""  # noqa: S608

_DELETE_ROWS_OF_MESSAGES = f"""
delete from data_row r using {_PLACES}
where r.account_id = $1 and r.request_id = p.request_id and r.position = p.position
"""  # noqa: S608

_DELETE_PAGES = f"""
delete from kept_page k using {_PLACES}
where k.account_id = $1 and k.accepted_on = $4 and k.request_id = p.request_id and k.position = p.position
"""  # noqa: S608

_EMAIL_COLUMNS = """
select d.extension_id, c ->> 'name' as name
from data_extension d cross join lateral json_array_elements(d.columns) as c
where d.account_id = $1 and c ->> 'type' = 'EmailAddress'
"""

_SUBSCRIBER_COLUMNS = """
select extension_id, subscriber_column as name from data_extension
where account_id = $1 and subscriber_column is not null
"""

_DELETE_ROWS = """
delete from data_row where account_id = $1 and extension_id = $2 and terms && $3::text[]
"""

# A filter that names somebody; of jobs that are over it is gone already.
_END_JOBS = """
update message_job set state = 'cancelled', ended_at = now(), address = null, contact_key = null
where account_id = $1 and state in ('counted', 'running')
  and (lower(contact_key collate "C") = any($2::text[]) or lower(address) = any($3::text[]))
"""

_DELETE_CAPTURED = """
with dropped as (delete from captured_mail m where {} returning size),
total as (
    update captured_total set messages = messages - (select count(*) from dropped),
                              bytes = bytes - (select coalesce(sum(size), 0) from dropped)
    where exists (select from dropped))
select count(*) from dropped
"""

_CAPTURED_OF_MESSAGES = _DELETE_CAPTURED.format(
    "m.account_id = $1 and (m.request_id, m.position) in (select * from unnest($2::uuid[], $3::integer[]))"
)

_CAPTURED_TO_ADDRESSES = _DELETE_CAPTURED.format("m.account_id = $1 and m.recipient_keys && $2::text[]")

_LEAVE_LISTS = """
delete from list_member where account_id = $1 and contact_id = any(array(
    select contact_id from contact where account_id = $1 and lower(contact_key collate "C") = any($2::text[])))
"""

_DELETE_CONTACTS = 'delete from contact where account_id = $1 and lower(contact_key collate "C") = any($2::text[])'

_ATTEMPTS = ("sent", "not_sent", "deferred", "unknown")
_KEPT_OF_ATTEMPTS = (
    "code",
    "enhanced",
    "stage",
    "host",
    "address",
    "tls",
    "certificate",
    "attempt",
    "held",
    "verdict",
    "took",
    "retry_at",
)
"""What of an attempt's detail is of servers and rules alone; ``address`` is the server's."""

KEPT_OF_OTHERS = (
    "enhanced",
    "host",
    "reporting_mta",
    "format",
    "feedback",
    "verdict",
    "verdict_reason",
    "link",
    "region",
)
"""The same of bounces, complaints, opens and clicks; here an ``address`` would be the person's."""


class FoundMessage(NamedTuple):
    """A message of the person, and the address it went to, as it was sent."""

    place: Place
    address: str


async def find_messages(connection: Connection, account_id: int, day: date, subject: Subject) -> list[FoundMessage]:
    """The person's messages of one day."""
    keys, spellings = list(subject.contact_keys), subject.spellings
    rows = await connection.fetch(_FIND_MESSAGES, account_id, day, keys, spellings, timeout=_LONGEST_SECONDS)
    return [FoundMessage(Place(row["request_id"], row["position"]), row["address"]) for row in rows]


async def forget_messages(
    connection: Connection, account_id: int, day: date, places: Sequence[Place]
) -> dict[str, int]:
    """Everything about these messages of one day, by class of data."""
    requests, positions = [place.request_id for place in places], [place.position for place in places]
    change = connection.execute
    await change(_DELETE_PAGES, account_id, requests, positions, day)
    return {
        "dataExtensionRows": _rows(await change(_DELETE_ROWS_OF_MESSAGES, account_id, requests, positions)),
        "capturedMails": await connection.fetchval(_CAPTURED_OF_MESSAGES, account_id, requests, positions),
        "events": _rows(
            await change(_BLANK_EVENTS, account_id, requests, positions, _KEPT_OF_ATTEMPTS, KEPT_OF_OTHERS, _ATTEMPTS)
        ),
        "messages": _rows(await change(_BLANK_MESSAGES, account_id, requests, positions, day)),
        "requests": _rows(await change(_BLANK_REQUESTS, account_id, day, list(set(requests)))),
    }


async def forget_rows(connection: Connection, account_id: int, subject: Subject) -> dict[str, int]:
    """Rows of data extensions that are the contact's, or have the address in a column of type EmailAddress."""
    wanted: dict[int, set[str]] = {}
    for row in await connection.fetch(_SUBSCRIBER_COLUMNS, account_id):
        _add(wanted, row, subject.contact_keys)
    for row in await connection.fetch(_EMAIL_COLUMNS, account_id):
        _add(wanted, row, subject.spellings)
    deleted = 0
    for extension_id, terms in sorted(wanted.items()):
        deleted += _rows(await connection.execute(_DELETE_ROWS, account_id, extension_id, sorted(terms)))
    return {"dataExtensionRows": deleted}


async def end_jobs(
    connection: Connection, account_id: int, contact_keys: Iterable[str], addresses: Iterable[str]
) -> None:
    """Jobs over messages whose filter has one of these folded keys or addresses do no more, and forget it."""
    await connection.execute(_END_JOBS, account_id, list(contact_keys), list(addresses))


async def forget_captured(connection: Connection, account_id: int, addresses: Iterable[str]) -> dict[str, int]:
    """The business unit's mails in the sandbox's mailbox to these addresses."""
    return {"capturedMails": await connection.fetchval(_CAPTURED_TO_ADDRESSES, account_id, list(addresses))}


async def forget_contacts(connection: Connection, account_id: int, contact_keys: Iterable[str]) -> dict[str, int]:
    """The contacts with these folded keys, and their places on lists."""
    keys = list(contact_keys)
    return {
        "listMemberships": _rows(await connection.execute(_LEAVE_LISTS, account_id, keys)),
        "contacts": _rows(await connection.execute(_DELETE_CONTACTS, account_id, keys)),
    }


def _add(wanted: dict[int, set[str]], column: asyncpg.Record, values: Iterable[str]) -> None:
    terms = {term(column["extension_id"], fold_name(column["name"]), value) for value in values}
    if terms:
        wanted.setdefault(column["extension_id"], set()).update(terms)


def _rows(status: str) -> int:
    return int(status.rpartition(" ")[2])
