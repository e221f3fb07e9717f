"""`make soak`: tries to lose or double a mail, for some minutes, and says what it found.

    python -m tests.soak.run [--seconds 600] [--seed N] [--mails 60] [--processes 2] [--only "kill deliver" ...]

The seed chooses what clients ask, what mail hosts do with each attempt, and what is done to the server when; timing is
the machine's. The exit code is 1 when there is any fault; the folder with the logs then stays.
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import uvloop
from tests.soak.audit import Report, audit
from tests.soak.chaos import CLOCK_SECONDS, Chaos
from tests.soak.doubles import allowances
from tests.soak.ending import idle, let_go, reports, signatures, statuses, stopped
from tests.soak.schedule import KINDS, BlowKind, schedule
from tests.soak.setting_up import CODE_SECONDS, DEFINITIONS, FIRST, SECOND, set_up
from tests.soak.steward import Steward
from tests.soak.tables import read_tables
from tests.soak.traffic import Sender
from tests.soak.watch import Watch
from tests.soak.world import LEASE_SECONDS, WARMED, World, world

_GRACE = 2.0
_DISK_MB = 900
_BLOCK = 100
"""Of a warm-up, at most lost by a process that dies, or by an answer of the database."""


def say(text: str) -> None:
    """One line, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own at ``folder``, and the file that may fill it; None where that can't be had."""
    folder.mkdir(mode=0o711)
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MB}m,mode=0711", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(["mount", *options], check=False).returncode == 0
    try:
        yield folder / "balloon" if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


async def soak(arguments: argparse.Namespace, folder: Path, balloon: Path | None) -> Report:
    """One whole run."""
    seed = arguments.seed
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with world(folder, seed=seed, processes=arguments.processes) as made:
        await made.office.start()
        units = [await set_up(made, account_id) for account_id in (FIRST, SECOND)]
        say("the server runs; traffic begins")
        stop = asyncio.Event()
        senders = [
            Sender(
                f"s{number}",
                unit.client(made),
                unit.client(made),
                tuple(DEFINITIONS[unit.account_id]),
                seed=seed,
                mails=arguments.mails / 4,
            )
            for number, unit in enumerate([units[0], units[0], units[0], units[1]])
        ]
        steward = Steward(units[0].client(made), senders[:3], units[0].assets, seed=seed)
        watch = Watch(made.office)
        looks = (watch.run(), watch.heart(made.ledger), watch.locks(say))
        watching = [asyncio.create_task(each) for each in looks]
        workers: list[Sender | Steward] = [*senders, steward]
        traffic = [asyncio.create_task(each.run(stop)) for each in workers]
        blows = schedule(seed, arguments.seconds, tuple(arguments.only or KINDS))
        chaos = asyncio.create_task(Chaos(made, blows, balloon=balloon, say=say).run())
        done, _ = await asyncio.wait([chaos, *traffic], timeout=arguments.seconds, return_when=asyncio.FIRST_EXCEPTION)
        for each in done:
            each.result()
        await chaos
        stop.set()
        say("no more blows; the last requests get their answers")
        async with asyncio.timeout(120):
            await asyncio.gather(*traffic)
        await let_go(made, steward)
        code, seconds = await made.office.stop()
        say(f"serve stopped with {code} after {seconds:.1f} s")
        await made.office.start()
        say(f"idle after {await idle(made, steward):.0f} s")
        answers = await statuses(made, units)
        await reports(made, units)
        for look in watching:
            look.cancel()
        made.ledger.faults += watch.grown()
        await stopped(made)
        await signatures(made, units[0])
        say(f"largest processes, in MB: { ({role: round(size) for role, size in watch.largest().items()}) }")
        connection = await made.office.connect()
        tables = await read_tables(connection, made.ledger.erased)
        await connection.close()
        allowed = allowances(made.ledger.troubles, lease=LEASE_SECONDS, grace=_GRACE)
        report = audit(made.ledger, tables, allowed, answers, deadlines={"code": CODE_SECONDS}, skew=2 * CLOCK_SECONDS)
        _warm_up(report, made, tables.warm_up[WARMED])
        report.counts.update(made.ledger.counts)
        return report


def _warm_up(report: Report, made: World, counted: int) -> None:
    """No mail that went is left out of the count, and what is counted too much was lost with a process."""
    went = sum(1 for taking in made.ledger.takings if taking.address.endswith("@four.test"))
    lost = _BLOCK * sum(1 for trouble in made.ledger.troubles if trouble.kind != "stop")
    report.counts["counted by the warm-up"] = counted
    report.counts["taken of the warm-up"] = went
    if not went <= counted:
        report.fault("warm-up", f"{counted} are counted and {went} went")
    tried = sum(1 for each in made.ledger.accepted.values() if each.address.endswith("@four.test"))
    if counted > 4 * tried + lost:
        report.fault("warm-up", f"{counted} are counted of {tried} messages; {lost} may be lost")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long blows fall")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--mails", type=float, default=60.0, help="messages a second, of all clients together")
    parser.add_argument("--processes", type=int, default=2, help="delivery processes")
    parser.add_argument("--only", nargs="+", choices=get_args(BlowKind), help="these blows alone")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="postroom-soak-", dir="/tmp"))
    folder.chmod(0o711)
    say(f"seed {arguments.seed}, {arguments.seconds:.0f} s, in {folder}")
    with small_disk(folder / "data") as balloon:
        report = uvloop.run(soak(arguments, folder, balloon))
    print("\n".join(report.lines()))
    if report.faults:
        say(f"FAULTS; seed {arguments.seed}, logs in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    say(f"no fault; seed {arguments.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
