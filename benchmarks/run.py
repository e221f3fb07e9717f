"""All benchmarks in one run, on one machine, interleaved: each round runs every case once, and medians are shown.

    python -m benchmarks.run [--runs 3] [--quick] [--only NAME ...] [--json FILE] [--list]

Prints a table and the goals, and stores everything with the facts of the machine below benchmarks/results. What is
measured and how is in docs/benchmarks.md. Exit code 0 when it was measured, whether or not the goals are reached.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.dkim import quiet
from benchmarks.figures import Case, Goal, Result, Run, number, result_rows, table
from benchmarks.http_load import UnusableAnswer
from benchmarks.machine import machine_facts, result_name
from benchmarks.processes import ProgramFailed, require_programs
from benchmarks.sends import SetupRefused

from postroom.store.binaries import find_binaries

RESULTS = Path(__file__).parent / "results"
BUSY_LOAD = 0.5


def goals(results: Sequence[Result]) -> list[Goal]:
    """The goals that these results say something about."""
    by_name = {result.case.name: result.value for result in results}
    found = []
    postfix = by_name.get("postfix")
    for name, title in (("end-to-end", "known contacts"), ("end-to-end-new", "new contacts")):
        if name in by_name and postfix:
            found.append(Goal(f"end to end to Postfix, {title}", by_name[name] / postfix, 6.0, "times"))
    if "signed" in by_name and by_name.get("postfix-signed"):
        times = by_name["signed"] / by_name["postfix-signed"]
        found.append(Goal("signed, end to end to Postfix with OpenDKIM", times, 7.0, "times"))
    if "signed" in by_name and postfix:
        found.append(Goal("signed, end to end to unsigned Postfix", by_name["signed"] / postfix, 2.5, "times"))
    if "sign" in by_name and by_name.get("openssl"):
        found.append(Goal("signing alone to openssl speed", by_name["sign"] / by_name["openssl"], 0.85, "times"))
    if by_name.get("mx") and "mx-slow" in by_name:
        title = "19 MX hosts beside a slow one, to the same beside a quick one"
        found.append(Goal(title, by_name["mx-slow"] / by_name["mx"], 0.95, "times"))
    if "accept" in by_name:
        found.append(Goal("durable accept", by_name["accept"], 40_000, "recipients/s"))
    if "single" in by_name:
        found.append(Goal("single sends", by_name["single"], 2_500, "requests/s"))
    if "clicks" in by_name:
        found.append(Goal("click redirects", by_name["clicks"], 4_000, "requests/s"))
    if "status" in by_name:
        found.append(Goal("status reads", by_name["status"], 3_000, "requests/s"))
    return found


def report(results: Sequence[Result], facts: dict[str, str | int | float], started: datetime) -> dict[str, object]:
    """Everything that is stored."""
    return {
        "started": started.isoformat(timespec="seconds"),
        "machine": facts,
        "cases": {
            result.case.name: {
                "title": result.case.title,
                "unit": result.case.unit,
                "main": result.case.main,
                "median": _rounded(result.medians),
                "runs": [_rounded(run) for run in result.runs],
            }
            for result in results
        },
        "goals": [
            {"title": goal.title, "value": round(goal.value, 2), "wanted": goal.wanted, "reached": goal.reached}
            for goal in goals(results)
        ],
    }


def _rounded(run: Run) -> Run:
    return {name: round(value, 3) for name, value in run.items()}


async def measure(bench: Bench, cases: Sequence[Case], runs: int) -> list[Result]:
    """Every case once a round: A B C, A B C, A B C."""
    results = [Result(case, []) for case in cases]
    for round_number in range(runs):
        for result in results:
            figures = await result.case.run(round_number)
            result.runs.append(figures)
            case = result.case
            print(f"  {round_number + 1}/{runs}  {case.title}: {number(figures[case.main])} {case.unit}", flush=True)
    return results


def new_folder(parent: Path) -> Path:
    """A folder for the servers' files that PostgreSQL's and Postfix's own users can enter."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-", dir=parent))
    folder.chmod(0o755)
    return folder


async def run(options: argparse.Namespace) -> int:
    """The whole program."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    # Told to end, everything that was started ends first.
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    facts = machine_facts()
    facts["postgresql"] = find_binaries(Path("/nonexistent")).version
    started, begun = datetime.now(UTC), time.monotonic()
    print("  ".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    if float(facts["load_before"]) > BUSY_LOAD:
        print(f"the machine is busy (load {facts['load_before']}): the figures will be too low", flush=True)
    folder = new_folder(options.dir)
    try:
        async with Bench(folder, QUICK if options.quick else FULL) as bench:
            cases = [case for case in bench.cases() if not options.only or case.name in options.only]
            results = await measure(bench, cases, options.runs)
    finally:
        if options.keep:
            print(f"the servers' files are in {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n" + table(result_rows(results)) + "\n")
    for goal in goals(results):
        print(goal.line())
    target = options.json or RESULTS / result_name(facts, started)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report(results, facts, started), indent=1, ensure_ascii=False) + "\n")
    print(f"\n{time.monotonic() - begun:.0f} s, stored in {target}")
    return 0


def main() -> None:
    """The command line."""
    quiet()
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=None, help="rounds (default 3; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these cases")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to store the result")
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="where the servers keep their data")
    parser.add_argument("--keep", action="store_true", help="leave the servers' files and logs behind")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    options = parser.parse_args()
    names = [case.name for case in Bench(options.dir, QUICK).cases()] if options.list or options.only else []
    if options.list:
        print("\n".join(names))
        return
    if unknown := [name for name in options.only or () if name not in names]:
        parser.error(f"--only {' '.join(unknown)}: there is no such case; the cases are {', '.join(names)}")
    if options.runs is None:
        options.runs = 1 if options.quick else 3
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: at least one round is needed")
    if os.geteuid() != 0 and not options.only:
        parser.error("Postfix can only be started by root; run as root, or name the other cases with --only")
    try:
        require_programs()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, contextlib.suppress(KeyboardInterrupt):
            sys.exit(runner.run(run(options)))
    except (ProgramFailed, SetupRefused, UnusableAnswer) as failed:
        sys.exit(f"benchmarks: {failed}")
    except asyncio.CancelledError:
        sys.exit(143)
    sys.exit(130)


if __name__ == "__main__":
    main()
