"""What held messages up on their way, beyond the attempts that are events: kept for the timeline.

One row is of many messages of a request, written where something was put off and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias, get_args
from uuid import UUID

import asyncpg

from postroom.store.database import Connection

Reason: TypeAlias = Literal[
    "siteBusy", "tooManySites", "dns", "copies", "relayAway", "warmUp", "database", "leaseRanOut", "notRecorded",
    "held", "released", "hastened",
]  # fmt: skip
"""``siteBusy``: more waits for the site than goes there now. ``tooManySites``, ``dns``, ``copies``: no room among the
sites, no answer of the DNS, copies for another site that has no room. ``relayAway``: no relay of its route could be
reached. ``warmUp``: its source has sent what it may today. ``database``: it did not answer, or refused something that
is not the message's fault. ``leaseRanOut``: the process that had it died or lost the database. ``notRecorded``: its
outcome was refused by the database in every form, so it is held. The last three are somebody's decisions."""

REASONS: Sequence[Reason] = get_args(Reason)

NOTE = """
insert into put_off (account_id, occurred_on, occurred_at, request_id, first_position, last_position, positions,
                     due_at, reason, place)
values ($1, (now() at time zone 'UTC')::date, now(), $2, $3, $4, $5, $6, $7, $8)
"""

NOTE_SLICES = """
insert into put_off (account_id, occurred_on, occurred_at, request_id, first_position, last_position, positions,
                     due_at, reason, place)
select account_id, (now() at time zone 'UTC')::date, now(), request_id, first_position, last_position, positions,
       null, $4, $5
from queue
where account_id = $1 and slice_id = any($2::bigint[]) and lease_owner = $3
"""

# Found out by whoever claims the slice next.
NOTE_LOST_LEASES = """
insert into put_off (account_id, occurred_on, occurred_at, request_id, first_position, last_position, positions,
                     due_at, reason, place)
select account_id, (now() at time zone 'UTC')::date, lost_at, request_id, first_position, last_position, positions,
       now(), 'leaseRanOut', lost_owner
from queue
where account_id = $1 and slice_id = any($2::bigint[]) and lost_at is not null
"""

_OF_MESSAGE = """
select occurred_at, due_at, reason, place
from put_off
where account_id = $1 and request_id = $2 and $3::integer between first_position and last_position
  and (positions is null or $3::integer = any(positions))
order by occurred_at
limit $4
"""

MOST_READ = 20_000


class PutOff(NamedTuple):
    """Why messages were put off, and the site, route or process that it was about."""

    reason: Reason
    place: str = ""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One reason that a message was put off for, ``times`` in a row; ``until`` is the last time that was set for it."""

    reason: Reason
    place: str
    since: datetime
    until: datetime | None
    times: int


async def note_put_off(
    connection: Connection,
    account_id: int,
    request_id: UUID,
    positions: Sequence[int],
    due_at: datetime | None,
    why: PutOff,
) -> None:
    """Note that these messages of a request were put off, in the caller's transaction. Positions rise."""
    await connection.execute(
        NOTE, account_id, request_id, positions[0], positions[-1], list(positions), due_at, why.reason, why.place
    )


async def hindrances(connection: Connection, account_id: int, request_id: UUID, position: int) -> list[Hindrance]:
    """What a message was put off for, the earliest first."""
    return merged(await connection.fetch(_OF_MESSAGE, account_id, request_id, position, MOST_READ))


_TOGETHER = timedelta(minutes=10)


def merged(rows: Sequence[asyncpg.Record]) -> list[Hindrance]:
    """Rows in their order; those for the same reason that follow each other closely are one."""
    found: list[Hindrance] = []
    for row in rows:
        one = Hindrance(row["reason"], row["place"], row["occurred_at"], row["due_at"], 1)
        last = found[-1] if found else None
        if (
            last is None
            or (last.reason, last.place) != (one.reason, one.place)
            or last.until is None
            or one.since - last.until > _TOGETHER
        ):
            found.append(one)
        else:
            found[-1] = Hindrance(last.reason, last.place, last.since, one.until, last.times + 1)
    return found
