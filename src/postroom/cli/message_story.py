"""The timeline of a message in plain words, a line an entry."""

from collections.abc import Iterator, Mapping

from postroom.api.wire.timeline import (
    AcceptedEntry,
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
from postroom.cli.output import clock_text
from postroom.events.put_offs import Reason
from postroom.events.timeline import WaitState

_WAITS: Mapping[WaitState, str] = {
    "held": "held until somebody releases or cancels it (postroom message release, cancel)",
    "claimed": "being sent at this moment",
    "inactive": "its definition is not active; it goes on when it is",
    "retry": "waits for the next attempt",
    "postponed": "waits for its turn: more is queued for its way than may go at once",
    "due": "due; no worker has taken it yet",
}

_PUT_OFF: Mapping[Reason, str] = {
    "siteBusy": "more waited for its site than went there:",
    "tooManySites": "no room for one more site",
    "dns": "the DNS had not answered for",
    "copies": "its copies had to wait for",
    "relayAway": "no relay could be reached:",
    "warmUp": "the day's messages of a warm-up were sent:",
    "database": "the database did not answer, or refused what is not the message's fault",
    "leaseRanOut": "the process that had it was gone:",
    "notRecorded": "the database refused to record what became of it, so it is held",
}

_OUTCOMES = {
    "sent": "taken",
    "deferred": "not taken for now",
    "unknown": "answer unknown, the connection was lost at the end",
    "refused": "refused",
}


def story_lines(timeline: ShownTimeline) -> Iterator[str]:
    """A headline, and a line for each entry; nothing in them can move a terminal's cursor."""
    to = f" to {timeline.to}" if timeline.to else ""
    contact = f" (contact {timeline.contact_key})" if timeline.contact_key else ""
    status = {"queued": "queued", "sent": "sent", "notSent": "not sent"}[timeline.status]
    yield _printable(f"{timeline.message_key}{to}{contact}: {status}")
    for entry in timeline.entries:
        yield _printable(f"{_when(entry.at)}  {_words(entry)}")
    if not timeline.complete:
        yield "There are more events than are shown."


def _words(entry: Entry) -> str:
    match entry:
        case AcceptedEntry():
            definition = entry.definition_key or "a definition that is gone"
            return f"accepted for {definition}, version {entry.version}; request {entry.request_id}[{entry.position}]"
        case RelayAwayEntry():
            return f"relay {entry.relay} away until {_when(entry.until)}" + _after(": ", entry.reply)
        case InactiveEntry():
            return "the definition was not active" + _after(" until ", _when(entry.until))
        case PutOffEntry():
            return _put_off(entry)
        case ClaimedEntry():
            return f"taken out of the queue for attempt {entry.number}"
        case ComposedEntry():
            return f"mail made for attempt {entry.number}"
        case AttemptEntry():
            return _attempt(entry)
        case SentEntry():
            return f"sent: {entry.subject}" if entry.subject else "sent"
        case NotSentEntry():
            return f"not sent: {entry.status_code} {entry.status_message}" + _after(": ", entry.reason)
        case BouncedEntry():
            who = _after(" for ", entry.recipient) + _after(" by ", entry.host)
            return f"bounced{who}{_kind(entry.verdict)}" + _after(": ", entry.reply)
        case ComplainedEntry():
            return "complained" + _after(" for ", entry.recipient) + _after(": ", entry.feedback)
        case OpenedEntry():
            return "opened" + _visitor(entry)
        case ClickedEntry():
            return "clicked" + _after(" ", entry.link_name) + _after(" ", entry.target) + _visitor(entry)
        case UnsubscribedEntry():
            listed = "" if entry.list_id is None else f" from list {entry.list_id}"
            return f"unsubscribed{listed}" + _after(" by ", entry.method)
        case WebhookEntry():
            return _webhook(entry)
        case WaitingEntry():
            return _waiting(entry)


def _attempt(entry: AttemptEntry) -> str:
    peer = entry.host + (f" [{entry.address}]" if entry.address else "")
    parts = [f"attempt {entry.number}{_after(' at ', peer)}: {_OUTCOMES[entry.outcome]}"]
    if entry.stage:
        parts.append(f"stage {entry.stage}")
    if entry.source:
        parts.append(f"from {entry.source}")
    # Where no connection came about there was nothing to encrypt.
    if entry.host and (entry.tls or entry.stage != "connect"):
        verified = entry.certificate.get("verified", "none")
        proof = "" if verified == "none" else f", certificate verified by {verified}"
        parts.append(f"{entry.tls}{proof}" if entry.tls else "without TLS")
    if entry.verdict:
        parts.append(_kind(entry.verdict).strip(" ()"))
    parts += [f"copy to {each['address']} refused: {each['reply']}" for each in entry.refused_copies]
    parts += [
        f"no copy to {each['address'] or 'an erased address'}: suppressed ({each['cause']})"
        for each in entry.suppressed_copies
    ]
    code = "" if entry.code is None else str(entry.code)
    # A reply begins with its code; only what was made of one has none.
    reply = entry.reply if entry.reply.startswith(code) else f"{code} {entry.reply}".strip()
    then = "; held" if entry.held else _after("; again at ", _when(entry.retry_at))
    return "; ".join(parts) + _after(": ", reply) + then


def _put_off(entry: PutOffEntry) -> str:
    decided = {"held": "held by somebody", "released": "released by somebody", "hastened": "made due by somebody"}
    if entry.reason in decided:
        return decided[entry.reason]
    times = "" if entry.times == 1 else f", {entry.times} times"
    return (
        "put off"
        + _after(" until ", _when(entry.until))
        + times
        + f": {_PUT_OFF[entry.reason]}"
        + _after(" ", entry.place)
    )


def _webhook(entry: WebhookEntry) -> str:
    what = f"webhook {entry.callback_name}: {entry.event_type}"
    if entry.state == "told":
        return f"{what} told: {entry.status} after {entry.milliseconds} ms, in a batch of {entry.events}"
    if entry.state == "failed":
        return f"{what} not taken, {entry.times} times until {_when(entry.until)}" + _after(": ", entry.last_error)
    if entry.state == "passed":
        return f"{what} not told: not wanted then, or given up"
    if not entry.attempt:
        return f"{what} not told yet"
    failed = f"failing since {_when(entry.failing_since)}, {entry.attempt} attempts, next at {_when(entry.due)}"
    return f"{what} not told yet; {failed}" + _after(": ", entry.last_error)


def _waiting(entry: WaitingEntry) -> str:
    owner = _after(" by ", entry.lease_owner)
    until = _after(" until ", _when(entry.until))
    attempts = "" if entry.attempts == 0 else f"; attempts made: {entry.attempts}"
    return f"since then: {_WAITS[entry.state]}{owner}{until}" + _after(", to ", entry.domain) + attempts


def _kind(verdict: Mapping[str, str]) -> str:
    named = [verdict[name] for name in ("fault", "permanence", "category") if verdict.get(name)]
    return f" ({', '.join(named)})" if named else ""


def _visitor(entry: OpenedEntry | ClickedEntry) -> str:
    judged = entry.verdict + _after(": ", entry.verdict_reason)
    return (f" ({judged})" if judged else "") + _after(" from ", entry.address) + _after(" with ", entry.user_agent)


def _when(moment: str) -> str:
    return clock_text(moment, precise=True) if moment else ""


def _after(words: str, value: str) -> str:
    return f"{words}{value}" if value else ""


def _printable(line: str) -> str:
    """A line that can't move a terminal's cursor: replies and user agents are strangers' words."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
