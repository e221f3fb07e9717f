"""Three attempts at once, then ever later, never given up."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from postroom.events.patience import Patience


def test_three_quick_attempts_then_longer_and_longer_up_to_ten_minutes() -> None:
    waits = [Patience().wait(failures, lambda: 0.0) for failures in range(1, 13)]
    assert waits == [0.5, 1.5, 5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


@given(
    failures=st.integers(1, 10**9),
    rand=st.floats(0, 1, exclude_max=True),
    longest=st.integers(1, 3600),
)
def test_a_dead_endpoint_is_probed_for_ever_within_the_longest_wait(failures: int, rand: float, longest: int) -> None:
    wait = Patience(longest=timedelta(seconds=longest)).wait(failures, lambda: rand)
    assert 0 < wait <= longest
    assert wait >= 0.8 * min(0.5, longest)
