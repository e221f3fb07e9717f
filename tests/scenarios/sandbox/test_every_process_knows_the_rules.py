"""Rules hold for all API processes at once, and are used up together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postroom.assembly.roles import prepare_database, prepare_server
from postroom.sandbox import chaos_rules
from postroom.sandbox.chaos import ChaosRule
from postroom.sandbox.chaos_rules import KnownRules, NotEverywhere, forget_rules, read_rules, set_rules
from postroom.settings import load_settings
from postroom.store.pool import Pool, connect


@asynccontextmanager
async def process(dsn: str, pool: Pool) -> AsyncIterator[KnownRules]:
    """What an API process knows, kept up to date."""
    known = KnownRules(dsn, pool)
    task = asyncio.create_task(known.keep())
    try:
        async with asyncio.timeout(10):
            await known.loaded.wait()
        yield known
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_every_process_knows_when_rules_are_set_and_when_they_are_gone(database: str, pool: Pool) -> None:
    await set_rules(pool, [ChaosRule(status=500, share=1.0)], None)
    async with process(database, pool) as one, process(database, pool) as other:
        assert [len(each.current) for each in (one, other)] == [1, 1]  # one that starts later knows as well
        for rules in ([ChaosRule(status=503, times=1), ChaosRule(cut="after", times=1, account_id=7)], []):
            await set_rules(pool, rules, None)
            for each in (one, other):
                assert [known.rule for known in each.current] == rules


async def test_calls_of_all_processes_use_a_rule_up_together(database: str, pool: Pool) -> None:
    async with process(database, pool) as one, process(database, pool) as other:
        await set_rules(pool, [ChaosRule(status=500, times=5)], None)
        (rule,) = one.current
        taken = await asyncio.gather(*(each.take(rule) for each in (one, other) for _ in range(10)))
        assert sum(taken) == 5
        assert one.current == ()
        (shown,) = await read_rules(pool, None)
        assert (shown.matched, shown.hits, shown.rule) == (5, 5, rule.rule)
        # Set again it counts anew; of one business unit only the rules of that one change.
        await set_rules(pool, [ChaosRule(status=500, times=5, account_id=7)], 7)
        assert [(each.hits, each.rule.account_id) for each in await read_rules(pool, None)] == [(5, None), (0, 7)]
        assert [each.rule.account_id for each in await read_rules(pool, 7)] == [7]
        await forget_rules(pool)
        assert await read_rules(pool, None) == []
        assert not await one.take(rule)


async def test_a_process_that_does_not_hear_is_told_of(
    database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos_rules, "_KNOWN_SECONDS", 0.2)
    stuck = await connect(database, application_name="postroom chaos 0")
    with pytest.raises(NotEverywhere):
        await set_rules(pool, [ChaosRule(status=500, times=1)], None)
    assert len(await read_rules(pool, None)) == 1
    await stuck.close()
    await set_rules(pool, [], None)


async def test_rules_are_heard_of_again_after_the_connection_was_lost(database: str, pool: Pool) -> None:
    async with process(database, pool) as known:
        await pool.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'postroom chaos %'"
            " and datname = current_database()"
        )
        await set_rules(pool, [ChaosRule(status=500, times=1)], None)
        async with asyncio.timeout(10):
            while not known.current:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_server_begins_without_the_rules_of_an_earlier_run(database: str, pool: Pool) -> None:
    await set_rules(pool, [ChaosRule(status=500, times=1)], None)
    settings = load_settings({}, overrides={"database_url": database})
    await prepare_database(settings, database)  # what a process that is replaced does, and every command
    assert len(await read_rules(pool, None)) == 1
    await prepare_server(settings, database)
    assert await read_rules(pool, None) == []
