"""The last look at addresses and bodies before they become commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.delivery.smtp.envelope import address_fault, body_fault, dot_stuffed, envelope_fault


@dataclass(frozen=True, slots=True)
class Letter:
    sender: str = "shop@example.com"
    recipients: Sequence[str] = ("ann@example.com",)
    data: bytes = b"Subject: x\r\n\r\nbody\r\n"
    smtputf8: bool = False
    first_decides: bool = True


@pytest.mark.parametrize(
    "address",
    ["a@b.c", "o'brien+tag@ex-ample.co.uk", '"ann lee"@example.com', '"a\\"b"@example.com', "a@[192.0.2.1]"],
)
def test_addresses_that_can_be_said(address: str) -> None:
    assert address_fault(address, smtputf8=False) == ""


@pytest.mark.parametrize(
    "address",
    [
        "a@b.c\r\nRCPT TO:<victim@example.com>",
        "a@b.c\nDATA",
        "a@b.c\r",
        "a\0@b.c",
        "a@b.c> SIZE=1",
        "a@b.c>\r\n",
        "<a@b.c",
        "a b@c.d",
        "a@c.d e",
        '"a\r\nb"@c.d',
        '"a"b@c.d',
        "a@b@c.d",
        "@relay.example:a@b.c",
        "a\u2028@b.c",
        "a\x85@b.c",
        "a\ud800@b.c",
        "",
        "a",
        "@",
        "a@",
        "a@" + "b" * 400,
    ],
)
def test_smtp_command_injection_by_address_is_refused(address: str) -> None:
    assert address_fault(address, smtputf8=True) != ""
    assert envelope_fault(Letter(recipients=("ann@example.com", address), smtputf8=True)) != ""
    if address:
        assert "sender" in envelope_fault(Letter(sender=address, smtputf8=True))


def test_non_ascii_addresses_need_smtputf8() -> None:
    assert address_fault("jürgen@bücher.example", smtputf8=True) == ""
    assert "SMTPUTF8" in address_fault("jürgen@bücher.example", smtputf8=False)


def test_the_null_sender_is_allowed_and_no_recipient_is_not() -> None:
    assert envelope_fault(Letter(sender="")) == ""
    assert "no recipient" in envelope_fault(Letter(recipients=()))


@given(st.text(max_size=40))
@example('" "@x')
def test_an_address_that_passes_is_one_word_of_one_line(address: str) -> None:
    if address_fault(address, smtputf8=True) == "":
        assert not re.search("[\r\n\0<>\u2028\u2029\x85]", address)
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", address)
        assert " " not in outside
        assert address.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no end",
        b"lf only\n",
        b"cr only\r",
        b"half\r\nx\n.\r\n",
        b"evil\n.\nMAIL FROM:<a@b>\r\n",
        b"evil\n.\r\nMAIL FROM:<a@b>\r\n",
        b"evil\r.\rMAIL FROM:<a@b>\r\n",
        b"evil\r\n.\rx\r\n",
        b"paired stray\r and stray\n here\r\n",
        b"\r\r\n",
        b"nul\0\r\n",
    ],
)
def test_smtp_smuggling_by_stray_line_ends_is_refused(body: bytes) -> None:
    assert body_fault(body) != ""


def test_smtp_smuggling_by_a_dot_line_is_made_harmless() -> None:
    body = b".\r\n.\r\nMAIL FROM:<evil@example.com>\r\n..\r\nfine.\r\n"
    assert body_fault(body) == ""
    assert dot_stuffed(body) == b"..\r\n..\r\nMAIL FROM:<evil@example.com>\r\n...\r\nfine.\r\n"


def test_a_body_without_dot_lines_is_not_copied() -> None:
    body = b"a. b\r\nc .\r\n"
    assert dot_stuffed(body) is body


pieces = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"x", b"\0", b"\xe9"]), max_size=30).map(b"".join)


@given(pieces)
def test_what_passes_ends_once_and_comes_out_as_it_went_in(body: bytes) -> None:
    stray = re.search(rb"\r(?!\n)|(?<!\r)\n|\0", body)
    assert (body_fault(body) == "") == (stray is None and body.endswith(b"\r\n"))
    if body_fault(body) == "":
        wire = dot_stuffed(body) + b".\r\n"
        received = (b"\r\n" + wire).partition(b"\r\n.\r\n")
        assert received[2] == b""
        assert re.sub(rb"(?m)^\.", b"", received[0][2:]) + b"\r\n" == body
