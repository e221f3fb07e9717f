"""A run of the soak is made from its seed: what is done to the server, and what mail hosts do with each attempt."""

from collections import Counter

from tests.soak.fates import KEPT, Fates
from tests.soak.schedule import KINDS, schedule


def test_the_same_seed_makes_the_same_schedule_and_another_seed_another() -> None:
    assert schedule(7, 300) == schedule(7, 300)
    assert schedule(7, 300) != schedule(8, 300)


def test_blows_fall_in_order_within_the_time_and_of_every_kind() -> None:
    blows = schedule(7, 3_000)
    assert [blow.at for blow in blows] == sorted(blow.at for blow in blows)
    assert all(5 <= blow.at < 3_000 and 0.5 <= blow.seconds <= 5 for blow in blows)
    assert {blow.kind for blow in blows} == set(KINDS)
    assert {blow.kind for blow in schedule(7, 300, ("kill deliver",))} == {"kill deliver"}


def test_a_mail_has_its_fate_whoever_sends_it_and_when() -> None:
    fates = Fates(7)
    assert fates.of("a@one.test", 1) == fates.of("a@one.test", 1)
    seen = Counter(fates.of(f"{number}@one.test", 1) for number in range(5_000))
    assert seen["take"] > 2_500
    assert set(seen) > KEPT


def test_every_mail_is_taken_in_the_end() -> None:
    assert {Fates(7).of(f"{number}@one.test", 4) for number in range(500)} == {"take"}
