"""Announcements and policies as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.routing.sts_policy import PolicyInvalid, StsPolicy, announced_id, read_policy

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"


def test_the_example_of_the_rfc_is_read() -> None:
    assert read_policy(GOOD) == StsPolicy("enforce", ("mail.example.com", "*.example.net"), 604_800)
    assert read_policy(GOOD.replace(b"\r\n", b"\n").rstrip(b"\n")) == read_policy(GOOD)


def test_what_is_not_known_is_passed_over_and_the_first_of_a_field_counts() -> None:
    read = read_policy(b"ext: yes\n" + GOOD + b"mode: none\nmax_age: 1\nno colon here\n")
    assert (read.mode, read.max_age) == ("enforce", 604_800)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ((b"STSv1", b"STSv2"), "version"),
        ((b"enforce", b"strict"), "mode"),
        ((b"604800", b"1 week"), "max_age"),
        ((b"604800", b"99999999999"), "max_age"),
        ((b"604800", b"31557601"), "max_age"),
        ((b"mail.example.com", b"mail.*.com"), "no host name"),
        ((b"mail.example.com", b""), "no host name"),
        ((b"mx: mail.example.com\r\nmx: *.example.net\r\n", b""), "no MX host"),
        ((b"mx: mail.example.com\r\n", b"mx: mail.example.com\r\n" * 101), "more than 100"),
        ((b"version", b" " * 70_000 + b"version"), "larger than"),
    ],
)
def test_a_policy_that_is_not_one_is_refused(change: tuple[bytes, bytes], problem: str) -> None:
    with pytest.raises(PolicyInvalid, match=problem):
        read_policy(GOOD.replace(*change))


def test_mode_none_needs_no_host() -> None:
    assert read_policy(b"version: STSv1\nmode: none\nmax_age: 60\n") == StsPolicy("none", (), 60)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mail.example.com", True),
        ("mx1.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("mail.example.com.evil.test", False),
        ("xmail.example.com", False),
    ],
)
def test_a_star_stands_for_one_label(host: str, allowed: bool) -> None:
    assert read_policy(GOOD).allows(host) is allowed


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["other", "v=STSv1; x=y; id=1;"], "1"),
        (["v=STSv1; id=1;", "v=STSv1; id=2;"], ""),
        (["v=STSv1; id=not/ok;"], ""),
        (["v=STSv1; id=" + "1" * 33], ""),
        (["v=STSv1;"], ""),
        (["v=STSv10; id=1"], ""),
        ([], ""),
    ],
)
def test_an_announcement_is_exactly_one_record_with_an_id(texts: list[str], found: str) -> None:
    assert announced_id(texts) == found


@given(st.binary(max_size=300), st.sampled_from([b"", GOOD]))
def test_any_bytes_are_a_policy_or_refused(noise: bytes, before: bytes) -> None:
    try:
        policy = read_policy(before + noise)
    except PolicyInvalid:
        return
    assert policy.mode in ("enforce", "testing", "none")
    assert 0 <= policy.max_age <= 31_557_600
    assert read_policy("\n".join(policy.lines).encode()) == policy


@given(st.lists(st.text(max_size=40), max_size=3))
def test_any_texts_give_an_id_or_nothing(texts: list[str]) -> None:
    assert len(announced_id(texts)) <= 32
