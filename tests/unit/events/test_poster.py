"""Reading answers of endpoints, however their bytes come."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.events.poster import BODY_LIMIT, HEADER_LIMIT, Answer, AnswerRefused

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@given(cuts=st.lists(st.integers(1, len(GOOD) - 1), max_size=10))
def test_an_answer_in_any_pieces_is_the_same_answer(cuts: list[int]) -> None:
    answer = Answer()
    places = [0, *sorted(cuts), len(GOOD)]
    for begin, end in itertools.pairwise(places):
        answer.feed(GOOD[begin:end])
    assert (answer.status, answer.complete, answer.reusable, answer.oversized) == (200, True, True, False)


def test_the_head_is_enough_for_the_verdict() -> None:
    answer = Answer()
    answer.feed(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n")
    assert (answer.status, answer.complete) == (503, False)


def test_an_interim_answer_is_not_the_answer() -> None:
    answer = Answer()
    answer.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (answer.status, answer.complete) == (0, False)
    answer.feed(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.complete, answer.reusable) == (204, True, False)


def test_oversized_header_is_refused_before_it_ends() -> None:
    answer = Answer()
    with pytest.raises(AnswerRefused, match="the header of the answer is larger than 16,384 bytes"):
        answer.feed(b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEADER_LIMIT)


def test_oversized_body_leaves_the_verdict_and_ends_the_connection() -> None:
    answer = Answer()
    answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"a" * (BODY_LIMIT + 1))
    assert (answer.status, answer.oversized, answer.reusable) == (200, True, False)


@given(st.binary(max_size=500))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    answer = Answer()
    try:
        answer.feed(data)
    except AnswerRefused:
        assert answer.status == 0
    assert answer.status == 0 or answer.status >= 200
