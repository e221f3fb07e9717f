"""What was posted to callbacks, found by event: when, in which batch, and what they answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from postroom.store.database import Connection

_MOST = 5_000

_POSTED = """
select wanted.event_id, w.*
from unnest($2::bigint[]) as wanted(event_id)
cross join lateral (
    select occurred_at, milliseconds, callback_id, callback_name, webhook_id, attempt, status, problem,
           cardinality(event_ids) as events
    from webhook_attempt
    where account_id = $1 and occurred_on >= $3 and span @> wanted.event_id and wanted.event_id = any(event_ids)
    offset 0) w
order by w.occurred_at
limit $4
"""


@dataclass(frozen=True, slots=True)
class Posted:
    """One request that was taken, or a row of those that were not: the first and the last of ``times``.

    ``milliseconds``, ``attempt``, ``status`` (0: no answer) and ``problem`` are of the last.
    """

    callback_id: UUID
    callback_name: str
    webhook_id: str
    since: datetime
    until: datetime
    times: int
    milliseconds: int
    attempt: int
    status: int
    problem: str
    events: int

    @property
    def taken(self) -> bool:
        """Whether it ended well."""
        return not self.problem


async def posted_of(
    connection: Connection, account_id: int, event_ids: Sequence[int], first_day: date
) -> dict[int, list[Posted]]:
    """By event, in the order in which it happened; failures that follow each other are one."""
    found: dict[int, list[Posted]] = {}
    for row in await connection.fetch(_POSTED, account_id, event_ids, first_day, _MOST):
        posted = found.setdefault(row["event_id"], [])
        place = next((at for at in reversed(range(len(posted))) if posted[at].callback_id == row["callback_id"]), None)
        if place is not None and row["problem"] and not posted[place].taken:
            posted[place] = _posted(row, posted[place].since, posted[place].times + 1)
        else:
            posted.append(_posted(row, row["occurred_at"], 1))
    return found


def _posted(row: asyncpg.Record, since: datetime, times: int) -> Posted:
    return Posted(
        callback_id=row["callback_id"],
        callback_name=row["callback_name"],
        webhook_id=row["webhook_id"],
        since=since,
        until=row["occurred_at"],
        times=times,
        milliseconds=row["milliseconds"],
        attempt=row["attempt"],
        status=row["status"],
        problem=row["problem"],
        events=row["events"],
    )
