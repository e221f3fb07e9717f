"""The pace of a provider: the rule file, and what is learned from complaints."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.routing.shaping import (
    COMPLAINT_GAP_SECONDS,
    LONGEST_PAUSE_SECONDS,
    RECOVERY_SECONDS,
    Allowance,
    Limits,
    ShapingRejected,
    is_complaint,
    read_shaping,
)

BUSY = Deferred(code=421, text="too busy")


def test_the_rules_that_come_with_postroom_know_the_large_providers() -> None:
    shaping = read_shaping()
    assert shaping.limits("gmail-smtp-in.l.google.com").provider == "google"
    assert shaping.limits("example-com.mail.protection.outlook.com").provider == "microsoft"
    assert shaping.limits("mta5.am0.yahoodns.net").provider == "yahoo"
    assert shaping.limits("google.com.example.net") == shaping.default
    assert shaping.default.provider == ""


def test_the_first_pattern_counts_and_what_is_not_named_is_as_in_default() -> None:
    shaping = read_shaping(
        '[default]\nconnections = 7\n[[provider]]\nname = "a"\nmx = ["mx.a.example"]\nper_second = 0.5\n'
        '[[provider]]\nname = "b"\nmx = ["*.a.example"]\nconnections = 2\n'
    )
    assert shaping.limits("mx.a.example") == Limits("a", 7, 100, 0.5)
    assert shaping.limits("other.a.example") == Limits("b", 2, 100, 0)
    assert shaping.limits("a.example") == Limits("", 7, 100, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[default", "no TOML"),
        ("[other]", "'other' is unknown"),
        ("[default]\nconnection = 5", "'connection' is unknown"),
        ("[default]\nconnections = 0", "connections = 0; give a number from 1"),
        ("[default]\nconnections = 1.5", "connections = 1.5"),
        ("[default]\nper_second = true", "per_second = True"),
        ("[default]\nper_second = nan", "per_second = nan"),
        ('[default]\nmessages = "5"', "messages = '5'"),
        ("default = 5", "must be a table"),
        ("[provider]", "[[provider]]"),
        ('[[provider]]\nmx = ["a.example"]', "a name of its own"),
        ('[[provider]]\nname = "a"', "mx must be a list"),
        ('[[provider]]\nname = "a"\nmx = ["a.*.example"]', "'a.*.example'"),
        ('[[provider]]\nname = "a"\nmx = ["mx.a.example."]', "'mx.a.example.', which is no host name"),
        ('[[provider]]\nname = "a"\nmx = ["@a.example"]', "write it like *.example.net"),
        ('[[provider]]\nname = 5\nmx = ["a.example"]', "name = 5"),
        ('[[provider]]\nname = "a"\nmx = ["a.example"]\n[[provider]]\nname = "a"\nmx = ["b.example"]', "of its own"),
    ],
)
def test_a_wrong_rule_file_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(ShapingRejected) as caught:
        read_shaping(text, source="mine.toml")
    assert "mine.toml" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        (BUSY, True),
        (Deferred(code=450, enhanced="4.7.28"), True),
        (Deferred(code=450, enhanced="4.2.2"), False),
        (Deferred(text="the connection was lost"), False),
        (Refused(code=550, enhanced="5.7.1"), False),
        (Sent(code=250), False),
        (Unknown(), False),
    ],
)
def test_only_what_asks_for_less_is_a_complaint(outcome: Outcome, complaint: bool) -> None:
    assert is_complaint(outcome) is complaint


def test_no_more_are_under_way_than_connections() -> None:
    allowance = Allowance(Limits("p", 2, 100, 0), 0.0)
    allowance.begin(0.0)
    assert allowance.wait(0.0) == 0
    allowance.begin(0.0)
    assert allowance.wait(0.0) == float("inf")
    allowance.end(Sent(), 0.1)
    assert allowance.wait(0.1) == 0


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 50))
def test_never_more_than_the_rate(gaps: list[float], rate: float) -> None:
    allowance = Allowance(Limits("p", 1000, 100, rate), 0.0)
    now, begun = 0.0, []
    for gap in gaps:
        now += gap
        if allowance.wait(now) == 0:
            allowance.begin(now)
            begun.append(now)
    assert all(later - earlier >= 0.999 / rate for earlier, later in itertools.pairwise(begun))


def test_a_complaint_halves_and_pauses_and_those_together_count_once() -> None:
    allowance = Allowance(Limits("p", 8, 100, 0), 100.0)
    for _ in range(3):
        allowance.begin(100.0)
    for _ in range(3):
        allowance.end(BUSY, 100.5)
    assert allowance.connections == 4
    assert allowance.wait(100.5) == 1.0
    assert allowance.wait(101.6) == 0


def test_pauses_double_until_something_gets_through() -> None:
    allowance, now, pauses = Allowance(Limits("p", 8, 100, 0), 0.0), 10.0, []
    for _ in range(12):
        allowance.complain(now)
        pauses.append(allowance.wait(now))
        now += pauses[-1] + COMPLAINT_GAP_SECONDS
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert allowance.connections == 1
    allowance.begin(now)
    allowance.end(Sent(), now)
    allowance.complain(now)
    assert allowance.wait(now) == 1.0


def test_what_was_lost_comes_back_slowly_and_wholly() -> None:
    allowance = Allowance(Limits("p", 100, 100, 0), 0.0)
    allowance.complain(10.0)
    assert allowance.connections == 50
    allowance.wait(10.0 + RECOVERY_SECONDS - 1)
    assert allowance.connections == 50
    allowance.wait(10.0 + RECOVERY_SECONDS)
    assert allowance.connections == 62
    allowance.wait(10.0 + 20 * RECOVERY_SECONDS)
    assert allowance.connections == 100
