"""What the delivery processes have in hand for each busy site: who is slow, and what waits for it.

Each process replaces its own rows every few seconds. Those of a process that is no more are not told for long.
"""

from collections.abc import Sequence
from typing import NamedTuple

from postroom.metrics.counts import label_text
from postroom.metrics.declared import SITE_MESSAGES, SITE_NEXT_TURN, SITE_PACE
from postroom.store.database import Database, Pool

SECONDS = 5.0
"""So often is it written."""

_FORGET = "delete from delivery_site where lease_owner = $1 or seen_at < now() - interval '1 hour'"

_NOTE = """
insert into delivery_site (lease_owner, site, waiting, under_way, per_minute, next_turn_at, seen_at)
select $1, site, waiting, under_way, per_minute, now() + make_interval(secs => next_turn), now()
from unnest($2::text[], $3::integer[], $4::integer[], $5::integer[], $6::float8[])
     as busy(site, waiting, under_way, per_minute, next_turn)
"""

_ALL = """
select site, sum(waiting)::bigint as waiting, sum(under_way)::bigint as under_way,
       sum(per_minute)::bigint as per_minute,
       ceil(extract(epoch from max(next_turn_at) - now()))::bigint as next_turn
from delivery_site
where seen_at > now() - interval '30 seconds'
group by site
order by site
"""


class BusySite(NamedTuple):
    """One site of one process, while something waits for it, is under way or was given back."""

    site: str
    waiting: int
    under_way: int
    per_minute: int | None
    """What it has shown itself to do; None while nothing is known."""
    next_turn: float | None
    """Seconds until the last of those given back comes again; None when none was."""

    def with_others(self, other: "BusySite | None") -> "BusySite":
        """Together with another of the same name: one host may belong to several sites."""
        if other is None:
            return self
        paces = [each.per_minute for each in (self, other) if each.per_minute is not None]
        turns = [each.next_turn for each in (self, other) if each.next_turn is not None]
        return BusySite(
            self.site,
            self.waiting + other.waiting,
            self.under_way + other.under_way,
            sum(paces) if paces else None,
            max(turns, default=None),
        )


async def note_sites(pool: Pool, owner: str, busy: Sequence[BusySite]) -> None:
    """Replace what a process told before. Sites have different names."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_FORGET, owner)
        if busy:
            await connection.execute(_NOTE, owner, *map(list, zip(*busy, strict=True)))


async def read_sites(database: Database) -> list[tuple[str, str, int]]:
    """The samples of all processes together."""
    samples = []
    for row in await database.fetch(_ALL):
        site = row["site"]
        samples += [
            (SITE_MESSAGES.name, label_text(SITE_MESSAGES, (site, "waiting")), row["waiting"]),
            (SITE_MESSAGES.name, label_text(SITE_MESSAGES, (site, "under-way")), row["under_way"]),
        ]
        if row["per_minute"] is not None:
            samples.append((SITE_PACE.name, label_text(SITE_PACE, (site,)), row["per_minute"]))
        if row["next_turn"] is not None and row["next_turn"] > 0:
            samples.append((SITE_NEXT_TURN.name, label_text(SITE_NEXT_TURN, (site,)), row["next_turn"]))
    return samples
