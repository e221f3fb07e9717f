"""Quoted-printable pieces obey the column contract in any order, and decode to what went in."""

import base64
import quopri
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.transfer import (
    BASE64,
    QUOTED_PRINTABLE,
    Next,
    base64_lines,
    choose_encoding,
    plain_text,
    qp_static,
    qp_value,
)

TRICKY = st.text(
    st.one_of(st.sampled_from(list(". \t=\r\n\0>-aZ9é漢\u2028\x85\ud800😀")), st.characters()), max_size=200
)
LONG = st.builds(lambda text, times: text * times, TRICKY, st.integers(1, 12))


def expected(text: str) -> bytes:
    return plain_text(text).replace("\n", "\r\n").encode()


def decoded(wire: str) -> bytes:
    return quopri.decodestring(wire.encode("ascii"))


def assert_safe_lines(wire: str) -> None:
    assert wire.isascii()
    lines = wire.split("\r\n")
    for line in lines:
        assert len(line) <= 76
        assert not line.startswith(".")
        assert not line.endswith((" ", "\t"))
        assert all(c == "\t" or " " <= c <= "~" for c in line)


@given(st.lists(st.tuples(LONG, LONG), max_size=6), LONG)
def test_statics_and_values_in_turn_decode_to_their_texts(pairs: list[tuple[str, str]], tail: str) -> None:
    wire, text = "", b""
    for number, (static, value) in enumerate(pairs):
        wire += qp_static(static, first=number == 0, then="value") + qp_value(value)
        text += expected(static) + expected(value)
    wire += qp_static(tail + "\n", first=not pairs, then="end")
    text += expected(tail + "\n")
    assert_safe_lines(wire)
    assert decoded(wire) == text


@given(st.lists(st.tuples(LONG, st.none() | LONG), min_size=1, max_size=8))
def test_pieces_whose_order_is_decided_at_run_time_decode_to_their_texts(
    pieces: list[tuple[str, str | None]],
) -> None:
    wire, text = "", b""
    for static, value in pieces:
        wire += qp_static(static, first=False, then="flow")
        text += expected(static)
        if value is not None:
            wire += qp_value(value)
            text += expected(value)
    wire += qp_static("\n", first=False, then="end")
    text += b"\r\n"
    assert_safe_lines(wire)
    assert decoded(wire) == text


@given(LONG, st.sampled_from(["value", "flow", "end"]))
def test_a_piece_keeps_its_column_bounds(text: str, then: Next) -> None:
    static = qp_static(text, first=False, then=then)
    assert len(static.split("\r\n", 1)[0]) <= 16 or (then == "end" and "\r\n" not in static)
    if then != "end":
        assert len(static.rsplit("\r\n", 1)[-1]) <= 30
    value = qp_value(text)
    head, *rest = value.split("\r\n")
    assert len(head) <= 30
    assert len(rest[-1] if rest else head) <= 60


@pytest.mark.parametrize("value", ["Anna", "1234-567", "a b", "19.99", "x" * 30])
def test_short_plain_values_stay_readable(value: str) -> None:
    assert qp_value(value) == value


def test_a_huge_value_of_anything() -> None:
    chance = random.Random(7)
    for alphabet in ("a", ".", "=", "é", "\n", "a b.\r\n=漢\0"):
        text = "".join(chance.choices(alphabet, k=300_000))
        wire = qp_static("<", first=True, then="value") + qp_value(text) + qp_static(">", first=False, then="end")
        assert_safe_lines(wire)
        assert decoded(wire) == b"<" + expected(text) + b">"


@given(st.lists(LONG, max_size=5))
def test_base64_lines_decode_to_the_joined_pieces(texts: list[str]) -> None:
    joined = "".join(BASE64.value(text) for text in texts)
    wire = base64_lines(joined)
    assert_safe_lines(wire)
    assert base64.b64decode(wire) == b"".join(expected(text) for text in texts)


def test_base64_is_chosen_only_for_mostly_non_ascii_text() -> None:
    assert choose_encoding("ご注文ありがとうございます。") is BASE64
    assert choose_encoding("<p>Größe: schön</p>") is QUOTED_PRINTABLE
    assert choose_encoding("") is QUOTED_PRINTABLE
