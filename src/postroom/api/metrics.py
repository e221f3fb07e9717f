"""`GET /metrics` for Prometheus: what all processes of this installation counted, and how things stand.

It is answered only to who knows the token of the settings; without one there is no such route.
"""

import hmac
import time
from collections.abc import Callable, Iterator

import asyncpg

from postroom.api.errors import ApiError, Code
from postroom.api.oauth import AnyRequest
from postroom.api.reply import Reply, error_reply
from postroom.metrics.counts import label_text, read_counts
from postroom.metrics.declared import QUEUE, QUEUE_DEFINITION, QUEUE_OLDEST, SUPPRESSIONS
from postroom.metrics.sites import read_sites
from postroom.metrics.text import CONTENT_TYPE, metrics_text
from postroom.store.database import Pool

METRICS = "/metrics"

_SUPPRESSIONS_KEPT = 300.0
_NO_STORE = ((b"cache-control", b"no-store"),)

# By slices: their messages are not looked at. Rows with a state are of the whole queue, the others of a definition;
# a label for each definition would be without a bound.
_QUEUE = """
with slices as materialized (
    select account_id, definition_id,
           case when due_at = 'infinity' then 'held' when leased_until > now() then 'leased'
                when due_at > now() then 'waiting' else 'due' end as state,
           sum(messages)::bigint as messages, min(accepted_at) as oldest
    from queue
    group by 1, 2, 3),
definitions as (
    select q.*, d.definition_key, row_number() over (order by d.status <> 'Active', q.oldest nulls last) as by_age,
           row_number() over (order by q.messages desc) as by_depth
    from (select account_id, definition_id, sum(messages)::bigint as messages,
                 min(oldest) filter (where state <> 'held') as oldest
          from slices
          group by 1, 2) q
    cross join lateral (
        select definition_key, status from definition
        where account_id = q.account_id and definition_id = q.definition_id
        limit 1) d)
select state, null as account_id, null as definition_key, sum(messages)::bigint as messages, null as seconds
from slices
group by state
union all
select null, account_id, definition_key, messages, greatest(0, floor(extract(epoch from now() - oldest)))::bigint
from definitions
where by_age <= $1 or by_depth <= $1
order by 1, 2, 3
"""
MOST_DEFINITIONS = 20
"""So many that have the oldest messages are told, and so many that have most."""

_SUPPRESSIONS = """
select cause, case when expires_at <= now() then 'expired' else 'in-force' end as state, count(*) as rows
from suppression
group by 1, 2
order by 1, 2
"""


class Metrics:
    """The handler. ``clock`` gives monotonic seconds."""

    def __init__(self, pool: Pool, token: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._clock = clock
        self._suppressions: list[tuple[str, str, int]] = []
        self._looked_at = float("-inf")

    async def answer(self, request: AnyRequest) -> Reply:
        """GET /metrics: 404 without a token in the settings, 401 without it in the request."""
        if self._expected is None:
            return error_reply(ApiError(Code.ROUTE_UNKNOWN))
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._expected):
            return error_reply(ApiError(Code.NOT_AUTHORIZED))
        samples = await read_counts(self._pool)
        for row in await self._pool.fetch(_QUEUE, MOST_DEFINITIONS):
            samples += _queue_samples(row)
        samples += await read_sites(self._pool)
        text = metrics_text(samples + await self._stored_suppressions())
        return Reply(text.encode(), headers=_NO_STORE, media_type=CONTENT_TYPE.encode("ascii"))

    async def _stored_suppressions(self) -> list[tuple[str, str, int]]:
        now = self._clock()
        if now - self._looked_at > _SUPPRESSIONS_KEPT:
            # All rows are read, of which there may be millions.
            rows = await self._pool.fetch(_SUPPRESSIONS)
            self._suppressions = [
                (SUPPRESSIONS.name, label_text(SUPPRESSIONS, (row["cause"], row["state"])), row["rows"]) for row in rows
            ]
            self._looked_at = now
        return self._suppressions


def _queue_samples(row: asyncpg.Record) -> Iterator[tuple[str, str, int]]:
    if row["state"] is not None:
        yield QUEUE.name, label_text(QUEUE, (row["state"],)), row["messages"]
        return
    whose = (str(row["account_id"]), row["definition_key"])
    yield QUEUE_DEFINITION.name, label_text(QUEUE_DEFINITION, whose), row["messages"]
    if row["seconds"] is not None:
        yield QUEUE_OLDEST.name, label_text(QUEUE_OLDEST, whose), row["seconds"]
