"""Whether a host is worth a try, and which of several relays takes the next message."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from postroom.delivery.routing.choice import Choice, Member
from postroom.delivery.routing.health import MOST_TROUBLES, PROBE_SECONDS, Health

FIRST, LONGEST = 2.0, 60.0


def healthy() -> Health:
    return Health(first=FIRST, longest=LONGEST, rand=lambda: 0.5)


def away_at(now: float) -> Health:
    health = healthy()
    health.failed(now)
    return health


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "well"),
        ([Health.failed], "away"),
        ([Health.trouble] * (MOST_TROUBLES - 1), "well"),
        ([Health.trouble] * MOST_TROUBLES, "away"),
    ],
)
def test_the_table_from_well(events: list[Callable[[Health, float], object]], state: str) -> None:
    health = healthy()
    for event in events:
        event(health, 0.0)
    assert health.state(0.0) == state


def test_the_table_from_away_on() -> None:
    health = away_at(0.0)
    assert (health.state(1.9), health.wait(0.5)) == ("away", 1.5)
    assert (health.state(2.0), health.wait(2.0)) == ("suspect", 0.0)
    health.trouble(2.0)
    assert (health.state(2.0), health.wait(2.0)) == ("away", 4.0), "one trouble is enough for a suspect"
    health.failed(6.0)
    assert health.wait(6.0) == 8.0
    health.reached()
    assert (health.state(6.0), health.wait(6.0)) == ("well", 0.0)
    health.failed(7.0)
    assert health.wait(7.0) == 2.0


def test_what_was_under_way_when_it_went_away_does_not_keep_it_away_for_longer() -> None:
    health = healthy()
    told = [health.trouble(0.1) for _ in range(MOST_TROUBLES + 10)]
    assert told.count(True) == 1
    assert health.wait(0.1) == 2.0


def test_troubles_far_apart_do_not_add_up_over_a_success() -> None:
    health = healthy()
    for _ in range(20):
        assert not any(health.trouble(0.0) for _ in range(MOST_TROUBLES - 1))
        health.reached()
    assert health.state(0.0) == "well"


def test_a_suspect_is_probed_by_one_message_at_a_time() -> None:
    health = away_at(0.0)
    assert not health.probe(1.0)
    assert health.probe(2.0)
    assert not health.probe(2.1)
    assert health.wait(2.5) == PROBE_SECONDS - 0.5
    assert health.probe(2.0 + PROBE_SECONDS), "an answer that never came does not shut it out for ever"


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 1, exclude_max=True))
def test_the_time_away_is_bounded(gaps: list[float], chance: float) -> None:
    health = Health(first=FIRST, longest=LONGEST, rand=lambda: chance)
    now = 0.0
    for gap in gaps:
        now += gap
        health.failed(now)
        assert FIRST * 0.79 <= health.wait(now) <= LONGEST * 1.21


class Relays(RuleBasedStateMachine):
    """Three relays, two of them equals, with any outages: who is chosen is worth it, and nobody better is passed by."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.health = {name: healthy() for name in ("first", "equal", "spare")}
        self.choice = Choice(
            [
                Member("first", self.health["first"], 1, 2),
                Member("equal", self.health["equal"], 1, 1),
                Member("spare", self.health["spare"], 2, 1),
            ]
        )

    @rule(name=st.sampled_from(["first", "equal", "spare"]))
    def fail(self, name: str) -> None:
        self.health[name].failed(self.now)

    @rule(name=st.sampled_from(["first", "equal", "spare"]))
    def break_off(self, name: str) -> None:
        self.health[name].trouble(self.now)

    @rule(name=st.sampled_from(["first", "equal", "spare"]))
    def answer(self, name: str) -> None:
        self.health[name].reached()

    @rule(seconds=st.floats(0.01, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def choose(self) -> None:
        before = {name: health.state(self.now) for name, health in self.health.items()}
        chosen = self.choice.next(self.now)
        if chosen is None:
            assert "well" not in before.values()
            assert self.choice.wait(self.now) > 0
            return
        assert before[chosen] != "away"
        if chosen == "spare":
            assert "well" not in (before["first"], before["equal"])

    @precondition(lambda self: all(health.state(self.now) != "well" for health in self.health.values()))
    @rule()
    def after_the_wait_there_is_somebody(self) -> None:
        if self.choice.next(self.now) is None:
            self.now += self.choice.wait(self.now) + 1e-6
            assert self.choice.next(self.now) is not None

    @invariant()
    def one_that_is_away_is_never_waited_for_too_long(self) -> None:
        assert self.choice.wait(self.now) <= LONGEST * 1.21


TestRelays = Relays.TestCase


def test_equals_share_by_weight_and_the_spare_gets_nothing() -> None:
    machine = Relays()
    chosen = [machine.choice.next(0.0) for _ in range(30)]
    assert (chosen.count("first"), chosen.count("equal"), chosen.count("spare")) == (20, 10, 0)


def test_the_first_is_back_with_its_probe() -> None:
    machine = Relays()
    for name in ("first", "equal"):
        machine.health[name].failed(0.0)
    assert machine.choice.next(1.0) == "spare"
    assert [machine.choice.next(2.0) for _ in range(4)] == ["first", "equal", "spare", "spare"]
    machine.health["first"].reached()
    assert {machine.choice.next(2.1) for _ in range(4)} == {"first"}
