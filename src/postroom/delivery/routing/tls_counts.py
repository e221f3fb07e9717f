"""Counting TLS sessions by recipient domain and day, for the reports of RFC 8460.

A connection counts once, for the domain of the first mail over it. Counts are gathered in memory and added to the
table every half minute and at the end; a process that is killed loses at most those.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

import structlog

from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule
from postroom.delivery.smtp.trust import TlsFailure, TlsSession
from postroom.store.database import Database
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

FLUSH_SECONDS = 30.0
MOST_COUNTED = 20_000
"""Different counts between two flushes; what comes on top is not counted."""
KEPT = timedelta(days=35)
_LONGEST_REASON = 300

PolicyType: TypeAlias = Literal["sts", "tlsa", "no-policy-found"]

# In the order of their keys, so that processes that add to the same rows wait for each other and never deadlock.
_ADD = """
insert into tls_session_count (policy_domain, day, digest, policy_type, policy, failure, mx_host, address, reason,
                               sessions)
select * from unnest($1::text[], $2::date[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::bigint[])
order by 1, 2, 3
on conflict (policy_domain, day, digest) do update
set sessions = tls_session_count.sessions + excluded.sessions
"""

_FORGET = "delete from tls_session_count where day < $1"

_OF_DAY = """
select policy_type, policy, failure, mx_host, address, reason, sessions
from tls_session_count
where policy_domain = $1 and day = $2
order by policy_type, policy, failure, mx_host, address, reason
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What sessions have in common that are counted together; ``failure`` is empty for those that succeeded."""

    policy_type: PolicyType
    policy: tuple[str, ...]
    failure: TlsFailure | Literal[""] = ""
    mx_host: str = ""
    address: str = ""
    reason: str = ""

    @property
    def digest(self) -> bytes:
        """A key of fixed size."""
        return hashlib.sha256(repr(self).encode()).digest()


async def counts_of_day(database: Database, domain: str, day: date) -> list[tuple[Counted, int]]:
    """What was counted for a domain on a day (UTC)."""
    return [
        (
            Counted(
                row["policy_type"],
                tuple(row["policy"].split("\n")) if row["policy"] else (),
                row["failure"],
                row["mx_host"],
                row["address"],
                row["reason"],
            ),
            row["sessions"],
        )
        for row in await database.fetch(_OF_DAY, domain, day)
    ]


class TlsCounts:
    """Counts, and writes now and then; ``today`` is of UTC."""

    def __init__(self, pool: Pool, *, today: Callable[[], date]) -> None:
        self._pool = pool
        self.policy: Callable[[str], tuple[str, ...]] = lambda _domain: ()
        """Gives the lines of the MTA-STS policy of a domain."""
        self._today = today
        self._loop = asyncio.get_running_loop()
        self._counts: Counter[tuple[str, date, Counted]] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._forgotten: date | None = None
        self._log = structlog.get_logger("delivery")

    def session(self, domain: str, rule: TlsRule, session: TlsSession) -> None:
        """One session, or one that failed to be."""
        kind: PolicyType = "no-policy-found"
        policy: tuple[str, ...] = ()
        if rule.kind is RuleKind.DANE:
            kind, policy = "tlsa", tuple(map(str, rule.tlsa))
        elif rule.kind in (RuleKind.STS, RuleKind.STS_TESTING):
            kind, policy = "sts", self.policy(domain)
        if session.failure is None:
            self._count(domain, Counted(kind, policy))
        else:
            address = session.address.rpartition(":")[0].strip("[]")
            reason = session.reason[:_LONGEST_REASON]
            self._count(domain, Counted(kind, policy, session.failure, session.host, address, reason))

    def policy_failed(self, domain: str, why: NoPolicy) -> None:
        """A policy or TLSA records could not be had, or do not fit the MX hosts; told once for each look-up."""
        self._log.warning("tls_policy_failed", domain=domain, failure=why.failure, reason=why.reason)
        dane = why.failure in ("dnssec-invalid", "tlsa-invalid")
        counted = Counted(
            "tlsa" if dane else "sts",
            () if dane else self.policy(domain),
            why.failure,
            reason=why.reason[:_LONGEST_REASON],
        )
        self._count(domain, counted)

    async def close(self) -> None:
        """Write what is left."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await self._task
        await self._flush()

    def _count(self, domain: str, counted: Counted) -> None:
        key = (domain, self._today(), counted)
        if len(self._counts) < MOST_COUNTED or key in self._counts:
            self._counts[key] += 1
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self._task = self._loop.create_task(self._flush())

    async def _flush(self) -> None:
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        keys = list(counts)
        try:
            await self._pool.execute(
                _ADD,
                [domain for domain, _, _ in keys],
                [day for _, day, _ in keys],
                [counted.digest for _, _, counted in keys],
                [counted.policy_type for _, _, counted in keys],
                ["\n".join(counted.policy) for _, _, counted in keys],
                [counted.failure for _, _, counted in keys],
                [counted.mx_host for _, _, counted in keys],
                [counted.address for _, _, counted in keys],
                [counted.reason for _, _, counted in keys],
                [counts[key] for key in keys],
            )
            today = self._today()
            if self._forgotten != today:
                await self._pool.execute(_FORGET, today - KEPT)
                self._forgotten = today
        except DATABASE_TROUBLE as error:
            # Statistics: lost rather than kept for a database that may be away for long.
            tell_trouble(self._log, "tls_counts_lost", error, sessions=counts.total())
