"""Reports of the simulator are read as those of other mail systems are."""

from datetime import UTC, datetime

from postroom.bounces.report import Complaint, Failure, read_report
from postroom.bounces.verdict import Reply, read_rules
from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox.later_reports import bounce, complaint

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RAW = b"From: a@example.com\r\nMessage-ID: <0.0.1@example.com>\r\nSubject: Hi\r\n\r\nHello\r\n"


def arrival(recipient: str) -> Arrival:
    return Arrival("a@example.com", (recipient,), RAW)


def test_a_bounce_is_a_failure_of_its_recipient() -> None:
    for later, category in (("bounce", "no-such-user"), ("soft-bounce", "full")):
        to = "bounces-later+1@simulator.test"
        report = read_report(bounce(arrival(to), to, later, NOW), "")  # type: ignore[arg-type]
        assert isinstance(report, Failure)
        assert (report.reporting_mta, report.format) == ("mx.simulator.test", "dsn")
        (failed,) = report.failed
        assert failed.recipient == to
        assert read_rules().judge(Reply(failed.text, failed.status, host=failed.remote_mta)).category == category


def test_a_complaint_is_one_of_abuse() -> None:
    to = "complains+1@simulator.test"
    report = read_report(complaint(arrival(to), to, "complaint", NOW), "")
    assert isinstance(report, Complaint)
    assert (report.kind, report.reporter, report.recipient) == ("abuse", "mx.simulator.test", to)


def test_a_mail_without_a_head_is_reported_as_well() -> None:
    report = read_report(bounce(Arrival("", ("x@simulator.test",), b"\x00\xff"), "x@simulator.test", "bounce", NOW), "")
    assert isinstance(report, Failure)
