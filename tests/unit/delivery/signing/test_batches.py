"""Targets take turns; a process gets batches, knows the keys it needs, and what it had is never lost."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.delivery.dkim.keys import ed25519_key

from postroom.delivery.signing import batches
from postroom.delivery.signing.batches import BATCH, LOW, Hands, Turns, Wanted
from postroom.delivery.signing.frames import (
    HOW,
    FrameBroken,
    Frames,
    digests_frame,
    how_frame,
    signatures_frame,
)
from postroom.delivery.signing.process import Hand


class Somebody:
    """Waits for signatures and remembers them."""

    def __init__(self) -> None:
        self.withdrawn = False
        self.came: list[tuple[int, bytes]] = []

    def signed(self, place: int, signature: bytes) -> None:
        self.came.append((place, signature))


KEYS = [ed25519_key() for _ in range(5)]


def wanted(number: int = 0, key: int = 0, waiting: Somebody | None = None) -> Wanted:
    return Wanted(waiting or Somebody(), 0, KEYS[key], number.to_bytes(32, "big"))


def answers(hand: Hand, data: bytes) -> bytes:
    """What a signing process says to this."""
    return b"".join(answer for frame in Frames().read(data) if (answer := hand.answer(*frame)) is not None)


def test_targets_take_turns_however_much_one_has() -> None:
    turns = Turns()
    for number in range(100):
        turns.put("large", wanted(number))
    turns.put("small", late := wanted(1000))
    assert late in turns.take(2)
    assert len(turns) == 99


def test_what_a_process_had_is_next_but_for_what_was_withdrawn() -> None:
    turns, gone = Turns(), Somebody()
    had = [wanted(0), wanted(1, waiting=gone), wanted(2)]
    turns.put("one", wanted(3))
    gone.withdrawn = True
    turns.put_back(had)
    assert [each.digest[-1] for each in turns.take(10)] == [0, 2, 3]


def test_what_is_withdrawn_is_forgotten_and_the_others_stay() -> None:
    turns, gone = Turns(), Somebody()
    turns.put_back([wanted(0, waiting=gone), wanted(1)])
    turns.put("one", wanted(2, waiting=gone))
    turns.put("other", wanted(3))
    gone.withdrawn = True
    turns.withdraw("one")
    assert len(turns) == 2
    assert [each.digest[-1] for each in turns.take(10)] == [1, 3]
    turns.put("one", wanted(4))
    turns.clear()
    assert (len(turns), turns.take(10)) == (0, [])


def test_a_process_wants_more_shortly_before_it_has_done_all() -> None:
    hands, hand = Hands(), Hand()
    first = hands.give([wanted(number) for number in range(BATCH)])
    assert not hands.wants
    assert len(hands.answered(answers(hand, first))) == BATCH
    hands.give([wanted() for _ in range(LOW)])
    assert hands.wants


def hands_of(together: int) -> Hands:
    hands = Hands()
    assert hands.answered(how_frame(together, "somehow")) == []
    assert (hands.together, hands.how) == (together, "somehow")
    return hands


def test_one_at_a_time_each_process_gets_as_much_as_the_others_at_once() -> None:
    hands = hands_of(1)
    assert [hands.share(waiting, 2, True) for waiting in (1, 2, 5, 100)] == [1, 1, 3, BATCH]
    assert hands.share(3, 1, False) == 3


def test_where_signatures_are_made_together_few_wait_for_more_while_an_answer_is_on_its_way() -> None:
    hands = hands_of(8)
    assert [hands.share(waiting, 2, True) for waiting in (1, 7)] == [0, 0]
    assert [hands.share(waiting, 2, False) for waiting in (1, 7)] == [1, 7]
    assert [hands.share(waiting, 2, True) for waiting in (8, 15, 16, 31, 32, 100)] == [8, 8, 8, 16, 16, 16]
    assert BATCH % 8 == 0


@given(st.sampled_from([1, 8]), st.integers(1, 100), st.integers(1, 9), st.booleans())
def test_a_share_is_given_unless_something_comes_to_ask_for_it_again(
    together: int, waiting: int, free: int, others_work: bool
) -> None:
    share = hands_of(together).share(waiting, free, others_work)
    assert 0 <= share <= min(waiting, BATCH)
    assert share or (together > 1 and others_work)


def test_how_it_signs_is_said_once() -> None:
    with pytest.raises(FrameBroken, match="kind 4"):
        hands_of(8).answered(how_frame(1, "otherwise"))
    for together in (b"", b"\0somehow"):
        with pytest.raises(FrameBroken, match="no signature"):
            Hands().answered(struct.pack(">BI", HOW, len(together)) + together)


def test_a_key_goes_over_once_and_takes_the_place_of_the_one_used_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "KEPT_KEYS", 3)
    hands, hand = Hands(), Hand()
    lengths = []
    for number, key in enumerate([0, 0, 1, 2, 0, 3, 0, 1, 4, 3]):
        each = wanted(number, key)
        sent = hands.give([each])
        lengths.append(len(sent) > len(digests_frame([(0, bytes(32))])))
        assert hands.answered(answers(hand, sent)) == [(each, KEYS[key].sign(each.digest))]
    assert lengths == [True, False, True, True, False, True, False, True, True, True]
    assert len(hand._keys) == 3


def test_a_signature_that_cannot_be_made_comes_back_empty() -> None:
    assert answers(Hand(), digests_frame([(7, bytes(32))])) == signatures_frame([b""])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (digests_frame([]), "kind 2 that nobody asked for"),
        (signatures_frame([b"x", b"y"]), "2 signatures for 1 digests"),
        (signatures_frame([b"x"]) * 2, "kind 3 that nobody asked for"),
    ],
)
def test_an_answer_to_nothing_is_refused(said: bytes, why: str) -> None:
    hands = Hands()
    hands.give([wanted()])
    with pytest.raises(FrameBroken, match=why):
        hands.answered(said)


def test_a_signing_process_refuses_what_is_not_for_it() -> None:
    with pytest.raises(FrameBroken, match="not for a signing process"):
        answers(Hand(), signatures_frame([]))


class Work(RuleBasedStateMachine):
    """Two processes that sign, and die, in any order: everybody gets the signature of their own digest, once."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self.processes = [self._fresh() for _ in range(2)]
        self.everybody: list[tuple[int, Wanted, Somebody]] = []

    def _fresh(self) -> list[Any]:
        return [Hands(), Hand(), b""]

    @rule(target_number=st.integers(0, 2), key=st.integers(0, 4), count=st.integers(1, 12))
    def put(self, target_number: int, key: int, count: int) -> None:
        for _ in range(count):
            somebody = Somebody()
            each = wanted(len(self.everybody), key, somebody)
            self.everybody.append((target_number, each, somebody))
            self.turns.put(target_number, each)

    @rule(which=st.integers(0, 1))
    def hand_out(self, which: int) -> None:
        process = self.processes[which]
        if process[0].wants and (batch := self.turns.take(BATCH)):
            process[2] += process[0].give(batch)

    @rule(which=st.integers(0, 1))
    def answer(self, which: int) -> None:
        hands, hand, sent = self.processes[which]
        self.processes[which][2] = b""
        for each, signature in hands.answered(answers(hand, sent)):
            if not each.waiting.withdrawn:
                each.waiting.signed(each.place, signature)

    @rule(which=st.integers(0, 1))
    def die(self, which: int) -> None:
        self.turns.put_back(self.processes[which][0].left())
        self.processes[which] = self._fresh()

    @precondition(lambda self: self.everybody)
    @rule(target_number=st.integers(0, 2))
    def withdraw(self, target_number: int) -> None:
        for target, _, somebody in self.everybody:
            if target == target_number and not somebody.came:
                somebody.withdrawn = True
        self.turns.withdraw(target_number)

    @invariant()
    def each_signature_comes_once_and_is_right(self) -> None:
        for _, each, somebody in self.everybody:
            assert len(somebody.came) <= 1
            assert all(came == (0, each.key.sign(each.digest)) for came in somebody.came)

    def teardown(self) -> None:
        for _ in range(2 + len(self.everybody)):
            for which in (0, 1):
                self.hand_out(which)
                self.answer(which)
        assert len(self.turns) == 0
        assert all(somebody.came or somebody.withdrawn for _, _, somebody in self.everybody)


TestWork = Work.TestCase
TestWork.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
