"""What is in the queue, on the wire (Postroom's own)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.times import utc_time
from postroom.events.put_offs import Reason
from postroom.intake.queue_report import Depth, Destination, LastAttempt, QueueReport

_FIELDS = ("definitionkey",)


class ShownDepth(msgspec.Struct, rename="camel"):
    """Messages of a definition. ``oldest`` and ``next`` are of those that are not held, ``next`` of those that no
    process has; with ``more`` all numbers are at least these."""

    definition_key: str
    status: str
    due: int
    leased: int
    waiting: int
    held: int
    oldest: str | None
    next: str | None
    more: bool


class ShownAttempt(msgspec.Struct, rename="camel"):
    """The newest failed attempt. ``reply`` is what the host said, or what went wrong before it could say anything;
    ``code`` is null when it said nothing."""

    at: str
    outcome: Literal["deferred", "unknown"]
    host: str
    stage: str
    code: int | None
    reply: str


class ShownPutOff(msgspec.Struct, rename="camel"):
    """So many messages were put off for this reason last."""

    reason: Reason
    place: str
    messages: int


class ShownDestination(msgspec.Struct, rename="camel"):
    """A recipients' domain that is behind. Of ``messages``, ``inHand`` are with a delivery process and ``tried`` had an
    attempt; ``next`` is null when a process has them all."""

    domain: str
    messages: int
    in_hand: int
    tried: int
    oldest: str
    next: str | None
    last_attempt: ShownAttempt | None
    put_offs: list[ShownPutOff]


class ShownSite(msgspec.Struct, rename="camel"):
    """Messages that were given back because more waits for this MX site than goes there."""

    site: str
    messages: int
    oldest: str
    next: str


class ShownAway(msgspec.Struct, rename="camel"):
    """The relay cannot be reached since then."""

    relay: str
    since: str
    reply: str


class ShownQueue(msgspec.Struct, rename="camel"):
    """``destinations`` are of the ``looked`` messages that are behind and were accepted first; with ``more`` there are
    others, or more definitions or slices than were counted."""

    at: str
    definitions: list[ShownDepth]
    destinations: list[ShownDestination]
    sites: list[ShownSite]
    relay_away: list[ShownAway]
    looked: int
    more: bool


def read_definition(query: Mapping[str, str]) -> str | None:
    """The one definition that is asked for. Raises ApiError 10005 for what is no filter."""
    for name, value in query.items():
        if name not in _FIELDS:
            raise ApiError(Code.INVALID_VALUE, f"{name[:50]!r} is no filter; use definitionKey, or none")
        if not value.strip() or "\0" in value:
            raise ApiError(Code.INVALID_VALUE, "definitionKey must have a value without a NUL character")
    return query.get("definitionkey")


def shown_queue(report: QueueReport) -> ShownQueue:
    """A report as replies show it."""
    return ShownQueue(
        at=utc_time(report.at),
        definitions=[_depth(each) for each in report.depths],
        destinations=[_destination(each) for each in report.destinations],
        sites=[
            ShownSite(each.site, each.messages, utc_time(each.oldest), utc_time(each.next_at)) for each in report.sites
        ],
        relay_away=[ShownAway(each.relay, utc_time(each.since), each.reply) for each in report.away],
        looked=report.looked,
        more=report.more,
    )


def _depth(depth: Depth) -> ShownDepth:
    return ShownDepth(
        definition_key=depth.definition_key,
        status=depth.status,
        due=depth.due,
        leased=depth.leased,
        waiting=depth.waiting,
        held=depth.held,
        oldest=_time(depth.oldest),
        next=_time(depth.next_at),
        more=depth.more,
    )


def _destination(one: Destination) -> ShownDestination:
    return ShownDestination(
        domain=one.domain,
        messages=one.messages,
        in_hand=one.in_hand,
        tried=one.tried,
        oldest=utc_time(one.oldest),
        next=_time(one.next_at),
        last_attempt=None if one.last is None else _attempt(one.last),
        put_offs=[ShownPutOff(why.reason, why.place, number) for why, number in one.put_offs.most_common()],
    )


def _attempt(last: LastAttempt) -> ShownAttempt:
    detail = last.detail
    return ShownAttempt(
        at=utc_time(last.at),
        outcome="unknown" if last.kind == "unknown" else "deferred",
        host=detail.get("host", ""),
        stage=detail.get("stage", ""),
        code=detail.get("code"),
        reply=detail.get("reply") or detail.get("reason", ""),
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc_time(moment)
