"""Holds the ledger against the tables: was a mail lost, doubled, made up, or told wrongly?

Each check adds a sentence to ``faults`` for each thing that no promise allows, and counts what a promise does allow.
Pure: it is tried in tests/unit/soak with faults that are planted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.soak.doubles import Allowances
from tests.soak.ledger import Key, Ledger, Place, Taking
from tests.soak.tables import EventRow, MessageRow, Tables

FINAL = {"sent": "TransactionalSendEvents.EmailSent", "not_sent": "TransactionalSendEvents.EmailNotSent"}
_UNREADY = 39
_TOO_OLD = 139
_FORGOTTEN = 40
_SHOWN = 5


@dataclass(slots=True)
class Report:
    """``faults`` by check; ``counts`` is what happened, to be printed."""

    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    def fault(self, check: str, text: str) -> None:
        self.faults[check].append(text)

    def lines(self) -> list[str]:
        """The counts, and of each check the first faults."""
        told = [f"{name}: {number}" for name, number in sorted(self.counts.items())]
        for check, texts in self.faults.items():
            told.append(f"FAULT {check}: {len(texts)}")
            told += [f"    {text}" for text in texts[:_SHOWN]]
        return told


def audit(
    ledger: Ledger,
    tables: Tables,
    allowed: Allowances,
    statuses: Mapping[Key, str] | None = None,
    *,
    deadlines: Mapping[str, float] | None = None,
    skew: float = 0.0,
) -> Report:
    """Everything that can be held against each other. ``statuses`` is what the status route answered; ``deadlines``
    the seconds after which a definition's messages may be given up; ``skew`` how far clocks may be apart."""
    report = Report()
    for fault in ledger.faults:
        report.fault("answers", fault)
    rows = {row.place: row for row in tables.messages}
    finals: dict[Place, list[EventRow]] = defaultdict(list)
    for event in tables.events:
        if event.kind in FINAL:
            finals[event.place].append(event)
    takings: dict[Place, list[Taking]] = defaultdict(list)
    for taking in sorted(ledger.takings, key=lambda taking: taking.at):
        takings[taking.place].append(taking)
    _acceptances(report, ledger, tables)
    _ends(report, rows.values(), finals)
    _mails(report, rows, takings)
    for taking in ledger.takings:
        if taking.address in ledger.forbidden:
            report.fault("sent to a suppressed address", f"{taking.address} at {taking.host}")
    _outcomes(report, rows.values(), finals, takings, allowed)
    _codes(report, ledger, tables, finals, {key: seconds - skew for key, seconds in (deadlines or {}).items()})
    _webhooks(report, ledger, rows, finals)
    if statuses is not None:
        _statuses(report, rows.values(), finals, statuses)
    _counters(report, tables)
    for name, number in tables.left.items():
        if number:
            report.fault("left over", f"{number} {name}")
    for where in tables.unforgotten:
        report.fault("erased and still there", where)
    return report


def _acceptances(report: Report, ledger: Ledger, tables: Tables) -> None:
    stored = Counter(row.key for row in tables.messages)
    report.counts["accepted"] = len(ledger.accepted)
    report.counts["accepted again by a job"] = len(tables.resent)
    for key in ledger.accepted.keys() - stored.keys():
        report.fault("accepted and not stored", str(key))
    for key, number in stored.items():
        if number > 1:
            report.fault("a key is used twice", f"{key} has {number} messages")
        if key in ledger.refused and key not in ledger.accepted:
            report.fault("refused and stored", str(key))
        elif key not in ledger.accepted and key not in tables.resent:
            report.fault("stored and not accepted", str(key))
    for row in tables.messages:
        accepted = ledger.accepted.get(row.key)
        if accepted is not None and row.address and row.address != accepted.address:
            report.fault("stored otherwise", f"{row.key}: {row.address} instead of {accepted.address}")


def _ends(report: Report, rows: Iterable[MessageRow], finals: Mapping[Place, list[EventRow]]) -> None:
    known = set()
    for row in rows:
        known.add(row.place)
        ends = finals.get(row.place, [])
        if not ends:
            report.fault("no end", f"{row.key} of {row.definition}")
        elif len(ends) > 1:
            report.fault("more than one end", f"{row.key}: {[(each.kind, each.code, each.event_id) for each in ends]}")
    for place in finals.keys() - known:
        report.fault("an end of nothing", str(place))


def _mails(report: Report, rows: Mapping[Place, MessageRow], takings: Mapping[Place, list[Taking]]) -> None:
    for place, taken in takings.items():
        row = rows.get(place)
        if row is None:
            report.fault("sent and not accepted", f"{place} to {taken[0].address}")
            continue
        for taking in taken:
            if row.address and taking.address != row.address:
                report.fault("sent to somebody else", f"{row.key}: {taking.address} instead of {row.address}")
        if len({taking.digest for taking in taken}) > 1:
            report.fault("other bytes the second time", str(row.key))


def _outcomes(
    report: Report,
    rows: Iterable[MessageRow],
    finals: Mapping[Place, list[EventRow]],
    takings: Mapping[Place, list[Taking]],
    allowed: Allowances,
) -> None:
    for row in rows:
        taken = takings.get(row.place, [])
        kinds = {event.kind for event in finals.get(row.place, [])}
        report.counts.update(kinds)
        report.counts["taken by mail hosts"] += len(taken)
        if kinds == {"sent"} and not taken:
            report.fault("told as sent and taken by nobody", str(row.key))
        # Of a message that is sent the last mail is the one that counts; of any other none does.
        for taking in taken[:-1] if "sent" in kinds else taken:
            reason = allowed.reason(taking)
            if reason is None:
                what = "twice" if "sent" in kinds else "though told as not sent"
                at = [f"{each.at:.3f} {each.host}{'' if each.answered else ' ?'}" for each in taken]
                report.fault(f"sent {what}", f"{row.key} of {row.definition}, taken {at}")
            else:
                report.counts[f"{'again' if 'sent' in kinds else 'not sent and yet taken'}, {reason}"] += 1


def _codes(
    report: Report,
    ledger: Ledger,
    tables: Tables,
    finals: Mapping[Place, list[EventRow]],
    deadlines: Mapping[str, float],
) -> None:
    for row in tables.messages:
        key = row.key
        while key in tables.resent:
            key = tables.resent[key]
        accepted = ledger.accepted.get(key)
        address = row.address or (accepted.address if accepted is not None else "")
        for event in finals.get(row.place, []):
            if event.kind != "not_sent":
                continue
            report.counts[f"not sent, {event.code}"] += 1
            deadline = deadlines.get(row.definition)
            good = {
                101: ledger.refusals[address] > 0,
                27: address in ledger.suppressed,
                2: ledger.refusals[address] > 0,
                _FORGOTTEN: address in ledger.erased,
                _UNREADY: row.definition in ledger.cancelled,
                _TOO_OLD: deadline is not None and event.at - row.accepted_at >= deadline - 1,
            }
            if not good.get(event.code or 0, False):
                late = event.at - row.accepted_at
                report.fault("not sent without a reason", f"{row.key} of {row.definition}: {event.code}, {late:.1f} s")


def _webhooks(
    report: Report, ledger: Ledger, rows: Mapping[Place, MessageRow], finals: Mapping[Place, list[EventRow]]
) -> None:
    events = {event.event_id: event for ends in finals.values() for event in ends}
    answered = {told.event_id for told in ledger.told if told.answered}
    report.counts["told by webhooks"] = len(ledger.told)
    report.counts["told again"] = len(ledger.told) - len({told.event_id for told in ledger.told})
    for told in ledger.told:
        event = events.get(told.event_id)
        row = None if event is None else rows.get(event.place)
        if event is None or row is None:
            report.fault("told and not recorded", f"event {told.event_id} of {told.key}")
        elif (FINAL[event.kind], row.key) != (told.kind, told.key):
            report.fault("told otherwise", f"event {told.event_id}: {told.kind} of {told.key}, {event}")
    for event_id in events.keys() - answered:
        event = events[event_id]
        row = rows.get(event.place)
        report.fault("never told", f"event {event_id}, {event.kind} of {row.key if row else event.place}")


def _statuses(
    report: Report, rows: Iterable[MessageRow], finals: Mapping[Place, list[EventRow]], statuses: Mapping[Key, str]
) -> None:
    report.counts["statuses asked for"] = len(statuses)
    for row in rows:
        status = statuses.get(row.key)
        ends = finals.get(row.place, [])
        if status is not None and ends and status not in {FINAL[event.kind] for event in ends}:
            report.fault("status", f"{row.key}: {status}, and the log says {[event.kind for event in ends]}")


def _counters(report: Report, tables: Tables) -> None:
    """Never more than there is. They may be less: what a killed process had not written is missing."""
    kinds = Counter(event.kind for event in tables.events)
    codes = Counter(event.code or 0 for event in tables.events if event.kind == "not_sent")
    expected = {("postroom_accepted_total", ""): len(tables.messages)}
    expected |= {("postroom_outcomes_total", f'kind="{kind}"'): number for kind, number in kinds.items()}
    expected |= {("postroom_not_sent_total", f'status_code="{code}"'): number for code, number in codes.items()}
    for name, number in expected.items():
        counted = tables.metrics.get(name, 0)
        report.counts[f"not counted of {name[0]}{{{name[1]}}}"] = number - counted
        if counted > number:
            report.fault("counted too much", f"{name}: {counted}, and there are {number}")
