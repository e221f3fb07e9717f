"""Cutting answers out of a byte stream."""

from itertools import pairwise

import pytest
from benchmarks.http_load import Answer, UnusableAnswer, request
from hypothesis import given
from hypothesis import strategies as st

ANSWER = b'HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\nx: y\r\n\r\n{"errorcode":0}'


@given(st.lists(st.integers(0, len(ANSWER)), max_size=6))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    places = sorted({0, len(ANSWER), *cuts})
    answer = Answer()
    complete = [answer.feed(ANSWER[first:last]) for first, last in pairwise(places)]
    assert complete == [False] * (len(complete) - 1) + [True]
    assert (answer.status, answer.body) == (202, b'{"errorcode":0}')


def test_answers_follow_one_another() -> None:
    answer = Answer()
    assert answer.feed(ANSWER)
    assert answer.feed(b"HTTP/1.1 500 Oh\r\ncontent-length:0\r\n\r\n")
    assert (answer.status, answer.body) == (500, b"")


@pytest.mark.parametrize("data", [b"SMTP hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", ANSWER + b"more"])
def test_what_can_not_be_counted_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableAnswer):
        Answer().feed(data)


def test_a_request_is_complete() -> None:
    made = request("POST", "/x", b"{}", host="h", token="t")
    assert made.startswith(b"POST /x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n")
    assert made.endswith(b"Content-Length: 2\r\n\r\n{}")
    assert b"Authorization" not in request("GET", "/x", b"", host="h", token=None)
