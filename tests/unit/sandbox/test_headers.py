"""Header fields for lists, and whose message a mail is."""

from __future__ import annotations

from datetime import date
from email.header import Header
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.sandbox.headers import Origin, decode_field, decode_text, origin_of, summarize

REQUEST = UUID("019a9c3e-5a00-7abc-8def-0123456789ab")  # 2025-11-19T12:19:48.480Z


def test_fields_are_found_unfolded_and_in_any_case() -> None:
    fields = b"SUBJECT:\r\n a\r\n\tb\r\nFrom: x@example.com\r\nTo : y@example.com\r\nmessage-id: <1@x>\r\n"
    raw = fields + b"\r\nSubject: body\r\n"
    found = summarize(raw)
    assert found.subject == "a b"
    assert (found.header_from, found.header_to, found.message_id) == ("x@example.com", "y@example.com", "<1@x>")


def test_the_first_of_several_fields_counts_and_the_body_is_not_read() -> None:
    assert summarize(b"Subject: one\r\nSubject: two\r\n\r\nFrom: body\r\n").subject == "one"
    assert summarize(b"Subject: one\r\n\r\nFrom: body\r\n").header_from == ""
    assert summarize(b"\r\nSubject: body\r\n").subject == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?= rest", "Grüße rest"),
        ("=?utf-8?b?R3LDvMOf?= =?utf-8?q?e_an?=\r\n =?utf-8?q?_alle?=", "Grüße an alle"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),  # a character cut in two
        ("=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=BC?=", "üü"),
        ("=?utf-8*de?q?=C3=BC?=", "ü"),
        ("=?no-such-charset?q?=C3=BC?=", "ü"),
        ("=?utf-8?b?!?=", "=?utf-8?b?!?="),
        ("=?utf-8?q?a=0Ab?=", "a b"),
        ("plain =?", "plain =?"),
    ],
)
def test_encoded_words_are_read(value: str, text: str) -> None:
    assert decode_field(value) == text


@settings(max_examples=100)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60))
def test_what_the_standard_library_encodes_is_read_back(text: str) -> None:
    assert decode_field(Header(text, "utf-8").encode()) == text


@settings(max_examples=300)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"Subject: =?utf-8?b?", b"Subject: =?utf-16?q?=D8=00?=", b"From: \xff"]),
)
def test_any_bytes_give_text_that_can_be_stored(tail: bytes, head: bytes) -> None:
    found = summarize(head + tail)
    for text in (found.subject, found.header_from, found.header_to, found.message_id):
        assert "\0" not in text
        assert "\n" not in text
        assert len(text) <= 2000
        text.encode("utf-8")


@settings(max_examples=100)
@given(
    st.binary(max_size=50),
    st.sampled_from(["utf-8", "utf-7", "hex", "rot13", "idna", "unicode_escape", "", "\0", "ü", None]),
)
def test_any_charset_name_gives_text(octets: bytes, charset: str | None) -> None:
    decode_text(octets, charset).encode("utf-8")


def test_a_hostile_header_block_takes_no_time() -> None:
    summarize(b"Subject: " + b"=?" + b"*" * 60_000 + b"?q?" + b"=?" * 30_000)
    summarize(b"Subject: " + b"=?a?q?b?= " * 6000 + b"\r\n" * 2)
    summarize(b"Subject:" + b"\n " * 30_000)


def test_a_message_id_of_ours_names_its_message() -> None:
    origin = origin_of(f"<17.{REQUEST.hex}.500012345@postroom.localhost>")
    assert origin == Origin(account_id=500012345, request_id=REQUEST, position=17, day=date(2025, 11, 19))


@pytest.mark.parametrize(
    "message_id",
    [
        "",
        "<abc@example.com>",
        f"17.{REQUEST.hex}.5@x",
        f"<17.{REQUEST}.5@x>",
        f"<-1.{REQUEST.hex}.5@x>",
        f"<17.{'0' * 32}.5@x>",  # no UUIDv7
        f"<17.ffffffffffff7{'0' * 3}8{'0' * 15}.5@x>",  # in the year 10889
        f"<{'9' * 10}.{REQUEST.hex}.5@x>",
        f"<1.{REQUEST.hex}.{'9' * 19}@x>",
        f"<１.{REQUEST.hex}.5@x>",  # a full-width digit
        f"<1.{REQUEST.hex}.5@x> trailing",
    ],
)
def test_other_message_ids_are_from_elsewhere(message_id: str) -> None:
    assert origin_of(message_id) is None
