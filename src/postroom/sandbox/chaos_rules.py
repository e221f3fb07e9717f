"""The rules that are set, in the database, and what each API process knows of them.

Setting them is over when every API process has said that it knows them, so the next call of a test meets them whichever
process takes it. A process says so in the name of the connection on which it listens for news: that can't outlive it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import msgspec
import structlog

from postroom.sandbox.chaos import ChaosRule
from postroom.store.database import Database
from postroom.store.pool import Connection, Pool, connect
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

CHANNEL = "postroom_chaos"

_NAME = "postroom chaos"
_LOOK_SECONDS = 10.0
_AGAIN_SECONDS = 0.25
_KNOWN_SECONDS = 5.0

# The row of the generation keeps two who set rules apart.
_BEGIN = "update chaos_generation set generation = generation + 1 returning generation"
_CLEAR = "delete from chaos_rule where $1::bigint is null or account_id = $1"
_ADD = "insert into chaos_rule (account_id, rule) select * from unnest($1::bigint[], $2::text[])"
_TELL = f"select pg_notify('{CHANNEL}', '')"

_READ = """
select rule_id, rule, matched, hits from chaos_rule where $1::bigint is null or account_id = $1 order by rule_id
"""

_LOAD = """
select g.generation, r.rule_id, r.rule, r.matched, r.hits
from chaos_generation g left join chaos_rule r on true
order by r.rule_id
"""

# Of a rule that is used up nothing is counted any more.
_HIT = """
update chaos_rule set matched = matched + 1, hits = hits + 1
where rule_id = $1 and ($2::bigint is null or hits < $2)
returning hits
"""
_MET = """
update chaos_rule set matched = matched + 1
where rule_id = $1 and ($2::bigint is null or hits < $2)
returning matched
"""
_DRAWN = "update chaos_rule set hits = hits + 1 where rule_id = $1 and ($2::bigint is null or hits < $2) returning hits"

# Those that listen and have not said that they know this generation.
_BEHIND = f"""
select count(*) from pg_stat_activity
where datname = current_database() and substring(application_name from '^{_NAME} ([0-9]{{1,18}})$')::bigint < $1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class SetRule:
    """A rule that is set, and how many calls it was about, and happened to."""

    rule_id: int
    rule: ChaosRule
    matched: int = 0
    hits: int = 0


class NotEverywhere(Exception):
    """The rules are set, and not every API process has said that it knows them."""


async def set_rules(pool: Pool, rules: Sequence[ChaosRule], account_id: int | None) -> None:
    """Put rules in the place of all, or of those of one business unit. Raises NotEverywhere."""
    async with pool.acquire() as connection, connection.transaction():
        generation: int = await connection.fetchval(_BEGIN)
        await connection.execute(_CLEAR, account_id)
        written = [msgspec.json.encode(rule).decode() for rule in rules]
        await connection.execute(_ADD, [rule.account_id for rule in rules], written)
        await connection.execute(_TELL)
    try:
        async with asyncio.timeout(_KNOWN_SECONDS):
            while await pool.fetchval(_BEHIND, generation):  # noqa: ASYNC110  another process tells
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise NotEverywhere from None


async def read_rules(database: Database, account_id: int | None) -> list[SetRule]:
    """The rules that are set, or those of one business unit, in their order."""
    rows = await database.fetch(_READ, account_id)
    return [_set_rule(row) for row in rows]


async def forget_rules(database: Database) -> None:
    """Begin without rules: those of an earlier run of the server would surprise whoever starts it again."""
    await database.execute(_CLEAR, None)


class KnownRules:
    """What one API process knows. ``current`` is empty when no rule can happen; `keep` it up to date."""

    def __init__(self, dsn: str, pool: Pool) -> None:
        self._dsn = dsn
        self._pool = pool
        self._news = asyncio.Event()
        self.loaded = asyncio.Event()
        """Set once it is known what holds."""
        self.current: tuple[SetRule, ...] = ()

    async def keep(self) -> None:
        """Follow what is set, until cancelled."""
        log = structlog.get_logger("sandbox")
        while True:
            connection: Connection | None = None
            try:
                connection = await connect(self._dsn, application_name=f"{_NAME} 0")
                connection.add_termination_listener(lambda _: self._news.set())
                await connection.add_listener(CHANNEL, lambda *_: self._news.set())
                while not connection.is_closed():
                    self._news.clear()
                    await self._load(connection)
                    try:
                        await asyncio.wait_for(self._news.wait(), _LOOK_SECONDS)
                    except TimeoutError:
                        continue
            except DATABASE_TROUBLE as error:
                tell_trouble(log, "chaos_waits_for_database", error)
            finally:
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def take(self, known: SetRule) -> bool:
        """Whether a rule happens to a call that it is about; it is counted."""
        rule = known.rule
        try:
            if rule.share is None:
                hits = await self._pool.fetchval(_HIT, known.rule_id, rule.times)
            else:
                number = await self._pool.fetchval(_MET, known.rule_id, rule.times)
                if number is not None and not rule.draws(number):
                    return False
                hits = await self._pool.fetchval(_DRAWN, known.rule_id, rule.times)
        except DATABASE_TROUBLE as error:
            tell_trouble(structlog.get_logger("sandbox"), "chaos_rule_not_counted", error)
            return False
        if rule.times is not None and (hits is None or hits >= rule.times):
            self.current = tuple(each for each in self.current if each.rule_id != known.rule_id)
        return hits is not None

    async def _load(self, connection: Connection) -> None:
        rows = await connection.fetch(_LOAD)
        known = [_set_rule(row) for row in rows if row["rule_id"] is not None]
        self.current = tuple(each for each in known if each.rule.times is None or each.hits < each.rule.times)
        await connection.execute("select set_config('application_name', $1, false)", f"{_NAME} {rows[0]['generation']}")
        self.loaded.set()


def _set_rule(row: asyncpg.Record) -> SetRule:
    rule = msgspec.json.decode(row["rule"], type=ChaosRule)
    return SetRule(row["rule_id"], rule, row["matched"], row["hits"])
