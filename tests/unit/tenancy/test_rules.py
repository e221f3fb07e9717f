"""The token bucket of a client."""

from hypothesis import given
from hypothesis import strategies as st

from postroom.tenancy.rules import BURST_SECONDS, Bucket


def test_a_tenth_of_the_minute_at_once_then_one_by_one() -> None:
    bucket = Bucket(60, 0.0)
    assert [bucket.take(0.0) for _ in range(8)] == [0, 0, 0, 0, 0, 0, 1, 1]
    assert bucket.take(0.9) == 1
    assert bucket.take(1.0) == 0
    assert bucket.take(1.0) == 1


def test_one_call_a_minute_waits_for_the_rest_of_it() -> None:
    bucket = Bucket(1, 0.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(30.0), bucket.take(60.0)] == [0, 60, 30, 0]


@given(st.integers(1, 6_000), st.lists(st.floats(0, 20), min_size=1, max_size=200))
def test_never_more_than_the_rate_and_the_burst(per_minute: int, gaps: list[float]) -> None:
    bucket = Bucket(per_minute, 0.0)
    now, taken = 0.0, 0
    for gap in gaps:
        now += gap
        wait = bucket.take(now)
        assert wait >= 0
        taken += wait == 0
    assert taken <= max(1.0, per_minute / 60 * BURST_SECONDS) + now * per_minute / 60 + 0.001
