"""What comes back from a site that went away meanwhile goes another way at once; it once waited there until the site
was tried again."""

from collections import Counter
from typing import Any, cast
from unittest.mock import Mock

import pytest
from tests.unit.delivery.queue_rows import make_message, make_slice

from postroom.content.model import Mail
from postroom.delivery.job import Job
from postroom.delivery.outcome import Deferred, Outcome, Sent
from postroom.delivery.routing.parcels import Parcels
from postroom.delivery.routing.site_lanes import SiteLanes
from postroom.delivery.slices import Message

AWAY = Deferred(text="421 going down", stage="connect")


class Site:
    """As far as parcels look at one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lanes = SiteLanes(Counter())
        self.copies: list[Any] = []
        self.unreachable: Deferred | None = None
        self.overflows = False
        self.only_copies = False
        self.wake = Mock()

    def ended(self, parcel: Any, outcome: Outcome) -> None:
        parcel.decide(outcome)


class Desk:
    """Parcels of one message, to these recipients, and what became of it."""

    def __init__(self, *recipients: str) -> None:
        self.site, self.other = Site("one.test"), Site("two.test")
        self.message = make_message(make_slice(1), 0)
        self.again: list[Message] = []
        self.settled: list[Outcome] = []
        mail = Mail("shop@example.com", recipients, b"Subject: x\r\n\r\nbody\r\n", False, "x")
        jobs = [Job(self.message, mail, mail.sender, lambda _message, _outcome: None)]
        destinations = Mock(way=Mock(return_value=None), find=Mock(return_value=self.other))
        self.parcels = Parcels(
            destinations,
            compose=lambda _lanes: jobs.pop() if jobs else None,
            settled=lambda _message, outcome: self.settled.append(outcome),
            again=self.again.append,
            later=Mock(),
            ask=Mock(),
            ended=lambda: None,
        )

    def take(self) -> Any:
        return self.parcels.take(cast(Any, self.site))


def test_a_mail_that_comes_back_from_a_site_that_is_away_goes_another_way() -> None:
    desk = Desk("a@one.test")
    parcel = desk.take()
    desk.site.unreachable = AWAY
    parcel.finish(AWAY)
    assert (desk.again, len(desk.site.lanes), desk.settled) == ([desk.message], 0, [])


@pytest.mark.parametrize("stopping", [False, True])
def test_a_mail_that_comes_back_otherwise_waits_in_its_place(stopping: bool) -> None:
    desk = Desk("a@one.test")
    parcel = desk.take()
    desk.site.only_copies = stopping
    desk.site.unreachable = AWAY if stopping else None
    parcel.finish(AWAY)
    assert (desk.again, len(desk.site.lanes)) == ([], 1)


def test_a_copy_that_comes_back_from_a_site_that_is_away_is_told_as_not_taken() -> None:
    desk = Desk("a@one.test", "b@two.test")
    desk.take().finish(Sent())
    (copy,) = desk.other.copies
    desk.other.copies.clear()
    desk.other.unreachable = AWAY
    copy.finish(AWAY)
    (outcome,) = desk.settled
    assert isinstance(outcome, Sent)
    assert [recipient for recipient, _ in outcome.refused_recipients] == ["b@two.test"]
    assert (desk.other.copies, desk.again) == ([], [])
