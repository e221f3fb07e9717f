"""The demo's judgement: it must notice whatever is wrong with the mails of the capture mailbox."""

from dataclasses import replace
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, SMTPUTF8, compat32
from pathlib import Path

import pytest

from postroom.cli.demo_check import CapturedMail, MailCheck, Verdict, body_text, header_text
from postroom.cli.demo_example import Example, Recipient, load_example

FOLDER = Path(__file__).parents[3] / "examples" / "order-shipped"
RECIPIENTS = 60


@pytest.fixture(scope="module")
def example() -> Example:
    return load_example(FOLDER, RECIPIENTS)


def text_of(example: Example, view: str, recipient: Recipient) -> str:
    return "".join(piece.text for piece in example.expected(view, recipient))


def write_mail(example: Example, recipient: Recipient, number: int = 1) -> CapturedMail:
    """The right mail, written by the standard library."""
    mail = EmailMessage(policy=SMTP if recipient.wire_address.isascii() else SMTPUTF8)
    mail["From"] = "Shop <shop@shop.example>"
    mail["To"] = recipient.wire_address
    mail["Subject"] = text_of(example, "subjectline", recipient)
    mail.set_content(text_of(example, "text", recipient), cte="base64")
    mail.add_alternative(text_of(example, "html", recipient), subtype="html", cte="base64")
    return CapturedMail(number, (recipient.wire_address,), mail.as_bytes())


def with_value(recipient: Recipient, name: str, value: str) -> Recipient:
    return replace(recipient, attributes={**recipient.attributes, name: value})


def judge(example: Example, mails: list[CapturedMail]) -> Verdict:
    check = MailCheck(example, example.recipients)
    for mail in mails:
        check.take(mail)
    return check.verdict()


@pytest.fixture(scope="module")
def right(example: Example) -> list[CapturedMail]:
    return [write_mail(example, recipient, number) for number, recipient in enumerate(example.recipients)]


def test_right_mails_are_good(example: Example, right: list[CapturedMail]) -> None:
    verdict = judge(example, right)
    assert verdict == Verdict(RECIPIENTS, RECIPIENTS, [], [], [])
    assert verdict.good


def test_the_order_of_arrival_does_not_matter(example: Example, right: list[CapturedMail]) -> None:
    assert judge(example, right[::-1]).good


def test_a_lost_mail_is_noticed(example: Example, right: list[CapturedMail]) -> None:
    verdict = judge(example, right[:7] + right[8:])
    assert verdict.lost == [example.recipients[7].wire_address]
    assert (verdict.delivered, verdict.twice, verdict.good) == (RECIPIENTS - 1, [], False)


def test_a_doubled_mail_is_noticed(example: Example, right: list[CapturedMail]) -> None:
    verdict = judge(example, [*right, replace(right[3], number=999)])
    assert verdict.twice == [example.recipients[3].wire_address]
    assert (verdict.delivered, verdict.lost, verdict.good) == (RECIPIENTS, [], False)


def test_one_lost_and_another_doubled_do_not_cancel_out(example: Example, right: list[CapturedMail]) -> None:
    verdict = judge(example, [right[0], right[0], *right[2:]])
    assert verdict.lost == [example.recipients[1].wire_address]
    assert verdict.twice == [example.recipients[0].wire_address]
    assert not verdict.good


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("FirstName", "FirstName"), ("DeliveryNote", "DeliveryNote"), ("TrackingNumber", "TrackingNumber"),
        ("Address", "Address"), ("DeliveryDate", "DeliveryDay"), ("OrderDate", "OrderDay"),
    ],
)  # fmt: skip
def test_a_swapped_value_is_noticed_and_named(
    example: Example, right: list[CapturedMail], attribute: str, name: str
) -> None:
    recipient, other = example.recipients[16], example.recipients[21]
    assert recipient.attributes[attribute] != other.attributes[attribute]
    swapped = write_mail(example, with_value(recipient, attribute, other.attributes[attribute]), 16)
    verdict = judge(example, [*right[:16], swapped, *right[17:]])
    assert (verdict.delivered, verdict.lost, verdict.twice, verdict.good) == (RECIPIENTS - 1, [], [], False)
    assert all(recipient.to in sentence for sentence in verdict.differences)
    assert any(
        f"html has {name} " in sentence and "'s, and should have" in sentence for sentence in verdict.differences
    )
    assert any(f"text has {name} " in sentence for sentence in verdict.differences)


def test_two_people_with_each_other_s_mail_are_noticed(example: Example, right: list[CapturedMail]) -> None:
    first, second = example.recipients[:2]
    crossed = [
        replace(write_mail(example, second, 0), recipients=(first.wire_address,)),
        replace(write_mail(example, first, 1), recipients=(second.wire_address,)),
    ]
    verdict = judge(example, crossed + right[2:])
    assert verdict.delivered == RECIPIENTS - 2
    assert any("the header says To:" in sentence for sentence in verdict.differences)


@pytest.mark.parametrize(
    ("attribute", "value", "name"),
    [
        ("FirstName", "K\u00e4the ", "FirstName"),
        ("DeliveryNote", "", "DeliveryNote"),
        ("DeliveryNote", "%%DeliveryNote%%", "DeliveryNote"),
        ("Culture", "en-GB", "Amount"),
        ("ShippingCost", "0.01", ""),
        ("Shipping", "pickup", ""),
        ("Lines", '[{"name": "Mug", "quantity": 1, "price": 1}]', "Item"),
        ("Address", "Gr\u00fcne Stra\u00dfe 145 80331 M\u00fcnchen", "Address"),
    ],
)
def test_a_value_changed_by_little_is_noticed(
    example: Example, right: list[CapturedMail], attribute: str, value: str, name: str
) -> None:
    recipient = example.recipients[0]
    assert recipient.attributes[attribute] != value
    wrong = write_mail(example, with_value(recipient, attribute, value), 0)
    verdict = judge(example, [wrong, *right[1:]])
    assert (verdict.delivered, verdict.good) == (RECIPIENTS - 1, False)
    assert any((f" {name} " if name else "should be") in sentence for sentence in verdict.differences)


def test_trailing_blanks_and_leading_dots_count(example: Example, right: list[CapturedMail]) -> None:
    notes = [recipient.attributes["DeliveryNote"] for recipient in example.recipients]
    blank = next(at for at, note in enumerate(notes) if note.endswith("  "))
    dotted = next(at for at, note in enumerate(notes) if note.startswith("."))
    for at, changed in ((blank, notes[blank].rstrip()), (dotted, notes[dotted].replace("\n..", "\n."))):
        assert changed != notes[at]
        wrong = write_mail(example, with_value(example.recipients[at], "DeliveryNote", changed), at)
        verdict = judge(example, [*right[:at], wrong, *right[at + 1 :]])
        assert (verdict.delivered, verdict.good) == (RECIPIENTS - 1, False)


def test_a_changed_subject_alone_is_noticed(example: Example, right: list[CapturedMail]) -> None:
    raw = right[0].raw.replace(b"Subject: ", b"Subject: Re: ", 1)
    verdict = judge(example, [replace(right[0], raw=raw), *right[1:]])
    assert not verdict.good
    assert len(verdict.differences) == 1
    assert "the subject is 'Re: " in verdict.differences[0]


def test_text_around_the_values_counts(example: Example, right: list[CapturedMail]) -> None:
    layouts = {**example.layouts, "html": example.layouts["html"].replace("Follow your parcel", "Follow my parcel")}
    other = replace(example, layouts=layouts)
    verdict = judge(example, [write_mail(other, example.recipients[0], 0), *right[1:]])
    assert not verdict.good
    assert "html has 'my parcel" in verdict.differences[0]
    assert "'your parcel" in verdict.differences[0]


def test_a_missing_part_is_noticed(example: Example, right: list[CapturedMail]) -> None:
    raw = right[0].raw.replace(b"Content-Type: text/plain", b"Content-Type: text/enriched", 1)
    verdict = judge(example, [replace(right[0], raw=raw), *right[1:]])
    assert verdict.differences == [f"mail 0 to {example.recipients[0].to}: there is no text/plain part"]


def test_mail_for_somebody_else_is_noticed(example: Example, right: list[CapturedMail]) -> None:
    stranger = replace(right[0], number=77, recipients=("nobody@example.com",))
    verdict = judge(example, [*right, stranger])
    assert not verdict.good
    assert verdict.differences == ["mail 77 went to nobody@example.com, who is no recipient of this request"]


def test_an_envelope_with_two_recipients_is_noticed(example: Example, right: list[CapturedMail]) -> None:
    first, second = example.recipients[0].wire_address, example.recipients[1].wire_address
    verdict = judge(example, [replace(right[0], recipients=(first, second)), *right[1:]])
    assert verdict.twice == [second]
    assert any("went to 2 recipients" in sentence for sentence in verdict.differences)


def test_bytes_that_are_no_mail_are_noticed(example: Example, right: list[CapturedMail]) -> None:
    verdict = judge(example, [replace(right[0], raw=b"\xff\x00 nothing"), *right[1:]])
    assert (verdict.delivered, verdict.lost, verdict.good) == (RECIPIENTS - 1, [], False)


def test_headers_and_bodies_are_read_as_written(example: Example) -> None:
    mail = BytesParser(policy=compat32).parsebytes(
        b"To: \xc3\xa9@example.com\r\nSubject: =?utf-8?q?K=C3=A4?=\r\n =?utf-8?q?the?= and\r\n more\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"a=20\r\n=2Eb\r\n"
    )
    assert header_text(mail, "to") == "é@example.com"
    assert header_text(mail, "Subject") == "Käthe and more"
    assert header_text(mail, "Reply-To") == ""
    assert body_text(mail, "text/plain") == "a \n.b\n"
    assert body_text(mail, "text/html") is None
