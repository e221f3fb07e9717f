from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from tests.unit.delivery.queue_rows import ACCEPTED, make_message, make_slice

from postroom.audience.soft_bounces import Consequence, HandedOver, SoftBounce, SoftBounceRule
from postroom.audience.suppression import Entry
from postroom.bounces.verdict import read_rules
from postroom.catalog.sending_options import SendingOptions
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Skipped, Unknown
from postroom.delivery.record import Recorder
from postroom.delivery.retry import RetrySchedule
from postroom.delivery.slices import Part, Slice, Wrote
from postroom.events.log import Event
from postroom.events.put_offs import PutOff

RULES = read_rules()
MINUTE = timedelta(minutes=1)
SCHEDULE = RetrySchedule(waits=(MINUTE, 2 * MINUTE, 4 * MINUTE, 10 * MINUTE), max_age=timedelta(hours=1))


class Book:
    """What a settlement would write."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.follows: list[Consequence] = []
        self.parts: list[Part] = []
        self.over: list[tuple[Slice, datetime | None]] = []

    def record(
        self, slice_: Slice, event: Event, writes: tuple[Wrote, ...] = (), consequence: Consequence | None = None
    ) -> None:
        assert not any(each is slice_ for each, _ in self.over), "an event after the slice was over"
        self.events.append(event)
        if consequence is not None:
            self.follows.append(consequence)

    def part(self, slice_: Slice, parts: Sequence[Part]) -> None:
        assert slice_.outstanding, "a slice that is over has no parts any more"
        self.parts.extend(parts)

    def finish(self, slice_: Slice) -> None:
        self.over.append((slice_, slice_.retry_at))


def recorder(book: Book, *, now: datetime = ACCEPTED, soft: SoftBounceRule | None = None) -> Recorder:
    return Recorder(book, SCHEDULE, rules=RULES, now=lambda: now, clock=lambda: 12.0, rand=lambda: 0.5, soft=soft)


@pytest.mark.parametrize(
    ("outcome", "kind", "code", "again"),
    [
        (Sent(code=250), "sent", None, False),
        (Refused(code=550), "not_sent", 101, False),
        (Skipped(text="suppressed"), "not_sent", 101, False),
        (Deferred(code=451), "deferred", None, True),
        (Unknown(), "unknown", None, True),
    ],
)
def test_each_outcome_is_its_event(outcome: Outcome, kind: str, code: int | None, again: bool) -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    recorder(book).outcome(make_message(slice_, 3), outcome)
    (event,) = book.events
    assert (event.kind, event.status_code, event.position, event.contact_id) == (kind, code, 3, 77)
    assert (event.account_id, event.request_id, event.definition_id) == (100, slice_.request_id, slice_.definition_id)
    assert (event.occurred_at, event.occurred_on) == (ACCEPTED, ACCEPTED.date())
    assert slice_.deferred == ([3] if again else [])
    assert book.over == [(slice_, ACCEPTED + MINUTE if again else None)]


def test_the_evidence_is_kept() -> None:
    book = Book()
    outcome = Refused(
        code=550,
        enhanced="5.1.1",
        text="550 5.1.1 no such user",
        host="mx.example.com",
        address="192.0.2.1:25",
        tls="TLSv1.3",
        stage="rcpt",
        refused_recipients=(("cc@example.com", "550 no"),),
    )
    recorder(book).outcome(make_message(make_slice(messages=1, attempt=2), 0), outcome)
    assert msgspec.json.decode(book.events[0].detail or "") == {
        "code": 550,
        "enhanced": "5.1.1",
        "reply": "550 5.1.1 no such user",
        "stage": "rcpt",
        "host": "mx.example.com",
        "address": "192.0.2.1:25",
        "tls": "TLSv1.3",
        "attempt": 3,
        "refused": [["cc@example.com", "550 no"]],
        "verdict": {
            "fault": "recipient",
            "permanence": "hard",
            "category": "no-such-user",
            "rule": "no-such-user",
        },
    }


def test_a_slice_is_over_with_its_last_outcome_only() -> None:
    book = Book()
    slice_ = make_slice(messages=4)
    record = recorder(book)
    record.outcome(make_message(slice_, 0), Sent())
    record.outcome(make_message(slice_, 1), Deferred(code=421))
    record.unsendable(slice_, 2, 11, "unknown contact")
    assert book.over == []
    record.outcome(make_message(slice_, 3), Unknown())
    assert book.over == [(slice_, ACCEPTED + MINUTE)]
    assert slice_.deferred == [1, 3]
    assert [event.kind for event in book.events] == ["sent", "deferred", "not_sent", "unknown"]


def test_the_time_of_the_retry_is_found_once_for_a_slice() -> None:
    """What was deferred together is claimed together."""
    book = Book()
    slice_ = make_slice(messages=2)
    recorder(book).outcome(make_message(slice_, 0), Deferred(code=451))
    recorder(book, now=ACCEPTED + 30 * MINUTE).outcome(make_message(slice_, 1), Deferred(code=451))
    assert book.over == [(slice_, ACCEPTED + MINUTE)]


def test_each_further_attempt_waits_longer() -> None:
    book = Book()
    slice_ = make_slice(messages=1, attempt=2)
    recorder(book).outcome(make_message(slice_, 0), Deferred(code=451))
    assert book.over == [(slice_, ACCEPTED + 4 * MINUTE)]


@pytest.mark.parametrize("outcome", [Deferred(code=451), Unknown()])
def test_a_message_too_old_for_another_attempt_is_139(outcome: Outcome) -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    recorder(book, now=ACCEPTED + 60 * MINUTE).outcome(make_message(slice_, 0), outcome)
    assert [(event.kind, event.status_code) for event in book.events] == [("not_sent", 139)]
    assert slice_.deferred == []
    assert book.over == [(slice_, None)]


def test_an_unknown_outcome_is_held_where_its_definition_says_so() -> None:
    book = Book()
    slice_ = make_slice(messages=2)
    slice_.sending = SendingOptions(on_unknown="hold")
    recorder(book).outcome(make_message(slice_, 0), Unknown(text="the peer closed it"))
    recorder(book).outcome(make_message(slice_, 1), Deferred(code=451))
    assert [event.kind for event in book.events] == ["unknown", "deferred"]
    assert [msgspec.json.decode(event.detail or "").get("held") for event in book.events] == [True, None]
    assert (slice_.held, slice_.deferred) == ([0], [1])
    assert book.over == [(slice_, ACCEPTED + MINUTE)]


def test_an_unknown_outcome_is_held_even_when_it_is_too_old_for_another_attempt() -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    slice_.sending = SendingOptions(on_unknown="hold")
    recorder(book, now=ACCEPTED + 60 * MINUTE).outcome(make_message(slice_, 0), Unknown())
    assert [event.kind for event in book.events] == ["unknown"], "it may have arrived: nobody knows that it did not"
    assert slice_.held == [0]


def test_a_definition_has_its_own_waits_and_end() -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    slice_.sending = SendingOptions(retry_schedule="5s", deliver_before=8)
    recorder(book).outcome(make_message(slice_, 0), Deferred(code=451))
    assert book.over == [(slice_, ACCEPTED + timedelta(seconds=5))]
    late = make_slice(messages=1, attempt=1)
    late.sending = slice_.sending
    recorder(book, now=ACCEPTED + timedelta(seconds=8)).outcome(make_message(late, 0), Deferred(code=451))
    assert (book.events[-1].kind, book.events[-1].status_code) == ("not_sent", 139)


def test_what_is_postponed_comes_back_in_time_to_be_ended() -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    slice_.deadline = ACCEPTED + MINUTE
    recorder(book).postpone(make_message(slice_, 0), ACCEPTED + 5 * MINUTE, PutOff("siteBusy", "mx1"))
    assert slice_.parts() == [Part([0], ACCEPTED + MINUTE, False, [(PutOff("siteBusy", "mx1"), [0])])]


def test_what_waits_for_one_site_or_for_the_dns_comes_again_together() -> None:
    slice_ = make_slice(messages=5)
    record = recorder(Book())
    one, other = PutOff("siteBusy", "mx.a"), PutOff("siteBusy", "mx.b")
    dns, too = PutOff("dns", "c.test"), PutOff("dns", "d.test")
    for position, (minutes, why) in enumerate([(5, one), (2, other), (3, one), (4, dns), (6, too)]):
        record.postpone(make_message(slice_, position), ACCEPTED + minutes * MINUTE, why)
    assert slice_.parts() == [
        Part([0, 2], ACCEPTED + 3 * MINUTE, False, [(one, [0, 2])]),
        Part([1], ACCEPTED + 2 * MINUTE, False, [(other, [1])]),
        Part([3, 4], ACCEPTED + 4 * MINUTE, False, [(dns, [3]), (too, [4])]),
    ]


SECOND = timedelta(seconds=1)
DNS = PutOff("dns", "c.test")


def test_what_was_given_back_does_not_wait_for_the_rest_of_its_slice() -> None:
    """A slow host may have the rest for hours."""
    book = Book()
    slice_ = make_slice(messages=5)
    recorder(book).outcome(make_message(slice_, 0), Deferred(code=451))
    recorder(book).postpone(make_message(slice_, 1), ACCEPTED + 3 * SECOND, DNS)
    recorder(book, now=ACCEPTED + SECOND).part(slice_)
    assert not book.parts, "what follows within moments can go with it"
    recorder(book, now=ACCEPTED + 2 * SECOND).part(slice_)
    assert book.parts == [
        Part([1], ACCEPTED + 3 * SECOND, False, [(DNS, [1])]),
        Part([0], ACCEPTED + MINUTE, tried=True),
    ]
    assert slice_.parts() == []
    recorder(book, now=ACCEPTED + MINUTE).part(slice_)
    assert len(book.parts) == 2


def test_what_is_given_back_one_by_one_is_gathered_for_a_while() -> None:
    book = Book()
    slice_ = make_slice(messages=8)
    for position in range(4):
        record = recorder(book, now=ACCEPTED + position * SECOND)
        record.outcome(make_message(slice_, position), Deferred(code=451))
        record.part(slice_)
    assert not book.parts
    late = recorder(book, now=ACCEPTED + 5 * SECOND)
    late.part(slice_)
    assert book.parts == [Part([0, 1, 2, 3], ACCEPTED + MINUTE, tried=True)]
    late.outcome(make_message(slice_, 4), Deferred(code=451))
    assert slice_.parts() == [Part([4], ACCEPTED + 5 * SECOND + MINUTE, tried=True)], "a time of its own"


def test_a_held_message_can_be_decided_about_while_others_of_its_slice_wait() -> None:
    book = Book()
    slice_ = make_slice(messages=2)
    slice_.sending = SendingOptions(on_unknown="hold")
    recorder(book).outcome(make_message(slice_, 1), Unknown())
    recorder(book, now=ACCEPTED + 5 * SECOND).part(slice_)
    assert book.parts == [Part([1], None, tried=True)]


def test_before_a_stop_everything_given_back_gets_its_time() -> None:
    book = Book()
    slice_ = make_slice(messages=2)
    recorder(book).outcome(make_message(slice_, 0), Deferred(code=451))
    recorder(book).part(slice_, at_once=True)
    assert book.parts == [Part([0], ACCEPTED + MINUTE, tried=True)]
    untouched = make_slice(messages=2)
    recorder(book).part(untouched, at_once=True)
    assert len(book.parts) == 1


def test_a_slice_that_is_over_takes_everything_along() -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    recorder(book).outcome(make_message(slice_, 0), Deferred(code=451))
    recorder(book).part(slice_, at_once=True)
    assert (book.parts, book.over) == ([], [(slice_, ACCEPTED + MINUTE)])


def test_a_message_that_may_not_go_out_keeps_its_code_and_reason() -> None:
    book = Book()
    slice_ = make_slice(messages=1)
    recorder(book).unsendable(slice_, 0, 2, "the contact is held", 5)
    (event,) = book.events
    assert (event.kind, event.status_code, event.contact_id) == ("not_sent", 2, 5)
    assert "the contact is held" in (event.detail or "")


def test_a_slice_with_nothing_left_to_do_is_over() -> None:
    book = Book()
    slice_ = make_slice()
    recorder(book).empty(slice_)
    assert (book.events, book.over) == ([], [(slice_, None)])


NO_SUCH_USER = Refused(code=550, enhanced="5.1.1", text="550 5.1.1 no such user", host="mx.example.net", stage="rcpt")


def test_a_refusal_has_a_verdict_and_the_recipient_s_own_suppresses_the_address() -> None:
    book = Book()
    slice_ = make_slice(messages=2)
    record = recorder(book)
    record.outcome(make_message(slice_, 0), NO_SUCH_USER)
    record.outcome(make_message(slice_, 1), Refused(code=554, text="554 5.7.1 blocked using spamhaus", stage="rcpt"))
    verdicts = [msgspec.json.decode(event.detail or "")["verdict"] for event in book.events]
    assert verdicts == [
        {"fault": "recipient", "permanence": "hard", "category": "no-such-user", "rule": "no-such-user"},
        {"fault": "sender", "permanence": "block", "category": "reputation", "rule": "block-list"},
    ]
    evidence = "mx.example.net said: 550 5.1.1 no such user (rule no-such-user)"
    assert book.follows == [Entry(make_message(slice_, 0).address, "bounce", evidence)]


@pytest.mark.parametrize(
    "outcome",
    [
        Sent(code=250, text="250 no such user is what we like"),
        Deferred(code=450, text="450 no such user yet"),
        Unknown(text="550 no such user"),
        Skipped(text="no such user"),
    ],
)
def test_nothing_but_a_refusal_suppresses(outcome: Outcome) -> None:
    book = Book()
    recorder(book).outcome(make_message(make_slice(messages=1), 0), outcome)
    assert book.follows == []


def test_an_answer_for_several_recipients_does_not_say_whom_it_means() -> None:
    book = Book()
    message = make_message(make_slice(messages=1), 0)
    message.copies = True
    recorder(book).outcome(message, msgspec.structs.replace(NO_SUCH_USER, stage="final"))
    assert book.follows == []
    assert '"permanence":"hard"' in (book.events[0].detail or "")


def test_what_was_deferred_for_too_long_has_a_verdict_and_suppresses_nobody() -> None:
    book = Book()
    outcome = Deferred(code=452, enhanced="4.2.2", text="452 4.2.2 mailbox full")
    recorder(book, now=ACCEPTED + 60 * MINUTE).outcome(make_message(make_slice(messages=1), 0), outcome)
    assert '"category":"full"' in (book.events[0].detail or "")
    assert book.follows == []


SOFT = SoftBounceRule(3, timedelta(days=15))
FULL = Refused(code=552, enhanced="5.2.2", text="552 5.2.2 mailbox full", host="mx.example.com", stage="rcpt")


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (FULL, True),
        (Deferred(code=452, enhanced="4.2.2", text="452 4.2.2 over quota", stage="rcpt"), False),
        (Refused(code=554, text="554 5.7.1 listed by a block list", stage="rcpt"), False),
        (Refused(code=450, enhanced="4.2.1", text="receiving mail at a rate", stage="rcpt"), False),
        (Sent(code=250), False),
    ],
)
def test_a_full_mailbox_counts_when_the_message_is_over(outcome: Outcome, counts: bool) -> None:
    book = Book()
    message = make_message(make_slice(messages=1), 3)
    recorder(book, soft=SOFT).outcome(message, outcome)
    evidence = "mx.example.com said: 552 5.2.2 mailbox full (rule full)"
    counted = SoftBounce(message.address, message.slice.request_id, 3, ACCEPTED, evidence, SOFT)
    assert book.follows == ([counted] if counts else [])


def test_a_mailbox_that_stays_full_until_the_message_is_too_old_counts_once() -> None:
    book = Book()
    message = make_message(make_slice(messages=1), 3)
    late = recorder(book, now=ACCEPTED + timedelta(hours=2), soft=SOFT)
    late.outcome(message, Deferred(code=452, enhanced="4.2.2", text="452 4.2.2 over quota", stage="rcpt"))
    assert [type(each) for each in book.follows] == [SoftBounce]
    assert book.events[0].status_code == 139


def test_without_a_rule_nothing_is_counted() -> None:
    book = Book()
    recorder(book).outcome(make_message(make_slice(messages=1), 3), FULL)
    assert book.follows == []


def test_what_is_taken_for_an_address_with_a_count_is_noted() -> None:
    book = Book()
    message = make_message(make_slice(messages=1), 3)
    message.counted = True
    recorder(book, soft=SOFT).outcome(message, Sent(code=250))
    assert book.follows == [HandedOver(message.address, message.slice.request_id, 3, ACCEPTED)]
