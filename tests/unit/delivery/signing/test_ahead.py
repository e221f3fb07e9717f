"""What is given comes out once: signed, with a reason, or withdrawn; and there is never too much of it."""

from collections.abc import Hashable
from typing import cast
from unittest.mock import Mock

import pytest
from tests.unit.delivery.dkim.keys import ed25519_key, rsa_key, verified

from postroom.content.model import MESSAGE_BUILD_ERROR, Mail, NotComposed
from postroom.delivery.dkim.signer import Signer
from postroom.delivery.signing import ahead as module
from postroom.delivery.signing.ahead import AHEAD_PER_PROCESS, Ahead
from postroom.delivery.signing.batches import Turns, Wanted
from postroom.delivery.slices import Message

MAIL = b"From: shop@example.com\r\nSubject: x\r\n\r\nHello\r\n"


class Signing:
    """Signs when it is told to."""

    def __init__(self) -> None:
        self.processes = 2
        self.bytes_ahead = 0
        self.turns = Turns()

    def put(self, target: Hashable, wanted: Wanted) -> None:
        self.turns.put(target, wanted)

    def withdraw(self, target: Hashable) -> None:
        self.turns.withdraw(target)

    def sign(self, most: int = 1000, *, fails: bool = False) -> None:
        for each in self.turns.take(most):
            each.waiting.signed(each.place, b"" if fails else each.key.sign(each.digest))


def message(at: float = 1790000000.0) -> Message:
    made = Mock()
    made.slice.accepted_at.timestamp.return_value = at
    return cast(Message, made)


def mail(data: bytes = MAIL) -> Mail:
    return Mail("shop@example.com", ("a@example.net",), data, False, "x")


RSA = Signer("example.com", [rsa_key()])


def taken(ahead: Ahead) -> list[tuple[Message, Mail | NotComposed]]:
    found: list[tuple[Message, Mail | NotComposed]] = []
    while (made := ahead.take()) is not None:
        found.append(made)
    return found


def test_all_come_out_signed_each_at_its_own_target_in_the_order_in_which_they_are_done() -> None:
    signing = Signing()
    targets = Ahead(signing), Ahead(signing)
    given = [message() for _ in range(12)]
    for place, each in enumerate(given):
        assert targets[place % 2].give(each, mail(), RSA) is None
    assert targets[0].take() is None
    assert (len(targets[0]), targets[0].ready) == (6, False)
    signing.sign()
    assert (len(targets[0]), targets[0].ready) == (6, True)
    for place in (0, 1):
        done = taken(targets[place])
        assert [id(each) for each, _ in done] == [id(each) for each in given[place::2]]
        assert all(isinstance(made, Mail) and verified(made.data) for _, made in done)


def test_a_mail_with_two_keys_waits_for_the_slow_one() -> None:
    signing = Signing()
    ahead = Ahead(signing)
    assert ahead.give(message(), mail(), Signer("example.com", [rsa_key(), ed25519_key()])) is None
    signing.sign(1)
    assert ahead.take() is None
    signing.sign(1)
    ((_, made),) = taken(ahead)
    assert isinstance(made, Mail)
    assert verified(made.data, 0)
    assert verified(made.data, 1)


def test_a_quick_signature_needs_no_process() -> None:
    signing = Signing()
    made = Ahead(signing).give(message(), mail(), Signer("example.com", [ed25519_key()]))
    assert isinstance(made, Mail)
    assert verified(made.data)
    assert (len(signing.turns), signing.bytes_ahead) == (0, 0)


def test_what_was_composed_stays_as_it_is_so_that_it_can_be_signed_again() -> None:
    signing = Signing()
    ahead, composed = Ahead(signing), mail()
    for _ in range(2):
        ahead.give(message(), composed, RSA)
        signing.sign()
    (_, first), (_, again) = taken(ahead)
    assert composed.data == MAIL
    assert first == again


def test_one_that_cannot_be_signed_ends_alone() -> None:
    signing = Signing()
    ahead = Ahead(signing)
    refused = ahead.give(message(), mail(b"To: nobody\r\n\r\nHello\r\n"), RSA)
    assert isinstance(refused, NotComposed)
    assert (refused.status_code, "no From field" in refused.reason) == (MESSAGE_BUILD_ERROR, True)
    ahead.give(message(), mail(), RSA)
    ahead.give(message(), mail(), RSA)
    signing.sign(1, fails=True)
    signing.sign(1)
    (_, failed), (_, made) = taken(ahead)
    assert isinstance(failed, NotComposed)
    assert "could not use its key" in failed.reason
    assert isinstance(made, Mail)


def test_the_number_ahead_is_bounded_and_has_room_again() -> None:
    signing = Signing()
    ahead = Ahead(signing)
    for place in range(2 * AHEAD_PER_PROCESS):
        assert ahead.room
        if place % 2:
            ahead.pass_by(message(), mail())
        else:
            ahead.give(message(), mail(), RSA)
    assert not ahead.room
    assert ahead.take() is not None
    assert ahead.room


def test_attack_large_attachments_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TARGET_BYTES", 4_000)
    monkeypatch.setattr(module, "ALL_BYTES", 6_000)
    signing = Signing()
    first, second, third = (Ahead(signing) for _ in range(3))
    large = mail(MAIL + b"x" * 3_000)
    while first.room:
        first.give(message(), large, RSA)
    assert signing.bytes_ahead == 2 * len(large.data)
    assert second.room
    second.give(message(), large, RSA)
    # All of them together have too much now, and each target is let have one.
    assert not second.room
    assert third.room
    third.pass_by(message(), large)
    assert not third.room
    signing.sign()
    for ahead in (first, second, third):
        assert all(isinstance(made, Mail) for _, made in taken(ahead))
        assert ahead.room
    assert signing.bytes_ahead == 0


def test_the_prepared_form_of_a_body_counts_too() -> None:
    signing = Signing()
    made = mail()
    made.body_form = b"Hello\r\n"
    Ahead(signing).give(message(), made, RSA)
    assert signing.bytes_ahead == len(MAIL) + len(made.body_form)


def test_what_is_withdrawn_does_not_come_out_and_another_target_keeps_its_own() -> None:
    signing = Signing()
    ahead, other = Ahead(signing), Ahead(signing)
    given = [message() for _ in range(10)]
    for each in given:
        ahead.give(each, mail(), RSA)
        other.give(each, mail(), RSA)
    signing.sign(6)
    being_signed = signing.turns.take(4)
    assert [id(each) for each in ahead.withdraw()] == [id(each) for each in given]
    assert ahead.room
    signing.turns.put_back(being_signed)
    signing.sign()
    assert ahead.take() is None
    assert len(taken(other)) == 10
    assert signing.bytes_ahead == 0
