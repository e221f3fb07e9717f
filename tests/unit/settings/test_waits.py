"""Lists of waits: what is read, and what each mistake is told."""

import re
from datetime import timedelta

import pytest

from postroom.settings.waits import MOST_WAITS, parse_waits


def test_each_unit_is_read() -> None:
    assert parse_waits(" 0.5s 5m  2h 1d ") == (
        timedelta(seconds=0.5),
        timedelta(minutes=5),
        timedelta(hours=2),
        timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty; write waits with spaces between them, such as 1m 5m 15m 1h"),
        ("  ", "it is empty; write waits with spaces between them, such as 1m 5m 15m 1h"),
        ("1m,5m", "'1m,5m' is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h"),
        ("1m 5", "'5' is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h"),
        ("-1m", "'-1m' is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h"),
        ("\u0661m", "'\u0661m' is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h"),
        ("0s", "'0s' is out of range; a wait is from 0.1s to 1d"),
        ("1m 25h", "'25h' is out of range; a wait is from 0.1s to 1d"),
        ("1m " * 51, f"it has 51 waits; write at most {MOST_WAITS}, the last one repeats"),
    ],
)
def test_a_mistake_is_told_with_its_fix(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_waits(text)
