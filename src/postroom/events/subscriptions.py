"""Subscriptions: which events a callback is told of (contract §6).

An event is wanted by a subscription that names its type, whose filters all hold, and that was neither younger than
the event nor paused when it occurred. One that several subscriptions of a callback want is sent once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from postroom.content.attributes import fold_name
from postroom.store.database import Database

MOST_PER_CALLBACK = 200

Status: TypeAlias = Literal["active", "paused"]

EMAIL_SENT = "TransactionalSendEvents.EmailSent"
EMAIL_NOT_SENT = "TransactionalSendEvents.EmailNotSent"
EMAIL_BOUNCED = "TransactionalSendEvents.EmailBounced"

FILTERS: Mapping[str, frozenset[str]] = {
    EMAIL_SENT: frozenset({"definitionKey"}),
    EMAIL_NOT_SENT: frozenset({"definitionKey", "statusCode"}),
    EMAIL_BOUNCED: frozenset({"definitionKey", "bounceCode", "smtpReason"}),
    "TransactionalSendEvents.SmsSent": frozenset({"definitionKey"}),
    "TransactionalSendEvents.SmsNotSent": frozenset({"definitionKey", "statusCode"}),
    "TransactionalSendEvents.SmsTransient": frozenset({"definitionKey"}),
    "TransactionalSendEvents.SmsDelivered": frozenset({"definitionKey"}),
    "TransactionalSendEvents.SmsBounced": frozenset({"definitionKey"}),
    "EngagementEvents.EmailOpen": frozenset(),
    "EngagementEvents.EmailClick": frozenset(),
    "EngagementEvents.EmailUnsubscribe": frozenset(),
}
"""The vendor's event types, and what each can be filtered by. This server makes those of email."""

_COLUMNS = """
subscription_id, callback_id, name, event_types, filters, status, status_reason, events_from, pauses
"""

_CREATE = f"""
insert into subscription (account_id, subscription_id, callback_id, name, event_types, filters)
select $1, $2, $3, $4, $5, $6
 where (select count(*) from subscription where account_id = $1 and callback_id = $3) < {MOST_PER_CALLBACK}
returning {_COLUMNS}
"""  # noqa: S608 - columns of ours

_FIND = f"select {_COLUMNS} from subscription where account_id = $1 and subscription_id = $2"  # noqa: S608 - columns of ours

_OF_CALLBACK = f"""
select {_COLUMNS} from subscription where account_id = $1 and callback_id = $2 order by created_at, subscription_id
"""  # noqa: S608 - columns of ours

# A pause is what lies between two changes of the status.
_CHANGE = f"""
update subscription
   set event_types = $3, filters = coalesce($4, filters), name = coalesce($5, name),
       status = coalesce($6, status), status_reason = coalesce($7, status_reason),
       pauses = case
           when $6 = 'paused' and status = 'active' then pauses + tstzmultirange(tstzrange(now(), null))
           when $6 = 'active' and status = 'paused' then pauses - tstzmultirange(tstzrange(now(), null))
           else pauses end
 where account_id = $1 and subscription_id = $2
returning {_COLUMNS}
"""  # noqa: S608 - columns of ours

_REMOVE = "delete from subscription where account_id = $1 and subscription_id = $2 returning subscription_id"


class SubscriptionTaken(Exception):
    """The business unit has a subscription of this name."""


class FilterWrong(ValueError):
    """A filter can't be used; the text names it and says what can."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription; ``pauses`` are the times whose events are dropped, each with or without an end."""

    subscription_id: UUID
    callback_id: UUID
    name: str
    event_types: Sequence[str]
    filters: Sequence[str]
    status: Status
    status_reason: str
    events_from: datetime
    pauses: Sequence[tuple[datetime | None, datetime | None]] = ()

    def wants(self, event_type: str, occurred_at: datetime, values: Mapping[str, str]) -> bool:
        """Whether this event is for it; ``values`` are what filters may ask, by the vendor's names."""
        if event_type not in self.event_types or occurred_at < self.events_from:
            return False
        for begun, ended in self.pauses:
            if (begun is None or occurred_at >= begun) and (ended is None or occurred_at < ended):
                return False
        # Keys are compared as everywhere: without regard to case.
        return all(
            fold_name(values.get(name, "")) == fold_name(value)
            for name, value in (read_filter(each) for each in self.filters)
        )


def read_filter(text: str) -> tuple[str, str]:
    """Name and value of ``name=value``. Raises FilterWrong."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise FilterWrong(f"filter {text[:100]!r} must be of the form name=value")
    return name.strip(), value.strip()


def check_filters(event_types: Sequence[str], filters: Sequence[str]) -> None:
    """Raises FilterWrong for a filter that one of the event types does not know, or a malformed one."""
    for text in filters:
        name, _ = read_filter(text)
        for event_type in event_types:
            known = FILTERS[event_type]
            if name not in known:
                offer = f"use {', '.join(sorted(known))}" if known else "leave it out"
                raise FilterWrong(f"filter {text[:100]!r}: {event_type} has no such filter; {offer}")


def _subscription(row: asyncpg.Record) -> Subscription:
    fields = dict(row)
    fields["pauses"] = tuple((each.lower, each.upper) for each in row["pauses"])
    return Subscription(**fields)


async def create_subscription(
    database: Database,
    account_id: int,
    *,
    subscription_id: UUID,
    callback_id: UUID,
    name: str,
    event_types: Sequence[str],
    filters: Sequence[str],
) -> Subscription | None:
    """A new active subscription; None when the callback has as many as it can. Raises SubscriptionTaken."""
    try:
        row = await database.fetchrow(
            _CREATE, account_id, subscription_id, callback_id, name, list(event_types), list(filters)
        )
    except asyncpg.UniqueViolationError:
        raise SubscriptionTaken from None
    return None if row is None else _subscription(row)


async def find_subscription(database: Database, account_id: int, subscription_id: UUID) -> Subscription | None:
    """The subscription of this id."""
    row = await database.fetchrow(_FIND, account_id, subscription_id)
    return None if row is None else _subscription(row)


async def subscriptions_of(database: Database, account_id: int, callback_id: UUID) -> list[Subscription]:
    """All of one callback, oldest first."""
    return [_subscription(row) for row in await database.fetch(_OF_CALLBACK, account_id, callback_id)]


async def change_subscription(
    database: Database,
    account_id: int,
    subscription_id: UUID,
    *,
    event_types: Sequence[str],
    filters: Sequence[str] | None,
    name: str | None,
    status: Status | None,
    status_reason: str | None,
) -> Subscription | None:
    """Change it, pausing and resuming by the status; None when there is no such. Raises SubscriptionTaken."""
    try:
        row = await database.fetchrow(
            _CHANGE,
            account_id,
            subscription_id,
            list(event_types),
            None if filters is None else list(filters),
            name,
            status,
            status_reason,
        )
    except asyncpg.UniqueViolationError:
        raise SubscriptionTaken from None
    return None if row is None else _subscription(row)


async def remove_subscription(database: Database, account_id: int, subscription_id: UUID) -> bool:
    """Remove it; False when there is no such."""
    return await database.fetchval(_REMOVE, account_id, subscription_id) is not None
