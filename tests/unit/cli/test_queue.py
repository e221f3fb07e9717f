"""The queue as tables."""

import msgspec

from postroom.api.shapes.queue_report import QUEUE
from postroom.api.wire.queue_report import ShownQueue
from postroom.cli.queue import queue_lines


def shown(**changed: object) -> ShownQueue:
    return msgspec.convert({**QUEUE.answer, **changed}, ShownQueue)


def test_who_is_behind_since_when_and_in_whose_words() -> None:
    assert list(queue_lines(shown())) == [
        "DEFINITION  DUE  LEASED  WAITING  HELD  OLDEST  NEXT TRY",
        "order       0    40      1210     0     47 min  in 3 min",
        "",
        "Behind:",
        "DESTINATION   MESSAGES  TRIED  IN HAND  OLDEST  NEXT TRY",
        "slow.example  1250      900    40       47 min  in 3 min",
        "    118 s ago mx1.slow.example: 451 4.7.1 Too many messages, slow down",
        "    put off: siteBusy mx1.slow.example (310)",
        "",
        "Given back, because more waits for the site than goes there:",
        "SITE              MESSAGES  OLDEST  NEXT TRY",
        "mx1.slow.example  310       20 min  in 3 min",
    ]


def test_nothing_queued_and_a_relay_that_is_away() -> None:
    away = {"relay": "smtp://relay.example:25", "since": "2026-01-05T08:00:00.000Z", "reply": "connection refused"}
    assert list(queue_lines(shown(definitions=[], destinations=[], sites=[], relayAway=[away]))) == [
        "Nothing is queued.",
        "",
        "Relay smtp://relay.example:25 is away for 2 h: connection refused",
    ]


def test_terminal_escape_in_a_reply_moves_no_cursor() -> None:
    (destination,) = QUEUE.answer["destinations"]
    evil = {**destination["lastAttempt"], "reply": "\x1b[2J\r\n" + "x" * 500}
    lines = list(queue_lines(shown(destinations=[{**destination, "domain": "a\x1b[1m.test", "lastAttempt": evil}])))
    assert not any("\x1b" in line or "\r" in line for line in lines)
    assert max(map(len, lines)) < 200


def test_counts_that_are_not_complete_say_so() -> None:
    (definition,) = QUEUE.answer["definitions"]
    lines = list(queue_lines(shown(definitions=[{**definition, "status": "Inactive", "more": True}], more=True)))
    assert lines[1].split()[:5] == ["order", "(inactive)", "0+", "40+", "1210+"]
    assert lines[3] == "Behind, of the messages accepted first:"
