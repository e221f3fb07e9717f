"""What the demo makes of answers, and how it says what it counted."""

import io
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from postroom.cli.demo import DemoFailed, Status, accepted_recipients, read_status
from postroom.cli.demo_check import Verdict
from postroom.cli.demo_example import Recipient
from postroom.cli.demo_report import Figures, Report, result_line

ANNA = Recipient("c-1", "anna@example.com", "k-1", {"FirstName": "Anna"})
BERT = Recipient("c-2", "bert@example.com", "k-2", {"FirstName": "Bert"})


def status_of(kind: str, **info: object) -> dict[str, Any]:
    return {
        "eventCategoryType": f"TransactionalSendEvents.{kind}",
        "timestamp": "2026-11-23T02:00:00.25",
        "info": {"messageKey": "k-1", "contactKey": "c-1", "to": "anna@example.com", **info},
    }


def figures(asked: int, sent: int, not_sent: Counter[str] | None = None) -> Figures:
    return Figures(asked, sent, not_sent or Counter(), answered=0.1, settled=0.5, known=1.0, values=sent)


def report_text(console_width: int = 200) -> tuple[Report, io.StringIO]:
    output = io.StringIO()
    return Report(Console(file=output, width=console_width, highlight=False)), output


def test_the_accepted_are_those_without_an_error() -> None:
    answer = {"responses": [{"messageKey": "k-1"}, {"messageKey": "k-2", "errorcode": 109121, "message": "x"}]}
    assert accepted_recipients([ANNA, BERT], answer) == [ANNA]


@pytest.mark.parametrize("keys", [["k-2", "k-1"], ["k-1"], ["k-1", "k-2", "k-3"], ["k-1", "other"]])
def test_an_answer_about_other_messages_ends_the_demo(keys: list[str]) -> None:
    with pytest.raises(DemoFailed, match="other message keys"):
        accepted_recipients([ANNA, BERT], {"responses": [{"messageKey": key} for key in keys]})


def test_a_queued_message_has_no_final_status() -> None:
    assert read_status(ANNA, {"eventCategoryType": "TransactionalSendEvents.EmailQueued", "timestamp": "x"}) is None


def test_a_timestamp_is_vendor_time() -> None:
    sent = read_status(ANNA, status_of("EmailSent"))
    assert sent == Status(datetime(2026, 11, 23, 8, 0, 0, 250_000, tzinfo=UTC), "")


def test_not_sent_keeps_its_reason() -> None:
    status = read_status(ANNA, status_of("EmailNotSent", statusCode=103, statusMessage="MessageBuildError"))
    assert status is not None
    assert status.reason == "EmailNotSent 103 MessageBuildError"


@pytest.mark.parametrize("wrong", [{"messageKey": "k-2"}, {"contactKey": "c-2"}, {"to": "bert@example.com"}])
def test_a_status_about_somebody_else_ends_the_demo(wrong: dict[str, str]) -> None:
    with pytest.raises(DemoFailed, match="the status of k-1 is about"):
        read_status(ANNA, status_of("EmailSent", **wrong))


def test_the_last_line_shows_what_was_counted() -> None:
    assert result_line(Verdict(2000, 2000, [], [], [])) == "demo: 2000 accepted, 2000 delivered, 0 lost, 0 twice"
    assert result_line(Verdict(20, 17, ["a", "b"], ["c"], ["d"])) == "demo: 20 accepted, 17 delivered, 2 lost, 1 twice"


def test_what_differs_is_said_plainly() -> None:
    report, output = report_text()
    verdict = Verdict(
        3, 1, ["a@example.com"], ["b@example.com"], ["mail 7 to c@example.com: there is no text/html part"]
    )
    report.findings(figures(4, 2, Counter({"EmailNotSent 103 MessageBuildError": 1})), verdict)
    assert output.getvalue().splitlines() == [
        "  ✗ 1 of 4 recipients were not accepted",
        "  ✗ 1 not sent: EmailNotSent 103 MessageBuildError",
        "  ✗ lost: no mail for a@example.com",
        "  ✗ twice: more than one mail for b@example.com",
        "  ✗ mail 7 to c@example.com: there is no text/html part",
    ]


def test_many_findings_are_counted_not_listed() -> None:
    report, output = report_text()
    report.findings(figures(100, 100), Verdict(100, 0, [f"{n}@example.com" for n in range(100)], [], []))
    lines = output.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1] == "  ✗ and 90 more"


def test_nothing_is_said_when_all_is_well() -> None:
    report, output = report_text()
    report.findings(figures(2, 2), Verdict(2, 2, [], [], []))
    assert output.getvalue() == ""


@pytest.mark.parametrize("total", [1, 2, 3, 7, 2000])
def test_without_a_terminal_progress_is_lines_and_ends_with_the_total(total: int) -> None:
    report, output = report_text()
    with report.meter("counted", total) as done:
        for number in range(1, total + 1):
            done(number)
    lines = output.getvalue().splitlines()
    assert lines[-1] == f"  ✓ counted: {total} of {total}"
    assert len(lines) == len(set(lines)) <= 4


def test_values_are_never_taken_for_markup() -> None:
    report, output = report_text(100)
    report.mail(
        3, b"Subject: [bold]x[/bold] [/]\r\nTo: a@example.com\r\nContent-Type: text/plain\r\n\r\n[red]note[/]\r\n"
    )
    assert "Subject: [bold]x[/bold] [/]" in output.getvalue()
    assert "[red]note[/]" in output.getvalue()
