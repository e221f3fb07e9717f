"""Reading processor times from /proc."""

import os

import pytest
from benchmarks.cpu import CpuMeter, ProcessStat, group_ticks, parse_busy, parse_stat, read_stats

TAIL = "S 7 42 42 0 -1 4194560 1 0 0 0 120 30 5 6 20 0 1 0 100 0 0"


@pytest.mark.parametrize("name", ["postgres", "a b", "odd) S 1 (name", "tmux: server", ""])
def test_a_process_name_may_hold_brackets_and_spaces(name: str) -> None:
    assert parse_stat(f"41 ({name}) {TAIL}\n") == ProcessStat(41, name, 7, own_ticks=150, waited_ticks=11)


def test_busy_leaves_out_idle_waiting_and_stolen_time() -> None:
    assert parse_busy("cpu  1 2 4 1000 2000 8 16 4000 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n") == 1 + 2 + 4 + 8 + 16


def _process(pid: int, parent: int, own: int, waited: int = 0) -> ProcessStat:
    return ProcessStat(pid, "x", parent, own, waited)


def test_a_group_is_its_roots_and_all_that_descends_from_them() -> None:
    stats = [_process(1, 0, 1000), _process(10, 1, 1, 2), _process(11, 10, 4), _process(12, 11, 8), _process(20, 1, 16)]
    assert group_ticks(stats, [10]) == 1 + 2 + 4 + 8
    assert group_ticks(stats, [10, 20, 11]) == 1 + 2 + 4 + 8 + 16
    assert group_ticks(stats, [99]) == 0


def test_the_meter_counts_processes_that_ended_in_between() -> None:
    begin = [_process(10, 1, 100), _process(11, 10, 40)]
    # 11 used 10 more, ended and was waited for; 12 was started.
    end = [_process(10, 1, 130, waited=50), _process(12, 10, 5)]
    readings, busy = iter([begin, end]), iter([1000, 1200])
    meter = CpuMeter({"a": [10]}, stats=lambda: next(readings), busy=lambda: next(busy)).start()
    used = meter.stop()
    assert round(used["a"] * 1000) == round(45 / 200 * used["machine"] * 1000)


def test_this_process_is_among_all_processes() -> None:
    mine = {each.pid: each for each in read_stats()}[os.getpid()]
    assert mine.parent == os.getppid()
