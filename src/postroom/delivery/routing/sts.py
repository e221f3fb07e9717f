"""The MTA-STS policies that hold (RFC 8461), by domain: found, kept and refreshed.

    announced, not known              fetched, and kept in memory and in the database for its max_age
    announced with another id         fetched again
    known for half its age, or a day  fetched again
    fetching fails                    what is known holds on; the next try is five minutes later
    not announced (any more)          what is known holds until its age is over

The last two lines are what protects against an attacker in the network, who can suppress the announcement and the
fetch but not what was seen before. The table keeps that over restarts.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from postroom.delivery.routing.records import TextAnswer, TextFound
from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.sts_policy import StsPolicy, announced_id
from postroom.store.pool import Pool

MOST_KEPT = 20_000
RETRY_SECONDS = 300.0
LOOKUP_SECONDS = 5.0
"""For the announcement: a DNS server that says nothing to TXT must not hold mail up for long."""
_FRESH = timedelta(days=1)

_LOAD = """
select policy_id, mode, mx, max_age_seconds, fetched_at
from mta_sts_policy
where domain = $1 and expires_at > $2
"""

_SAVE = """
insert into mta_sts_policy (domain, policy_id, mode, mx, max_age_seconds, fetched_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (domain) do update
set policy_id = excluded.policy_id, mode = excluded.mode, mx = excluded.mx,
    max_age_seconds = excluded.max_age_seconds, fetched_at = excluded.fetched_at, expires_at = excluded.expires_at
where mta_sts_policy.fetched_at < excluded.fetched_at
"""

_FORGET = "delete from mta_sts_policy where expires_at < $1"


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A policy, the id under which it was announced, and when it was fetched (UTC)."""

    policy: StsPolicy
    policy_id: str
    fetched_at: datetime

    @property
    def expires_at(self) -> datetime:
        """From when on it holds no more."""
        return self.fetched_at + timedelta(seconds=self.policy.max_age)

    @property
    def stale_at(self) -> datetime:
        """From when on it is fetched again, though it still holds."""
        return self.fetched_at + min(_FRESH, timedelta(seconds=self.policy.max_age / 2))


class PolicyStore(Protocol):
    """Where policies outlive the process."""

    async def load(self, domain: str, now: datetime) -> KeptPolicy | None:
        """The policy of a domain that still holds."""

    async def save(self, domain: str, kept: KeptPolicy) -> None:
        """Keep it."""


class StoredPolicies:
    """The table ``mta_sts_policy``; shared by all business units, since it says nothing about any."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, domain: str, now: datetime) -> KeptPolicy | None:
        """See ``PolicyStore``."""
        row = await self._pool.fetchrow(_LOAD, domain, now)
        if row is None:
            return None
        policy = StsPolicy(row["mode"], tuple(row["mx"]), row["max_age_seconds"])
        return KeptPolicy(policy, row["policy_id"], row["fetched_at"])

    async def save(self, domain: str, kept: KeptPolicy) -> None:
        """See ``PolicyStore``."""
        policy = kept.policy
        await self._pool.execute(
            _SAVE,
            domain,
            kept.policy_id,
            policy.mode,
            list(policy.mx),
            policy.max_age,
            kept.fetched_at,
            kept.expires_at,
        )
        await self._pool.execute(_FORGET, kept.fetched_at)


class StsPolicies:
    """``policy`` tells what holds for a domain. ``failed(domain, why)`` is told of each fetch that failed.

    ``text`` asks for TXT records, ``fetch`` for a policy; ``now`` is UTC.
    """

    def __init__(
        self,
        store: PolicyStore,
        *,
        text: Callable[[str], Awaitable[TextAnswer]],
        fetch: Callable[[str], Awaitable[StsPolicy | NoPolicy]],
        failed: Callable[[str, NoPolicy], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most: int = MOST_KEPT,
    ) -> None:
        self._store = store
        self._text = text
        self._fetch = fetch
        self._failed = failed
        self._now = now
        self._most = most
        self._kept: OrderedDict[str, KeptPolicy] = OrderedDict()
        self._not_before: OrderedDict[str, datetime] = OrderedDict()

    async def policy(self, domain: str) -> StsPolicy | None:
        """The policy that holds now; None when there is none. Raises what the database raises."""
        announced, kept = await asyncio.gather(self._announced(domain), self._known(domain))
        now = self._now()
        if announced and (kept is None or kept.policy_id != announced or now >= kept.stale_at):
            kept = await self._refresh(domain, announced, now) or kept
        return kept.policy if kept is not None else None

    def lines(self, domain: str) -> tuple[str, ...]:
        """The policy of a domain that is in memory, for reports; empty otherwise."""
        kept = self._kept.get(domain)
        return kept.policy.lines if kept is not None else ()

    async def _announced(self, domain: str) -> str:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                answer = await self._text(f"_mta-sts.{domain}")
        except TimeoutError:
            return ""
        return announced_id(answer.texts) if isinstance(answer, TextFound) else ""

    async def _known(self, domain: str) -> KeptPolicy | None:
        now = self._now()
        kept = self._kept.get(domain) or await self._store.load(domain, now)
        if kept is None or now >= kept.expires_at:
            self._kept.pop(domain, None)
            return None
        self._keep(domain, kept)
        return kept

    async def _refresh(self, domain: str, announced: str, now: datetime) -> KeptPolicy | None:
        if now < self._not_before.get(domain, now):
            return None
        fetched = await self._fetch(domain)
        if isinstance(fetched, NoPolicy):
            self._not_before[domain] = now + timedelta(seconds=RETRY_SECONDS)
            self._not_before.move_to_end(domain)
            if len(self._not_before) > self._most:
                self._not_before.popitem(last=False)
            self._failed(domain, fetched)
            return None
        self._not_before.pop(domain, None)
        kept = KeptPolicy(fetched, announced, now)
        self._keep(domain, kept)
        await self._store.save(domain, kept)
        return kept

    def _keep(self, domain: str, kept: KeptPolicy) -> None:
        self._kept[domain] = kept
        self._kept.move_to_end(domain)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
