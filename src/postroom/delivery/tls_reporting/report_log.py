"""Which domain was told of which day: a row for each, which whoever sends the report has claimed.

    waiting -> claimed -> not-asked | sent | failed
            <- (a wait) <-

A row is made when the day is over, with a time of its own within the hours after midnight. A claim that its process
did not live to settle is free again after ten minutes; the report then goes out a second time under the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias

from postroom.store.database import Database, Pool

Outcome: TypeAlias = Literal["", "not-asked", "sent", "failed"]

_PLAN = """
insert into tls_report (policy_domain, day, due_at)
select policy_domain, $1, $2::timestamptz + random() * $3::interval
from (select distinct policy_domain from tls_session_count where day = $1) counted
on conflict (policy_domain, day) do nothing
"""

_FORGET = "delete from tls_report where day < $1"

_CLAIM = """
update tls_report
set leased_until = now() + interval '10 minutes', attempt = attempt + 1, first_at = coalesce(first_at, now())
where (policy_domain, day) = (
    select policy_domain, day from tls_report
    where outcome = '' and due_at <= now() and leased_until < now()
    order by due_at
    limit 1
    for update skip locked)
returning policy_domain, day, attempt, told, first_at, now() as claimed_at
"""

_TOLD = "update tls_report set told = array_append(told, $4) where policy_domain = $1 and day = $2 and attempt = $3"

_SETTLE = """
update tls_report
set outcome = $4, last_error = $5, due_at = now() + $6::interval, leased_until = '-infinity', settled_at = now()
where policy_domain = $1 and day = $2 and attempt = $3
"""

_RECENT = """
select r.policy_domain, r.day, r.outcome, r.told, r.attempt, r.due_at, r.settled_at, r.last_error, c.good, c.bad
from tls_report r
cross join lateral (
    select coalesce(sum(sessions) filter (where failure = ''), 0)::bigint as good,
           coalesce(sum(sessions) filter (where failure <> ''), 0)::bigint as bad
    from tls_session_count where policy_domain = r.policy_domain and day = r.day) c
where $1::date is null or r.day = $1
order by r.day desc, r.policy_domain
limit $2
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A report that is ours to send; ``told`` are the destinations that have it. ``age`` is since the first attempt."""

    domain: str
    day: date
    attempt: int
    told: frozenset[str]
    age: timedelta


@dataclass(frozen=True, slots=True)
class Row:
    """One report as it stands; sessions ``good`` and ``bad``. ``due_at`` counts while there is no outcome."""

    domain: str
    day: date
    outcome: Outcome
    told: tuple[str, ...]
    attempt: int
    due_at: datetime
    settled_at: datetime | None
    last_error: str
    good: int
    bad: int


class ReportLog:
    """The rows, for all processes that send reports."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def plan(self, day: date, *, begin: datetime, jitter: timedelta, kept: timedelta) -> None:
        """Make the rows of a day that is over, due at random within ``jitter`` after ``begin``; forget old ones."""
        await self._pool.execute(_PLAN, day, begin, jitter)
        await self._pool.execute(_FORGET, day - kept)

    async def claim(self) -> Claimed | None:
        """A report that is due and nobody's, now ours."""
        row = await self._pool.fetchrow(_CLAIM)
        if row is None:
            return None
        age = row["claimed_at"] - row["first_at"]
        return Claimed(row["policy_domain"], row["day"], row["attempt"], frozenset(row["told"]), age)

    async def told(self, claimed: Claimed, uri: str) -> None:
        """One destination has it."""
        await self._pool.execute(_TOLD, claimed.domain, claimed.day, claimed.attempt, uri)

    async def settle(
        self, claimed: Claimed, outcome: Outcome, *, error: str = "", wait: timedelta = timedelta()
    ) -> None:
        """End it, or, without an outcome, leave it for another attempt."""
        await self._pool.execute(_SETTLE, claimed.domain, claimed.day, claimed.attempt, outcome, error[:1_000], wait)


async def recent_reports(database: Database, *, day: date | None, limit: int) -> Sequence[Row]:
    """The newest first."""
    return [
        Row(
            row["policy_domain"],
            row["day"],
            row["outcome"],
            tuple(row["told"]),
            row["attempt"],
            row["due_at"],
            row["settled_at"],
            row["last_error"],
            row["good"],
            row["bad"],
        )
        for row in await database.fetch(_RECENT, day, limit)
    ]
