"""What an outcome means for its message: the event it becomes, and whether the message is tried again.

    Sent      sent
    Refused   not_sent 101, with a verdict on whose fault it is; the recipient's own suppresses the address,
              or counts as a soft bounce of it
    Deferred  deferred, again later; not_sent 139 when the message is too old for another attempt
    Unknown   unknown, then as Deferred: the same bytes go out again
    Skipped   not_sent 101

A message that can't be composed or may not be sent is not_sent with the code that says why.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from postroom.audience.soft_bounces import Consequence, HandedOver, SoftBounce, SoftBounceRule
from postroom.audience.suppression import Entry
from postroom.bounces.verdict import Reply, Rules, Verdict, bounce_evidence
from postroom.catalog.sending_options import DEFAULT
from postroom.content.address import fold_address
from postroom.content.model import NotComposed
from postroom.delivery.copies import told
from postroom.delivery.outcome import Certificate, Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.retry import RetrySchedule
from postroom.delivery.slices import Message, Part, Postponed, Slice, Wrote
from postroom.events.codes import StatusCode
from postroom.events.log import Event, EventKind
from postroom.events.put_offs import PutOff
from postroom.metrics.counts import Counts
from postroom.metrics.declared import PUT_OFFS, VERDICTS

# A part is queued by itself shortly before it is due. Long before that it is only queued when it has waited for others
# for a while: messages that are given back one after the other become one part and not many.
_SHORTLY = timedelta(seconds=1)
_AWHILE = timedelta(seconds=5)


class Settlement(Protocol):
    """Where events go; the Settler, or a list in a test."""

    def record(
        self,
        slice_: Slice,
        event: Event,
        writes: tuple[Wrote, ...] = (),
        consequence: Consequence | None = None,
    ) -> None: ...

    def part(self, slice_: Slice, parts: Sequence[Part]) -> None: ...

    def finish(self, slice_: Slice) -> None: ...


class Detail(msgspec.Struct, omit_defaults=True, frozen=True):
    """The evidence of an event, stored as JSON."""

    code: int | None = None
    enhanced: str = ""
    reply: str = ""
    reason: str = ""
    stage: str = ""
    host: str = ""
    address: str = ""
    tls: str = ""
    certificate: Certificate | None = None
    source: str = ""
    attempt: int = 1
    refused: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    """(address, cause) of each copy that was not sent because its address is suppressed; no address when erased."""
    subject: str = ""
    took: tuple[int, ...] = ()
    """Milliseconds before the event that the message was claimed, and composed."""
    retry_at: datetime | None = None
    """Of what is tried again: when."""
    held: bool = False
    """It is not sent again until somebody releases it."""
    verdict: Verdict | None = None
    """Of a refusal: whose fault it is."""


class Recorder:
    """Turns outcomes into events and keeps count of each slice. ``now`` is UTC, ``clock`` the loop's, in seconds;
    ``rand`` gives [0, 1); ``soft`` says when soft bounces suppress, None being never."""

    def __init__(
        self,
        settlement: Settlement,
        schedule: RetrySchedule,
        *,
        rules: Rules,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        rand: Callable[[], float],
        soft: SoftBounceRule | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._settlement = settlement
        self._schedule = schedule
        self._rules = rules
        self._soft = soft
        self._counts = counts or Counts()
        self._now = now
        self._clock = clock
        self._rand = rand
        self._encode = msgspec.json.Encoder().encode

    def outcome(self, message: Message, outcome: Outcome) -> None:
        """Settle one attempt."""
        slice_ = message.slice
        detail = Detail(
            code=outcome.code,
            enhanced=outcome.enhanced,
            reply=outcome.text,
            stage="" if isinstance(outcome, Sent) else outcome.stage,
            host=outcome.host,
            address=outcome.address,
            tls=outcome.tls,
            certificate=outcome.certificate,
            source=outcome.source,
            attempt=slice_.attempt + 1,
            refused=outcome.refused_recipients,
            left_out=message.left_out and told(message.left_out),
            subject=message.subject if isinstance(outcome, Sent) else "",
            took=self._took(message),
        )
        contact_id = message.contact.contact_id
        if isinstance(outcome, Sent):
            handed = self._handed_over(message) if message.counted else None
            self._final(slice_, message.position, "sent", contact_id, None, detail, message.writes, handed)
        elif isinstance(outcome, Unknown) and slice_.sending.holds_unknown:
            self._hold(slice_, message.position, contact_id, msgspec.structs.replace(detail, held=True))
        elif isinstance(outcome, Deferred | Unknown):
            self._again(message, detail, "unknown" if isinstance(outcome, Unknown) else "deferred")
        else:
            detail = self._judged(detail) if isinstance(outcome, Refused) else detail
            follows = self._consequence(message, detail)
            self._final(
                slice_, message.position, "not_sent", contact_id, StatusCode.FAILURE, detail, consequence=follows
            )

    def unsendable(self, slice_: Slice, position: int, code: int, reason: str, contact_id: int | None = None) -> None:
        """End a message without an attempt."""
        self._final(slice_, position, "not_sent", contact_id, code, Detail(reason=reason, attempt=slice_.attempt))

    def not_composed(self, message: Message, why: NotComposed) -> None:
        """End a message that has no mail."""
        slice_ = message.slice
        detail = Detail(reason=why.reason, attempt=slice_.attempt)
        writes = message.writes if why.keeps_writes else ()
        contact_id = message.contact.contact_id
        self._final(slice_, message.position, "not_sent", contact_id, why.status_code, detail, writes)

    def empty(self, slice_: Slice) -> None:
        """A slice without one unfinished message is over."""
        self._settlement.finish(slice_)

    def postpone(self, message: Message, until: datetime, why: PutOff) -> None:
        """Give a message back to the queue without an attempt; that is no event."""
        slice_ = message.slice
        self._counts.add(PUT_OFFS, why.reason)
        if slice_.deadline is not None:
            until = min(until, slice_.deadline)
        with_it = slice_.postponed.get(why)
        if with_it is None:
            slice_.postponed[why] = Postponed([message.position], until)
        else:
            with_it.positions.append(message.position)
            with_it.until = min(with_it.until, until)
        self._given_back(slice_, self._now())
        self._count(slice_)

    def part(self, slice_: Slice, *, at_once: bool = False) -> None:
        """Queue by itself what was given back of a slice, if it is time: who still waits must not hold it up."""
        if slice_.given_back_at is None or not slice_.outstanding:
            return
        parts, now = slice_.parts(), self._now()
        soon = any(part.due_at is not None and part.due_at <= now + _SHORTLY for part in parts)
        if at_once or soon or now >= slice_.given_back_at + _AWHILE:
            self._settlement.part(slice_, parts)
            slice_.forget_parts()

    def _took(self, message: Message) -> tuple[int, ...]:
        clock, claimed = self._clock(), message.slice.claimed_at
        if not claimed:
            return ()
        spent = round((clock - claimed) * 1000)
        return (spent, round((clock - message.composed_at) * 1000)) if message.composed_at else (spent,)

    def _again(self, message: Message, detail: Detail, kind: EventKind) -> None:
        slice_, position, contact_id = message.slice, message.position, message.contact.contact_id
        now = self._now()
        if slice_.retry_at is None:
            # One time for the whole slice: what was deferred together is claimed together.
            schedule = self._schedule if slice_.sending is DEFAULT else self._schedule.chosen(slice_.sending)
            slice_.retry_at = schedule.next_attempt(slice_.accepted_at, slice_.attempt + 1, now, self._rand)
        if slice_.retry_at is None:
            detail = self._judged(detail)
            code, follows = StatusCode.TIMED_OUT_IN_QUEUE, self._consequence(message, detail, expired=True)
            self._final(slice_, position, "not_sent", contact_id, code, detail, consequence=follows)
            return
        slice_.deferred.append(position)
        self._given_back(slice_, now)
        detail = msgspec.structs.replace(detail, retry_at=slice_.retry_at)
        self._record(slice_, position, kind, contact_id, None, detail, now)
        self._count(slice_)

    def _judged(self, detail: Detail) -> Detail:
        reply = Reply(detail.reply, detail.enhanced, detail.code, detail.host, detail.stage)
        verdict = self._rules.judge(reply)
        self._counts.add(VERDICTS, "smtp", verdict.fault, verdict.permanence, verdict.category)
        return msgspec.structs.replace(detail, verdict=verdict)

    def _consequence(self, message: Message, detail: Detail, *, expired: bool = False) -> Consequence | None:
        verdict = detail.verdict
        if verdict is None:
            return None
        suppresses = verdict.suppresses and not expired
        if not suppresses and (self._soft is None or not verdict.counts):
            return None
        if message.copies and detail.stage not in ("", "connect", "rcpt"):
            # One answer for several recipients: it does not say whom it means.
            return None
        if fold_address(message.address) is None:
            return None
        evidence = bounce_evidence(detail.host, detail.reply, verdict)
        if suppresses or self._soft is None:
            return Entry(message.address, "bounce", evidence)
        place = (message.slice.request_id, message.position)
        return SoftBounce(message.address, *place, self._now(), evidence, self._soft)

    def _handed_over(self, message: Message) -> HandedOver:
        return HandedOver(message.address, message.slice.request_id, message.position, self._now())

    def _hold(self, slice_: Slice, position: int, contact_id: int, detail: Detail) -> None:
        now = self._now()
        slice_.held.append(position)
        self._given_back(slice_, now)
        self._record(slice_, position, "unknown", contact_id, None, detail, now)
        self._count(slice_)

    def _final(
        self,
        slice_: Slice,
        position: int,
        kind: EventKind,
        contact_id: int | None,
        code: int | None,
        detail: Detail,
        writes: tuple[Wrote, ...] = (),
        consequence: Consequence | None = None,
    ) -> None:
        self._record(slice_, position, kind, contact_id, code, detail, self._now(), writes, consequence)
        self._count(slice_)

    def _record(
        self,
        slice_: Slice,
        position: int,
        kind: EventKind,
        contact_id: int | None,
        code: int | None,
        detail: Detail,
        now: datetime,
        writes: tuple[Wrote, ...] = (),
        consequence: Consequence | None = None,
    ) -> None:
        self._settlement.record(
            slice_,
            Event(
                slice_.account_id,
                now.date(),
                now,
                slice_.request_id,
                position,
                slice_.definition_id,
                kind,
                contact_id,
                code,
                self._encoded(detail),
            ),
            writes,
            consequence,
        )

    def _encoded(self, detail: Detail) -> str:
        try:
            return self._encode(detail).decode()
        except UnicodeEncodeError:
            # A text that is no Unicode is no reason to forget what became of the message.
            return self._encode(_storable(msgspec.to_builtins(detail))).decode()

    def _given_back(self, slice_: Slice, now: datetime) -> None:
        if slice_.given_back_at is None:
            slice_.given_back_at = now

    def _count(self, slice_: Slice) -> None:
        slice_.outstanding -= 1
        if slice_.outstanding == 0:
            self._settlement.finish(slice_)


def _storable(value: object) -> object:
    """The value with lone surrogates replaced, wherever they are."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _storable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    return value
