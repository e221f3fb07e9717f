"""What is given to the signing threads comes out once: signed, with a reason, or withdrawn."""

import asyncio
from typing import cast
from unittest.mock import Mock

from tests.unit.delivery.dkim.keys import ed25519_key, verified

from postroom.content.model import MESSAGE_BUILD_ERROR, Mail, NotComposed
from postroom.delivery.dkim.signer import Signer
from postroom.delivery.signing import AHEAD_PER_THREAD, Ahead, Signing
from postroom.delivery.slices import Message

MAIL = b"From: shop@example.com\r\nSubject: x\r\n\r\nHello\r\n"


def message(at: float = 1790000000.0) -> Message:
    made = Mock()
    made.slice.accepted_at.timestamp.return_value = at
    return cast(Message, made)


def mail(data: bytes = MAIL) -> Mail:
    return Mail("shop@example.com", ("a@example.net",), data, False, "x")


def signer() -> Signer:
    return Signer("example.com", [ed25519_key()])


class Desk:
    """Two threads, and an event for what they tell."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.signing = Signing(
            threads=2, call_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe, ready=self.told.set
        )

    async def collect(self, ahead: Ahead, count: int) -> list[tuple[Message, Mail | NotComposed]]:
        found: list[tuple[Message, Mail | NotComposed]] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                while (made := ahead.take()) is not None:
                    found.append(made)
                if len(found) < count:
                    await self.told.wait()
                    self.told.clear()
        return found


async def test_all_come_out_signed_each_at_its_own_target() -> None:
    desk = Desk()
    first, second = Ahead(desk.signing), Ahead(desk.signing)
    given = [message() for _ in range(40)]
    for place, each in enumerate(given):
        (first, second)[place % 2].give(each, mail(), signer())
    done = [await desk.collect(ahead, 20) for ahead in (first, second)]
    desk.signing.close()
    for place in (0, 1):
        assert {id(each) for each, _ in done[place]} == {id(each) for each in given[place::2]}
        assert all(isinstance(made, Mail) and verified(made.data) for _, made in done[place])


async def test_one_that_cannot_be_signed_ends_alone() -> None:
    desk = Desk()
    ahead = Ahead(desk.signing)
    ahead.give(message(), mail(b"To: nobody\r\n\r\nHello\r\n"), signer())
    ahead.give(message(), mail(), signer())
    made = [each for _, each in await desk.collect(ahead, 2)]
    desk.signing.close()
    (refused,) = (each for each in made if isinstance(each, NotComposed))
    assert refused.status_code == MESSAGE_BUILD_ERROR
    assert "no From field" in refused.reason


async def test_the_buffer_is_bounded_and_has_room_again() -> None:
    desk = Desk()
    ahead = Ahead(desk.signing)
    for _ in range(2 * AHEAD_PER_THREAD):
        assert ahead.room
        ahead.pass_by(message(), mail())
    assert not ahead.room
    assert ahead.take() is not None
    assert ahead.room
    desk.signing.close()


async def test_what_is_withdrawn_does_not_come_out_and_the_others_target_keeps_its_own() -> None:
    desk = Desk()
    ahead, other = Ahead(desk.signing), Ahead(desk.signing)
    given = [message() for _ in range(30)]
    for each in given:
        ahead.give(each, mail(), signer())
        other.give(each, mail(), signer())
    withdrawn = ahead.withdraw()
    assert len(await desk.collect(other, 30)) == 30
    rest = await desk.collect(ahead, 30 - len(withdrawn))
    desk.signing.close()
    assert {id(each) for each in withdrawn} | {id(each) for each, _ in rest} == {id(each) for each in given}
    assert len(withdrawn) + len(rest) == 30
    assert ahead.take() is None


async def test_nothing_runs_after_the_end() -> None:
    desk = Desk()
    ahead = Ahead(desk.signing)
    for _ in range(20):
        ahead.give(message(), mail(), signer())
    desk.signing.close()
    desk.signing.close()
    assert not any(thread.is_alive() for thread in desk.signing._running)
