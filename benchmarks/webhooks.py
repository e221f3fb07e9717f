"""Webhooks: how soon an event is told, how many a second, and what bad endpoints cost the others.

    python -m benchmarks.webhooks [--turns 12] [--messages 8000] [--json FILE]

`postroom serve` with its one events process, a relay that takes everything at once, and endpoints that are processes
of their own. A turn is two rounds: a fast endpoint alone, and the same beside one that never answers and one that
answers 500; which of them goes first changes with every turn. A round sends as fast as the server takes it, which gives
the delivery rate, and then at a steady pace, which gives the time from outcome to request at the fast endpoint. A gauge
beside it tells what processor time is worth at each moment (benchmarks.gauge). Before each round PostgreSQL has written
its checkpoint and vacuumed, and nothing that is asked while a round runs grows with the rounds before it. At last
everything is replayed to the fast endpoint, which gives events a second.
Prints medians, the median change within a turn with its confidence interval, and single runs; stores all of it.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

from benchmarks.cpu import CpuMeter, read_stats
from benchmarks.figures import Run, median_interval, medians, number, percentile, table
from benchmarks.gauge import mean_cost
from benchmarks.http_load import send_all
from benchmarks.machine import machine_facts, result_name
from benchmarks.processes import Child, ProgramFailed, free_port, listens, require_programs, until
from benchmarks.sends import Recipients
from benchmarks.servers import WholeServer, relay_on
from benchmarks.sink import Sink

from postroom.events.callbacks import create_callback, replay_callback, verify_callback
from postroom.events.subscriptions import EMAIL_SENT, create_subscription
from postroom.store.pool import Pool, open_pool
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

RESULTS = Path(__file__).parent / "results"
PACE = 200
PACED_SECONDS = 3
_STEP = 10
_LARGEST_REQUEST = 500

_SILENCE = "update callback set verified_at = null where account_id = $1 and callback_id = any($2::uuid[])"
# As it was when it was verified: what came before is not for it.
_WAKE = """
update callback
   set verified_at = now(), cursor_xid = pg_snapshot_xmin(pg_current_snapshot()), cursor_event = 0, cursor_at = now(),
       events_from = now(), attempt = 0, due_at = 'epoch', batch_xid = null, batch_event = null, batch_at = null
 where account_id = $1 and callback_id = any($2::uuid[])
"""
_SENT = "select count(*) from event where account_id = $1 and kind = 'sent'"
_EMPTY = "select not exists (select from queue where account_id = $1)"
_DISTURBANCES = """
select (select num_timed + num_requested from pg_stat_checkpointer)
       + (select coalesce(sum(autovacuum_count + autoanalyze_count), 0) from pg_stat_user_tables)
"""


class Hook:
    """An endpoint process and its callback."""

    def __init__(self, folder: Path, manner: Literal["ok", "broken", "silent"]) -> None:
        self.port = free_port()
        self.callback_id: UUID = uuid4()
        self._output = folder / f"hook-{manner}.log"
        self._read = 0
        self._told: list[tuple[float, list[float]]] = []
        command = [sys.executable, "-m", "benchmarks.hook", str(self.port), manner]
        self._child = Child(command, log=self._output, env=dict(os.environ))

    async def start(self, pool: Pool) -> None:
        """Listen, and be told of everything that is sent."""
        await self._child.ready(lambda: listens(self.port))
        url = f"http://127.0.0.1:{self.port}/hooks"
        await create_callback(
            pool,
            DEFAULT_ACCOUNT_ID,
            callback_id=self.callback_id,
            name="Hook",
            url=url,
            max_batch_size=1_000,
            verification_key="k",
            random_bytes=os.urandom,
        )
        await verify_callback(pool, DEFAULT_ACCOUNT_ID, self.callback_id, "k")
        await create_subscription(
            pool,
            DEFAULT_ACCOUNT_ID,
            subscription_id=uuid4(),
            callback_id=self.callback_id,
            name=url,
            event_types=[EMAIL_SENT],
            filters=[],
        )

    def told(self) -> list[tuple[float, list[float]]]:
        """For each request: when it came, and how many milliseconds after each of its events."""
        # Only what is new is read: it is asked for many times while a round runs.
        with self._output.open("rb") as output:
            output.seek(self._read)
            new = output.read()
        new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        for line in new.decode().splitlines():
            at, *lags = line.split()
            self._told.append((float(at), [float(lag) for lag in lags]))
        return self._told

    def events(self) -> int:
        """How many it was told."""
        return sum(len(lags) for _, lags in self.told())

    async def stop(self) -> None:
        """End it."""
        await self._child.stop()


class Measured:
    """The server, its endpoints and its people."""

    def __init__(
        self, server: WholeServer, pool: Pool, good: Hook, bad: Sequence[Hook], gauge: Path, messages: int
    ) -> None:
        self._gauge = gauge
        self._server = server
        self._pool = pool
        self._good = good
        self._bad = [hook.callback_id for hook in bad]
        self._messages = messages
        self._people = Recipients(max(messages, PACE * PACED_SECONDS))

    async def round(self, name: str, *, with_bad: bool) -> Run:
        """Messages a second at full speed, and microseconds of the server's processors for each; at a steady pace the
        median and 95th percentile of the milliseconds. What PostgreSQL did beside it, too.
        """
        await self._pool.execute(_WAKE if with_bad else _SILENCE, DEFAULT_ACCOUNT_ID, self._bad)
        begun = time.perf_counter()
        for statement in ("vacuum (analyze) queue", "analyze event", "analyze message", "checkpoint"):
            await self._pool.execute(statement)
        # Callbacks are looked for every second.
        await asyncio.sleep(max(0.5, begun + 2.5 - time.perf_counter()))
        disturbances = await self._pool.fetchval(_DISTURBANCES)
        full = self._people.requests(
            f"f{name}", self._messages, batch=_LARGEST_REQUEST, host="127.0.0.1", token=self._server.token
        )
        sent = await self._sent()
        meter = CpuMeter({"server": [pid for pids in self._server.roots().values() for pid in pids] + _events_role()})
        meter.start()
        begun, since = time.perf_counter(), time.time()
        posting = asyncio.ensure_future(send_all(self._server.address, full, connections=4))
        await posting
        while not await self._pool.fetchval(_EMPTY, DEFAULT_ACCOUNT_ID):  # noqa: ASYNC110 - other processes send
            await asyncio.sleep(0.02)
        rate = self._messages / (time.perf_counter() - begun)
        await self._all_told(sent + self._messages)
        micros = meter.stop()["server"] / self._messages * 1e6
        # Pieces of the gauge a message: the processor time by the measure of the same moments.
        pieces = micros / mean_cost(self._gauge, since, time.time()) * 1000
        p50, p95 = await self._paced(name)
        disturbances = await self._pool.fetchval(_DISTURBANCES) - disturbances
        return {
            "rate": rate,
            "us": micros,
            "pieces": pieces,
            "p50": p50,
            "p95": p95,
            "disturbances": float(disturbances),
        }

    async def _paced(self, name: str) -> tuple[float, float]:
        sent, requests = await self._sent(), len(self._good.told())
        paced = self._people.requests(
            f"p{name}", PACE * PACED_SECONDS, batch=_STEP, host="127.0.0.1", token=self._server.token
        )
        begun = time.perf_counter()
        for place, request in enumerate(paced):
            await asyncio.sleep(begun + place * _STEP / PACE - time.perf_counter())
            await send_all(self._server.address, [request], connections=1)
        await self._all_told(sent + PACE * PACED_SECONDS)
        lags = [lag for _, each in self._good.told()[requests:] for lag in each]
        return statistics.median(lags), percentile(lags, 0.95)

    async def replay(self) -> tuple[float, float, int]:
        """Events a second of everything there is, to the good endpoint alone; microseconds of the role for each."""
        await self._pool.execute(_SILENCE, DEFAULT_ACCOUNT_ID, self._bad)
        await asyncio.sleep(2.5)
        count, told, requests = await self._sent(), self._good.events(), len(self._good.told())
        meter = CpuMeter({"events": _events_role()}).start()
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begun = time.time()
        await replay_callback(self._pool, DEFAULT_ACCOUNT_ID, self._good.callback_id, midnight)
        await until(lambda: self._good.events() - told >= count, every=0.2, within=120, what="everything is replayed")
        cpu = meter.stop()["events"]
        last = self._good.told()[-1][0]
        return count / (last - begun), cpu / count * 1e6, len(self._good.told()) - requests

    async def _sent(self) -> int:
        count: int = await self._pool.fetchval(_SENT, DEFAULT_ACCOUNT_ID)
        return count

    async def _all_told(self, count: int) -> None:
        await until(lambda: self._good.events() >= count, every=0.1, within=60, what=f"{count} events are told")


def _events_role() -> list[int]:
    """The events process of the server that this process started."""
    ours = {os.getpid()}
    stats = sorted(read_stats(), key=lambda each: each.pid)
    for _ in range(3):
        ours |= {each.pid for each in stats if each.parent in ours}
    found = []
    for pid in ours:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"events" in words:
            found.append(pid)
    return found


TITLES = {
    "rate": "messages/s at full speed",
    "us": "us of the server's processors each",
    "pieces": "the same in thousandths of the gauge's piece",
    "p50": f"ms to the request at {PACE}/s, p50",
    "p95": f"ms to the request at {PACE}/s, p95",
}


async def measure(folder: Path, turns: int, messages: int) -> dict[str, object]:
    """Run everything and print it; what is to be stored."""
    async with AsyncExitStack() as held:
        sink = Sink(folder)
        held.push_async_callback(sink.stop)
        await sink.ready()
        server = WholeServer(folder, relay_on(sink.port) | {"ens_allow_private": 1})
        held.push_async_callback(server.stop)
        await server.start()
        pool = await open_pool(server.dsn, max_size=2, application_name="benchmark")
        held.push_async_callback(pool.close)
        good, *bad = hooks = [Hook(folder, "ok"), Hook(folder, "silent"), Hook(folder, "broken")]
        for hook in hooks:
            held.push_async_callback(hook.stop)
            await hook.start(pool)
        gauge = Child([sys.executable, "-m", "benchmarks.gauge"], log=folder / "gauge.log", env=dict(os.environ))
        held.push_async_callback(gauge.stop)
        measured = Measured(server, pool, good, bad, folder / "gauge.log", messages)
        for number_ in range(2):
            await measured.round(f"warm{number_}", with_bad=bool(number_))
        alone: list[Run] = []
        beside: list[Run] = []
        for turn in range(turns):
            # Whoever goes first has the emptier tables: they take turns at that too.
            for with_bad in (False, True) if turn % 2 == 0 else (True, False):
                found = await measured.round(f"{turn}-{with_bad:d}", with_bad=with_bad)
                (beside if with_bad else alone).append(found)
        if not all(hook.told() for hook in bad):
            raise ProgramFailed("a bad endpoint was asked nothing")
        rate, micros, requests = await measured.replay()
    rows = [["", "alone", "beside bad ones", "change within a turn", "single runs"]]
    changes: dict[str, dict[str, float]] = {}
    for name, title in TITLES.items():
        change = [two[name] / one[name] - 1 for one, two in zip(alone, beside, strict=True)]
        low, high, sure = median_interval(change)
        changes[name] = {"median": statistics.median(change), "low": low, "high": high, "confidence": sure}
        single = " | ".join(" ".join(number(run[name]) for run in runs) for runs in (alone, beside))
        words = f"{100 * statistics.median(change):+.1f} % ({100 * low:+.1f} to {100 * high:+.1f}, {100 * sure:.0f} %)"
        rows.append([title, number(medians(alone)[name]), number(medians(beside)[name]), words, single])
    print(table(rows))
    print(
        f"replay to one endpoint: {number(rate)} events/s in {requests} requests, {number(micros)} us of the role each"
    )
    return {
        "messages a round": messages,
        "alone": alone,
        "beside": beside,
        "change": changes,
        "replay": {"rate": rate, "us": micros, "requests": requests},
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.webhooks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--messages", type=int, default=8_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to store the result")
    wanted = parser.parse_args()
    require_programs()
    facts, started = machine_facts(), datetime.now(UTC)
    print("  ".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="postroom-bench-", dir="/var/tmp") as place:
        # PostgreSQL runs as nobody.
        Path(place).chmod(0o755)
        found = asyncio.run(measure(Path(place), wanted.turns, wanted.messages))
    report = {"started": started.isoformat(timespec="seconds"), "machine": facts, "webhooks": found}
    target = wanted.json or RESULTS / result_name(facts, started).replace(".json", "-webhooks.json")
    target.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print(f"stored in {target}")


if __name__ == "__main__":
    main()
