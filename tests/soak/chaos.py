"""Carries out the schedule, and writes down what was done to delivery processes and the database, and for how long."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from tests.scenarios.mx.nameserver import SERVFAIL, SILENT
from tests.soak.cutting import Wire
from tests.soak.ledger import Trouble, TroubleKind
from tests.soak.office import FAKE_CLOCK, send_signal
from tests.soak.schedule import Blow
from tests.soak.world import LEASE_SECONDS, World

CLOCK_SECONDS = 8.0
_START_SECONDS = 15.0
_AFTERWARDS = 3.0
"""Seconds for which a worker may go on waiting until it tries the database again."""
_FEW_BYTES = 6_000
_MANY_BYTES = 200_000
_STOP_SECONDS = {"deliver": 8.0, "api": 11.0, "events": 4.0}
"""What `serve` gives each of them until it kills them."""
_LONGEST_STOP_SECONDS = 60.0
_STOP_TERM_SECONDS = 8.0  # after which `serve` kills a delivery process that can't settle


class Chaos:
    """``balloon`` is a file on the small file system of the database, where there is one."""

    def __init__(
        self, world: World, blows: Sequence[Blow], *, balloon: Path | None, say: Callable[[str], None]
    ) -> None:
        self._world = world
        self._blows = blows
        self._balloon = balloon
        self._say = say
        self._stopped: set[int] = set()
        self._restarting = asyncio.Lock()
        self._disturbing = 0
        self._disturbed = 0.0

    async def run(self) -> None:
        """All blows in their time; returns when the last is over and nothing stands still."""
        begun = time.monotonic()
        at_work: set[asyncio.Task[None]] = set()
        for blow in self._blows:
            await asyncio.sleep(max(0.0, begun + blow.at - time.monotonic()))
            task = asyncio.create_task(self._strike(blow))
            at_work.add(task)
        await asyncio.gather(*at_work)

    async def _strike(self, blow: Blow) -> None:
        world, kind, wires = self._world, blow.kind, {"database": self._world.office.database}
        wires |= {"clients": world.api, "webhooks": world.hooks}
        hit = True
        verb, _, rest = kind.partition(" ")
        if kind == "kill serve":
            await self._kill_serve()
        elif kind == "terminate serve":
            await self._terminate_serve()
        elif kind == "kill postgres":
            await self._of_database(self._send(self._postmaster(), blow, signal.SIGKILL))
        elif kind == "kill backend":
            await self._of_database(self._send(world.office.backends(), blow, signal.SIGKILL))
        elif verb == "kill":
            if rest == "deliver":
                world.ledger.troubles.append(Trouble("kill", time.time(), time.time()))
            hit = await self._send(world.office.role(rest), blow, signal.SIGKILL)
        elif verb == "terminate":
            hit = await self._terminate(rest, blow)
        elif verb == "stop":
            hit = await self._stop(rest, blow)
        elif kind == "database stands still":
            await self._freeze(blow)
        elif kind == "the clock steps":
            hit = await self._step_clock(blow)
        elif kind == "disk full":
            hit = await self._fill_disk(blow)
        elif verb == "cut" and rest.partition(" ")[0] in wires:
            await self._cut(kind, wires[rest.partition(" ")[0]], blow)
        elif kind.startswith("webhooks"):
            world.receiver.mood = "hang" if kind == "webhooks hang" else "refuse"
            await asyncio.sleep(blow.seconds)
            world.receiver.mood = "agree"
        elif kind.startswith("dns"):
            await self._break_dns(blow)
        else:
            await self._at_a_host(blow)
        world.ledger.counts[f"blow: {kind}"] += hit
        self._say(f"{blow}{'' if hit else ', nobody was there'}")

    # -- processes

    def _postmaster(self) -> list[int]:
        pid = self._world.office.postgres.pid
        return [] if pid is None else [pid]

    async def _send(self, pids: Sequence[int], blow: Blow, number: signal.Signals) -> bool:
        if not pids:
            return False
        send_signal(pids[blow.pick % len(pids)], number)
        return True

    async def _terminate(self, role: str, blow: Blow) -> bool:
        """It ends by itself, as soon as it may be expected to."""
        pids = self._world.office.role(role)
        if not pids:
            return False
        pid, begun = pids[blow.pick % len(pids)], time.time()
        send_signal(pid, signal.SIGTERM)
        while pid in self._world.office.role(role):
            if time.time() > begun + _STOP_SECONDS[role] and self._undisturbed(begun):
                self._world.ledger.faults.append(f"{role} {pid} does not end {_STOP_SECONDS[role]} s after SIGTERM")
                break
            if time.time() > begun + _LONGEST_STOP_SECONDS:
                self._world.ledger.faults.append(f"{role} {pid} does not end after SIGTERM, whatever happened since")
                break
            await asyncio.sleep(0.2)
        return True

    def _undisturbed(self, since: float) -> bool:
        """Whether nothing was done to the database, and nothing stood still, from a little before then on.

        A process that is still starting then has had nothing in its way either.
        """
        stalled = any(
            each.kind == "stall" and each.until > since - _START_SECONDS for each in self._world.ledger.troubles
        )
        return not stalled and not self._disturbing and self._disturbed < since - _START_SECONDS

    async def _stop(self, rest: str, blow: Blow) -> bool:
        role = rest.partition(" ")[0]
        pids = [pid for pid in self._world.office.role(role) if pid not in self._stopped]
        if not pids:
            return False
        pid = pids[blow.pick % len(pids)]
        seconds = blow.seconds + (LEASE_SECONDS if "lease" in rest else 0)
        self._stopped.add(pid)
        with self._trouble("stop") if role in ("deliver", "signing") else contextlib.nullcontext():
            send_signal(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                send_signal(pid, signal.SIGCONT)
                self._stopped.discard(pid)
        return True

    async def _kill_serve(self) -> None:
        async with self._restarting:
            serve = self._world.office.serve
            assert serve is not None
            with contextlib.suppress(ProcessLookupError):
                serve.kill()
            await serve.wait()
            await self._world.office.start()

    async def _terminate_serve(self) -> None:
        async with self._restarting:
            begun = time.time()
            code, seconds = await self._world.office.stop()
            if code:
                self._world.ledger.faults.append(f"serve ended with {code} after {seconds:.1f} s of SIGTERM")
            if seconds > _STOP_TERM_SECONDS:
                # It may have killed a delivery process that could not settle.
                self._world.ledger.troubles += [Trouble("kill", at, at) for at in (begun + 8.0, begun + seconds)]
            await self._world.office.start()

    # -- the database

    @contextlib.contextmanager
    def _trouble(self, kind: TroubleKind, *, afterwards: float = 0.0) -> Iterator[None]:
        """What is done within is written down with its time."""
        begun = time.time()
        self._disturbing += 1
        try:
            yield
        finally:
            self._disturbing -= 1
            self._disturbed = time.time() + afterwards
            self._world.ledger.troubles.append(Trouble(kind, begun, self._disturbed))

    async def _of_database(self, blow: Awaitable[object]) -> None:
        with self._trouble("database", afterwards=_AFTERWARDS):
            await blow
            await asyncio.sleep(0.2)
            await self._world.office.database_answers()

    async def _freeze(self, blow: Blow) -> None:
        with self._trouble("database", afterwards=_AFTERWARDS):
            self._world.office.database.freeze()
            await asyncio.sleep(blow.seconds)
            self._world.office.database.thaw()

    async def _fill_disk(self, blow: Blow) -> bool:
        if self._balloon is None:
            return False

        async def blow_up(balloon: Path) -> None:
            with balloon.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 20))
                    await asyncio.sleep(0)
            with balloon.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(512))
            await asyncio.sleep(blow.seconds)
            await asyncio.to_thread(balloon.unlink, missing_ok=True)

        await self._of_database(blow_up(self._balloon))
        return True

    async def _step_clock(self, blow: Blow) -> bool:
        if not FAKE_CLOCK.exists():
            return False
        self._world.office.step_clock(random.Random(blow.pick).uniform(-CLOCK_SECONDS, CLOCK_SECONDS))
        await asyncio.sleep(blow.seconds)
        self._world.office.step_clock(0)
        return True

    # -- wires

    async def _cut(self, kind: str, wire: Wire, blow: Blow) -> None:
        of_database = self._trouble("database", afterwards=_AFTERWARDS)
        with of_database if wire is self._world.office.database else contextlib.nullcontext():
            await self._cut_wire(kind, wire, blow)

    async def _cut_wire(self, kind: str, wire: Wire, blow: Blow) -> None:
        if kind.endswith("byte"):
            rand = random.Random(blow.pick)

            def budget() -> int:
                return rand.randrange(1, rand.choice((_FEW_BYTES, _MANY_BYTES)))

            wire.limit(budget)
            wire.budget = budget
            await asyncio.sleep(blow.seconds)
            wire.budget = lambda: None
        else:
            wire.cut()

    # -- the internet

    async def _break_dns(self, blow: Blow) -> None:
        names = sorted({name for name, _ in self._world.dns.zone})
        chosen = random.Random(blow.pick).sample(names, 4)
        fault = SERVFAIL if blow.kind == "dns fails" else SILENT
        self._world.dns.faults.update(dict.fromkeys(chosen, fault))
        await asyncio.sleep(blow.seconds)
        for name in chosen:
            self._world.dns.faults.pop(name, None)

    async def _at_a_host(self, blow: Blow) -> None:
        hosts = list(self._world.hosts.values())
        host = hosts[blow.pick % len(hosts)]
        if blow.kind == "cut mail hosts":
            for each in hosts:
                each.cut()
        elif blow.kind == "a mail host is busy":
            host.mode = "busy"
            await asyncio.sleep(blow.seconds)
            host.become_free()
        elif host.mode != "away":
            await host.leave()
            await asyncio.sleep(blow.seconds)
            await host.come_back()
