"""The signed return path: what it names, what hosts on the way may do to it, and what can't be forged."""

import string
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.bounces.return_path import TOKEN, Mark, ReturnPath

PATHS = ReturnPath(b"k" * 32, "bounces.example.com")
REQUEST = UUID("018f3c2a-7b1e-7c3d-9f10-2a6b5c4d3e2f")


def local(mark: Mark, paths: ReturnPath = PATHS) -> str:
    address = paths.address(
        mark.account_id, mark.request_id, mark.position, copies=mark.copies, from_domain="example.com"
    )
    return address.rpartition("@")[0]


MARKS = st.builds(Mark, st.integers(-(2**63), 2**63 - 1), st.uuids(), st.integers(0, 0x7FFF), st.booleans())


@given(MARKS)
def test_what_is_written_is_read(mark: Mark) -> None:
    token = local(mark)
    assert PATHS.read(token) == mark
    assert PATHS.read(token.upper()) == mark, "local parts change their case on the way"
    assert len(token) <= 64
    assert set(token) <= set(string.ascii_lowercase + string.digits + "+")
    assert TOKEN.search(f"Return-Path: <{token}@bounces.example.com>") is not None


def test_it_is_the_same_on_every_attempt() -> None:
    mark = Mark(100001, REQUEST, 7, False)
    assert local(mark) == local(mark, ReturnPath(b"k" * 32, "bounces.example.com"))


@given(MARKS, st.integers(0, 60), st.sampled_from(string.ascii_lowercase + "0123456789"))
def test_forged_token_with_one_letter_changed_is_refused(mark: Mark, place: int, letter: str) -> None:
    token = local(mark)
    forged = token[: 2 + place] + letter + token[3 + place :]
    assert PATHS.read(forged) == (mark if forged == token else None)


def test_forged_token_of_another_server_s_key_is_refused() -> None:
    mark = Mark(100001, REQUEST, 7, False)
    assert PATHS.read(local(mark, ReturnPath(b"x" * 32, "bounces.example.com"))) is None


def test_forged_token_joined_from_two_is_refused() -> None:
    one, other = local(Mark(100001, REQUEST, 7, False)), local(Mark(100002, uuid4(), 8, False))
    assert PATHS.read(one[:47] + other[47:]) is None


@given(st.text(max_size=70))
def test_no_text_raises(text: str) -> None:
    assert PATHS.read(text) is None
    assert (PATHS.refusal(text) or "550").startswith("550")


@pytest.mark.parametrize(
    "address", ["fbl@bounces.example.com", "Abuse@BOUNCES.example.com", "postmaster@bounces.example.com"]
)
def test_reports_have_addresses_of_their_own(address: str) -> None:
    assert PATHS.refusal(address) is None


@pytest.mark.parametrize("address", ["joe@bounces.example.com", "b+@bounces.example.com", "b+aaaa@bounces.example.com"])
def test_no_other_address_is_taken(address: str) -> None:
    assert (PATHS.refusal(address) or "").startswith("550 5.1.1")


def test_no_mail_is_relayed_to_other_domains() -> None:
    token = local(Mark(100001, REQUEST, 7, False))
    assert PATHS.refusal(f"{token}@Bounces.Example.com") is None
    assert (PATHS.refusal(f"{token}@example.net") or "").startswith("550 5.7.1")
    assert (PATHS.refusal("postmaster@example.net") or "").startswith("550 5.7.1")


def test_with_a_star_each_sender_domain_has_its_own() -> None:
    paths = ReturnPath(b"k" * 32, "bounces.*")
    address = paths.address(100001, REQUEST, 7, copies=True, from_domain="shop.example")
    assert address.endswith("@bounces.shop.example")
    assert paths.refusal(address) is None
    assert paths.refusal(address.replace("bounces.", "mail.")) is not None
