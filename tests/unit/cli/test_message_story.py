"""A timeline in plain words."""

from typing import Literal

from postroom.api.wire.timeline import (
    AttemptEntry,
    BouncedEntry,
    ClaimedEntry,
    ClickedEntry,
    ComplainedEntry,
    ComposedEntry,
    Entry,
    InactiveEntry,
    NotSentEntry,
    OpenedEntry,
    PutOffEntry,
    RelayAwayEntry,
    SentEntry,
    ShownTimeline,
    UnsubscribedEntry,
    WaitingEntry,
    WebhookEntry,
)
from postroom.cli.message_story import story_lines
from postroom.events.put_offs import REASONS

AT = "2026-01-05T09:41:18.550Z"
SHOWN = "2026-01-05 09:41:18.550"


def words(*entries: Entry) -> list[str]:
    timeline = ShownTimeline("k", "ann", "ann@example.com", "notSent", False, list(entries))
    headline, *lines, last = story_lines(timeline)
    assert headline == "k to ann@example.com (contact ann): not sent"
    assert last == "There are more events than are shown."
    assert all(line.startswith(f"{SHOWN}  ") for line in lines)
    return [line.removeprefix(f"{SHOWN}  ") for line in lines]


def test_attempts_tell_host_tls_and_reply() -> None:
    verdict = {"fault": "recipient", "permanence": "hard", "category": "mailbox-unknown", "rule": "r"}
    copies = [{"address": "cc@example.com", "reply": "550 no"}]
    assert words(
        AttemptEntry(
            at=AT, event_id="1", number=2, outcome="refused", host="mx", address="192.0.2.1:25", tls="TLSv1.3 X",
            certificate={"verified": "dane"}, stage="rcpt", code=550, reply="5.1.1 no", verdict=verdict,
            refused_copies=copies, source="198.51.100.7",
        ),
        AttemptEntry(at=AT, event_id="2", number=1, outcome="unknown", host="mx", held=True),
        AttemptEntry(at=AT, event_id="3", number=3, outcome="sent", host="mx", tls="T", code=250, reply="250 2.0.0 Ok"),
        AttemptEntry(at=AT, event_id="4", number=4, outcome="deferred", host="mx", stage="connect", reply="refused"),
    ) == [
        "attempt 2 at mx [192.0.2.1:25]: refused; stage rcpt; from 198.51.100.7; TLSv1.3 X, certificate verified by "
        "dane; recipient, hard, mailbox-unknown; copy to cc@example.com refused: 550 no: 550 5.1.1 no",
        "attempt 1 at mx: answer unknown, the connection was lost at the end; without TLS; held",
        "attempt 3 at mx: taken; T: 250 2.0.0 Ok",
        "attempt 4 at mx: not taken for now; stage connect: refused",
    ]  # fmt: skip


def test_ends_and_what_comes_after() -> None:
    assert words(
        SentEntry(at=AT, event_id="1", subject="Your order"),
        NotSentEntry(at=AT, event_id="2", status_code=103, status_message="MessageBuildError", reason="line 3"),
        BouncedEntry(at=AT, event_id="3", host="mx", reply="550 full", verdict={"fault": "recipient"}),
        ComplainedEntry(at=AT, event_id="4", feedback="abuse"),
        OpenedEntry(at=AT, event_id="5", verdict="machine", verdict_reason="prefetch", address="192.0.2.7"),
        ClickedEntry(at=AT, event_id="6", link_name="Shop", target="https://shop.example/"),
        UnsubscribedEntry(at=AT, event_id="7", method="one-click", list_id=3),
    ) == [
        "sent: Your order",
        "not sent: 103 MessageBuildError: line 3",
        "bounced by mx (recipient): 550 full",
        "complained: abuse",
        "opened (machine: prefetch) from 192.0.2.7",
        "clicked Shop https://shop.example/",
        "unsubscribed from list 3 by one-click",
    ]


def hook(state: Literal["waiting", "passed"], attempt: int = 0, trouble: str = "") -> WebhookEntry:
    since = AT if attempt else ""
    return WebhookEntry(
        at=AT, event_id="1", event_type="T", callback_id="c", callback_name="Orders", state=state,
        attempt=attempt, due=since, failing_since=since, last_error=trouble,
    )  # fmt: skip


def test_webhooks_and_what_it_waits_for() -> None:
    assert words(
        hook("passed"),
        WebhookEntry(
            at=AT, event_id="1", event_type="T", callback_id="c", callback_name="Orders", state="failed", times=3,
            until=AT, last_error="it answered 500",
        ),
        WebhookEntry(
            at=AT, event_id="1", event_type="T", callback_id="c", callback_name="Orders", state="told", status=204,
            milliseconds=41, events=3,
        ),
        hook("waiting"),
        hook("waiting", 3, "500"),
        WaitingEntry(at=AT, state="retry", attempts=2, claims=2, until=AT, domain="example.com"),
        WaitingEntry(at=AT, state="claimed", attempts=0, claims=1, until=AT, lease_owner="w1"),
    ) == [
        "webhook Orders: T not told: not wanted then, or given up",
        f"webhook Orders: T not taken, 3 times until {SHOWN}: it answered 500",
        "webhook Orders: T told: 204 after 41 ms, in a batch of 3",
        "webhook Orders: T not told yet",
        f"webhook Orders: T not told yet; failing since {SHOWN}, 3 attempts, next at {SHOWN}: 500",
        f"since then: waits for the next attempt until {SHOWN}, to example.com; attempts made: 2",
        f"since then: being sent at this moment by w1 until {SHOWN}",
    ]  # fmt: skip


def test_what_held_it_up() -> None:
    assert words(
        RelayAwayEntry(at=AT, relay="smtp://r:25", reply="refused", until=AT),
        InactiveEntry(at=AT),
        PutOffEntry(at=AT, reason="siteBusy", place="mx1", until=AT, times=31),
        PutOffEntry(at=AT, reason="database"),
        PutOffEntry(at=AT, reason="released"),
        ClaimedEntry(at=AT, number=2),
        ComposedEntry(at=AT, number=2),
        AttemptEntry(at=AT, event_id="1", number=2, outcome="deferred", reply="later", retry_at=AT),
    ) == [
        f"relay smtp://r:25 away until {SHOWN}: refused",
        "the definition was not active",
        f"put off until {SHOWN}, 31 times: more waited for its site than went there: mx1",
        "put off: the database did not answer, or refused what is not the message's fault",
        "released by somebody",
        "taken out of the queue for attempt 2",
        "mail made for attempt 2",
        f"attempt 2: not taken for now: later; again at {SHOWN}",
    ]


def test_every_reason_of_a_put_off_has_words() -> None:
    for reason in REASONS:
        (line,) = words(PutOffEntry(at=AT, reason=reason))
        assert reason in ("held", "released", "hastened") or line.startswith("put off: ")


def test_a_reply_cannot_move_the_cursor_of_the_terminal() -> None:
    (line,) = words(BouncedEntry(at=AT, event_id="1", reply="\x1b[2J\r\nforged\u202e"))
    assert line == "bounced: \ufffd[2J\ufffd\ufffdforged\ufffd"
