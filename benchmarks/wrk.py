"""Single sends and status reads by wrk: one thread, some connections, each its next request when it has its answer."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from benchmarks.processes import ProgramFailed
from benchmarks.sends import single_template

_SEND = Path(__file__).with_name("single_send.lua")
_READ = Path(__file__).with_name("status_read.lua")
_CLICK = Path(__file__).with_name("click_redirect.lua")


class WrkReport(msgspec.Struct, frozen=True):
    """What the script prints; latencies in microseconds. Every answer but 2xx and 3xx is `refused`."""

    requests: int
    microseconds: int
    p50: int
    p99: int
    most: int
    refused: int
    broken: int


@dataclass(frozen=True, slots=True)
class WrkRun:
    """One run: requests a second, the report, and wrk's own processor time in seconds."""

    rate: float
    report: WrkReport
    cpu_seconds: float


def parse_report(output: str) -> WrkReport:
    """The script's line out of wrk's output. Raises ValueError when there is none."""
    _, mark, rest = output.partition("RESULT ")
    if not mark:
        raise ValueError(f"wrk said: {output[-1000:]}")
    return msgspec.json.decode(rest.split("\n", 1)[0], type=WrkReport)


async def single_sends(address: tuple[str, int], *, token: str, run: str, connections: int, seconds: int) -> WrkRun:
    """Send for so many seconds. Raises ProgramFailed when a send was refused or a connection broke."""
    given = {"BENCH_TOKEN": token, "BENCH_RUN": run, "BENCH_BODY": single_template("########").decode()}
    return await _run(_SEND, address, given, connections=connections, seconds=seconds)


async def status_reads(
    address: tuple[str, int], *, token: str, runs: int, count: int, connections: int, seconds: int
) -> WrkRun:
    """Read statuses of the messages that ``runs`` runs of ``count`` each have stored, as `single_sends` does."""
    given = {"BENCH_TOKEN": token, "BENCH_RUNS": str(runs), "BENCH_COUNT": str(count)}
    return await _run(_READ, address, given, connections=connections, seconds=seconds)


async def clicks(address: tuple[str, int], paths: Path, *, connections: int, seconds: int) -> WrkRun:
    """Follow the links of ``paths``, a file with one a line."""
    return await _run(_CLICK, address, {"BENCH_PATHS": str(paths)}, connections=connections, seconds=seconds)


async def _run(
    script: Path, address: tuple[str, int], given: dict[str, str], *, connections: int, seconds: int
) -> WrkRun:
    words = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"http://{address[0]}:{address[1]}"]
    cpu = _children_seconds()
    process = await asyncio.create_subprocess_exec(
        "wrk", *words, env=os.environ | given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode(errors="replace")
    try:
        report = parse_report(output)
    except ValueError as error:
        raise ProgramFailed(f"wrk ended with {process.returncode}; {error}") from None
    if report.refused or report.broken:
        raise ProgramFailed(f"{report.refused} requests were refused, {report.broken} broke off")
    return WrkRun(report.requests / (report.microseconds / 1e6), report, _children_seconds() - cpu)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system
