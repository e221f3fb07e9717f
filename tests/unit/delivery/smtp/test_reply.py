"""The reply parser: sloppy peers are understood, garbage is not, and nothing is raised."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.delivery.outcome import TEXT_LIMIT
from postroom.delivery.smtp.reply import MAX_LINE, MAX_REPLY, Reply, ReplyParser


def read(data: bytes) -> list[Reply]:
    parser = ReplyParser()
    replies = list(parser.feed(data))
    assert parser.fault is None
    assert not parser.pending
    return replies


@pytest.mark.parametrize(
    ("wire", "code", "text", "enhanced"),
    [
        (b"250 2.1.0 Ok\r\n", 250, "250 2.1.0 Ok", "2.1.0"),
        (b"250 Ok\n", 250, "250 Ok", ""),
        (b"250\r\n", 250, "250", ""),
        (b"250 \r\n", 250, "250", ""),
        (b"550-5.7.1 Go\r\n550-\r\n550 5.7.1 away\r\n", 550, "550 5.7.1 Go 5.7.1 away", "5.7.1"),
        (b"250-first\r\n550 last counts\r\n", 550, "550 first last counts", ""),
        (b"450 5.1.1 class differs\r\n", 450, "450 5.1.1 class differs", ""),
        (b"450 4.2.11111 no code\r\n", 450, "450 4.2.11111 no code", ""),
        ("550 Empfänger unbekannt\r\n".encode(), 550, "550 Empfänger unbekannt", ""),
        (b"550 \xff bad\x1b[2J\r\n", 550, "550 \ufffd bad\ufffd[2J", ""),
        (b"550 bare\rreturn\r\n", 550, "550 bare\ufffdreturn", ""),
    ],
)
def test_replies_of_all_kinds_are_read(wire: bytes, code: int, text: str, enhanced: str) -> None:
    (reply,) = read(wire)
    assert (reply.code, reply.text, reply.enhanced) == (code, text, enhanced)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b"25 short\r\n",
        b"250+Ok\r\n",
        b"199 too low\r\n",
        b"600 too high\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"250 nul \0 inside\r\n",
        "２５０ wide digits\r\n".encode(),
    ],
)
def test_garbage_is_a_fault_and_nothing_follows_it(wire: bytes) -> None:
    parser = ReplyParser()
    assert [reply.code for reply in parser.feed(b"220 hello\r\n" + wire)] == [220]
    assert parser.fault is not None
    assert list(parser.feed(b"250 Ok\r\n")) == []


def test_endless_line_attack_is_cut_off() -> None:
    parser = ReplyParser()
    fed = 0
    while parser.fault is None:
        parser.feed(b"2" * 3 + b" " + b"x" * 1000 if fed == 0 else b"x" * 1000)
        fed += 1000
        assert fed < 2 * MAX_LINE + 1000


def test_endless_reply_attack_is_cut_off() -> None:
    parser = ReplyParser()
    line = b"250-" + b"x" * 1000 + b"\r\n"
    fed = 0
    while parser.fault is None:
        parser.feed(line)
        fed += len(line)
        assert fed <= MAX_REPLY + len(line)


def test_reply_of_megabytes_attack_gives_a_short_text() -> None:
    reply = Reply(550, tuple(b"x" * 4000 for _ in range(16)))
    assert len(reply.text) == TEXT_LIMIT


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=20))
@example(b"250 Ok\r\n250-a\r\n250 b\r\n", [1, 3, 4, 7, 8, 9, 12, 15])
def test_any_bytes_chopped_anywhere_read_the_same(data: bytes, cuts: list[int]) -> None:
    whole = ReplyParser()
    expected = [(reply.code, reply.lines) for reply in whole.feed(data)]
    parts = ReplyParser()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    got = [(reply.code, reply.lines) for start, end in pairwise(edges) for reply in parts.feed(data[start:end])]
    assert got == expected
    assert (parts.fault is None) == (whole.fault is None)
    assert parts.pending == whole.pending


LINES = st.builds(
    lambda code, mark, text, end: b"%d" % code + mark + text + end,
    st.integers(200, 599),
    st.sampled_from([b" ", b"-", b""]),
    st.binary(max_size=20),
    st.sampled_from([b"\r\n", b"\n", b""]),
)


@given(st.lists(LINES, max_size=12).map(b"".join), st.integers(1, 7))
def test_nearly_right_replies_read_the_same_in_pieces(data: bytes, step: int) -> None:
    whole, parts = ReplyParser(), ReplyParser()
    expected = [(reply.code, reply.text, reply.enhanced) for reply in whole.feed(data)]
    got = []
    for start in range(0, len(data), step):
        got += [(reply.code, reply.text, reply.enhanced) for reply in parts.feed(data[start : start + step])]
    assert got == expected
    assert all(text.isprintable() for _, text, _ in got)


def test_the_same_answers_again_are_given_again() -> None:
    parser = ReplyParser()
    answers = b"250 a\r\n250 b\r\n354 c\r\n"
    first = [reply.code for reply in parser.feed(answers)]
    assert [reply.code for reply in parser.feed(b"250 done\r\n")] == [250]
    assert [reply.code for reply in parser.feed(answers)] == first == [250, 250, 354]
