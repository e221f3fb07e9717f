"""The soak's audit finds what is planted, and leaves alone what docs/promises.md allows."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.soak.audit import Report, audit
from tests.soak.doubles import allowances
from tests.soak.ledger import Key, Ledger, Place, Taking, Told, Trouble
from tests.soak.tables import EventRow, MessageRow, Tables

UNIT = 100001
SENT = "TransactionalSendEvents.EmailSent"
NOT_SENT = "TransactionalSendEvents.EmailNotSent"


class World:
    """Three messages that were sent, told and settled as they should; then something is changed."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.tables = Tables([], [])
        for number in range(3):
            place, key = Place(UNIT, "ab" * 16, number), Key(UNIT, f"k{number}")
            self.ledger.accept(UNIT, f"K{number}", f"a{number}@one.test", "order")
            self.ledger.takings.append(Taking(100.0 + number, place, f"a{number}@one.test", "mx", True, "d"))
            self.ledger.told.append(Told(101.0 + number, number, "hook", SENT, key, True))
            self.tables.messages.append(MessageRow(place, key, f"a{number}@one.test", "order", 90.0))
            self.tables.events.append(EventRow(number, place, "sent", None, 100.1 + number))
        self.statuses = {Key(UNIT, f"k{number}"): SENT for number in range(3)}

    def audit(self) -> Report:
        allowed = allowances(self.ledger.troubles, lease=6.0, grace=1.0)
        return audit(self.ledger, self.tables, allowed, self.statuses)

    def again(self, **other: object) -> None:
        """The first message's mail comes once more, ten seconds later."""
        first = self.ledger.takings[0]
        changed: dict[str, object] = {"at": first.at + 10} | other
        self.ledger.takings.append(replace(first, **changed))  # type: ignore[arg-type]

    def end(self, kind: str, code: int | None = None) -> None:
        """The first message ends so instead; nobody has its mail."""
        self.tables.events[0] = replace(self.tables.events[0], kind=kind, code=code)
        self.ledger.told[0] = replace(self.ledger.told[0], kind=NOT_SENT)
        self.statuses[Key(UNIT, "k0")] = NOT_SENT
        del self.ledger.takings[0]


def test_a_world_in_order_has_no_fault() -> None:
    report = World().audit()
    assert report.faults == {}
    assert (report.counts["accepted"], report.counts["sent"], report.counts["taken by mail hosts"]) == (3, 3, 3)


PLANTED: dict[str, Callable[[World], object]] = {
    "accepted and not stored": lambda world: world.tables.messages.pop(),
    "told as sent and taken by nobody": lambda world: world.ledger.takings.pop(),
    "no end": lambda world: world.tables.events.pop(),
    "more than one end": lambda world: world.tables.events.append(replace(world.tables.events[0], event_id=9)),
    "sent twice": lambda world: world.again(),
    "sent and not accepted": lambda world: world.again(place=Place(UNIT, "cd" * 16, 0)),
    "sent to somebody else": lambda world: world.again(address="b@one.test"),
    "other bytes the second time": lambda world: world.again(digest="e"),
    "stored and not accepted": lambda world: world.ledger.accepted.pop(Key(UNIT, "k1")),
    "a key is used twice": lambda world: world.tables.messages.append(
        replace(world.tables.messages[0], place=Place(UNIT, "ef" * 16, 0))
    ),
    "never told": lambda world: world.ledger.told.pop(),
    "told and not recorded": lambda world: world.ledger.told.append(replace(world.ledger.told[0], event_id=77)),
    "told otherwise": lambda world: world.ledger.told.append(replace(world.ledger.told[0], kind=NOT_SENT)),
    "status": lambda world: world.statuses.update({Key(UNIT, "k1"): NOT_SENT}),
    "counted too much": lambda world: setattr(world.tables, "metrics", {("postroom_accepted_total", ""): 4}),
    "left over": lambda world: setattr(world.tables, "left", {"slices in the queue": 1}),
    "not sent without a reason": lambda world: world.end("not_sent", 101),
    "erased and still there": lambda world: world.tables.unforgotten.append("contact: a0@one.test"),
    "sent to a suppressed address": lambda world: world.ledger.forbidden.add("a1@one.test"),
    "answers": lambda world: world.ledger.faults.append("half of a request was accepted"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_what_is_planted_is_found(fault: str) -> None:
    world = World()
    PLANTED[fault](world)
    assert fault in world.audit().faults


def test_refused_and_stored_is_found() -> None:
    world = World()
    del world.ledger.accepted[Key(UNIT, "k0")]
    world.ledger.refuse(UNIT, "K0")
    assert set(world.audit().faults) == {"refused and stored"}


def test_not_sent_though_a_host_has_the_mail_is_found() -> None:
    world = World()
    taken = world.ledger.takings[0]
    world.end("not_sent", 101)
    world.ledger.refusals["a0@one.test"] = 1
    assert world.audit().faults == {}
    world.ledger.takings.append(taken)
    assert set(world.audit().faults) == {"sent though told as not sent"}
    world.ledger.takings[-1] = replace(taken, answered=False)
    report = world.audit()
    assert (report.faults, report.counts["not sent and yet taken, unknown"]) == ({}, 1)


@pytest.mark.parametrize(
    ("troubles", "reason"),
    [
        ((Trouble("kill", 100.5, 100.5),), "kill"),
        ((Trouble("kill", 104.0, 104.0),), None),
        ((Trouble("kill", 98.0, 98.0),), None),
        # While the database was away nothing could be settled, so a kill at its end takes it all along.
        ((Trouble("database", 100.2, 103.5), Trouble("kill", 104.0, 104.0)), "kill"),
        ((Trouble("stop", 99.0, 104.5),), "lease"),
        ((Trouble("stop", 99.0, 101.0),), None),
        # Two that follow each other are one to a settlement, which waits before it tries again.
        ((Trouble("database", 99.5, 102.0), Trouble("database", 102.5, 104.5)), "lease"),
        ((Trouble("database", 80.0, 95.0),), None),
    ],
)
def test_a_second_mail_is_allowed_by_what_was_done(troubles: tuple[Trouble, ...], reason: str | None) -> None:
    world = World()
    world.again()
    world.ledger.troubles.extend(troubles)
    report = world.audit()
    if reason is None:
        assert set(report.faults) == {"sent twice"}
    else:
        assert (report.faults, report.counts[f"again, {reason}"]) == ({}, 1)


def test_an_answer_that_was_cut_off_allows_another_mail() -> None:
    world = World()
    world.ledger.takings[0] = replace(world.ledger.takings[0], answered=False)
    world.again(answered=True)
    report = world.audit()
    assert (report.faults, report.counts["again, unknown"]) == ({}, 1)


def test_a_message_that_jobs_sent_again_is_known_by_the_one_that_was_accepted() -> None:
    world = World()
    place, key = Place(UNIT, "ef" * 16, 0), Key(UNIT, "k0~2")
    world.tables.resent = {key: Key(UNIT, "k0~1"), Key(UNIT, "k0~1"): Key(UNIT, "k0")}
    world.tables.messages.append(MessageRow(place, key, "", "order", 95.0))
    world.tables.events.append(EventRow(9, place, "not_sent", 40, 100.0))
    world.ledger.told.append(Told(101.0, 9, "hook", NOT_SENT, key, True))
    assert set(world.audit().faults) == {"not sent without a reason"}
    world.ledger.erased.add("a0@one.test")
    assert world.audit().faults == {}


def test_a_deadline_is_a_reason_once_it_has_passed() -> None:
    world = World()
    world.end("not_sent", 139)
    allowed = allowances((), lease=6.0, grace=1.0)
    for seconds, faults in ((9.0, set()), (20.0, {"not sent without a reason"})):
        report = audit(world.ledger, world.tables, allowed, deadlines={"order": seconds})
        assert set(report.faults) == faults


def test_the_report_says_how_many_and_shows_some() -> None:
    world = World()
    world.ledger.told.clear()
    lines = world.audit().lines()
    assert "FAULT never told: 3" in lines
    assert any("event 0, sent of" in line for line in lines)
