"""Which texts are mail addresses, and what of them goes on the wire."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.address import fold_address, is_address, parse_address


@pytest.mark.parametrize(
    ("text", "wire", "smtputf8"),
    [
        ("anna@example.com", "anna@example.com", False),
        ("a.b+tag@mail.example.co.uk", "a.b+tag@mail.example.co.uk", False),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", False),
        ("Anna@EXAMPLE.Com", "Anna@example.com", False),
        ('"anna b@c"@example.com', '"anna b@c"@example.com', False),
        ('"a\\"b"@example.com', '"a\\"b"@example.com', False),
        ("anna@bücher.example", "anna@xn--bcher-kva.example", False),
        ("anna@例え.jp", "anna@xn--r8jz45g.jp", False),
        ("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example", False),
        ("jürgen@example.com", "jürgen@example.com", True),
        ("用户@例え.jp", "用户@xn--r8jz45g.jp", True),
        ("a@r3---sn.example.com", "a@r3---sn.example.com", False),
        ("1@2.example3", "1@2.example3", False),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com", False),
    ],
)
def test_addresses(text: str, wire: str, smtputf8: bool) -> None:
    address = parse_address(text)
    assert address is not None
    assert address.wire == wire
    assert address.smtputf8 is smtputf8
    assert f"{address.local}@{address.domain}" == wire
    assert address.domain == address.domain.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@example.com",
        "anna@",
        "anna@example",
        "anna@localhost",
        "anna@.example.com",
        "anna@example..com",
        "anna@example.com.",
        "anna@-example.com",
        "anna@example-.com",
        "anna@exa_mple.com",
        ".anna@example.com",
        "anna.@example.com",
        "an..na@example.com",
        "an na@example.com",
        " anna@example.com",
        "anna@example.com ",
        "anna@example.com\n",
        "anna@exam\rple.com",
        "an\0na@example.com",
        '"an\nna"@example.com',
        '"anna"b@example.com',
        '""@example.com',
        "anna@b@example.com",
        "<anna@example.com>",
        "Anna <anna@example.com>",
        "anna@example.com,bob@example.com",
        "anna@[192.0.2.1]",
        "anna@192.0.2.1",
        "anna@xn--zz.example",
        "anna@ex ample.com",
        "an\u00a0na@example.com",
        "an\u202ena@example.com",
        "an\ud800na@example.com",
        "anna@\ud800.com",
        f"{'a' * 65}@example.com",
        f"{'ü' * 33}@example.com",
        f"a@{'a' * 64}.com",
        f"a@{'a.' * 126}com",
        "ü@" + "ü." * 100 + "com",
    ],
)
def test_not_addresses(text: str) -> None:
    assert parse_address(text) is None


@given(st.text(max_size=300) | st.from_regex(r"\A[^@]{1,20}@[^@]{1,20}\.[a-z]{2,5}\Z"))
def test_smtp_smuggling_by_an_address_that_parses(text: str) -> None:
    address = parse_address(text)
    if address is not None:
        assert not re.search(r"[\0-\x1f\x7f-\x9f]", address.wire)
        assert address.domain.isascii()
        assert len(address.wire.encode()) <= 254
        assert address.wire.isascii() or address.smtputf8
        if not address.local.startswith('"'):
            assert not re.search(r"[\s<>,;:\"()\[\]\\]", address.wire)


@given(st.text(max_size=260), st.sampled_from(["example.com", "bücher.example", "a.b.c.de"]))
def test_what_is_on_the_wire_parses_to_itself(local: str, domain: str) -> None:
    address = parse_address(f"{local}@{domain}")
    if address is not None:
        assert parse_address(address.wire) == address


@given(st.emails(domains=st.just("example.com")))
def test_every_plain_address_is_accepted(text: str) -> None:
    assert parse_address(text) is not None


@given(
    st.one_of(st.text(max_size=300), st.emails(), st.from_regex(r"[a-z.\"]{1,70}@([a-zX-]{1,64}\.){1,4}[a-z0-9]{1,9}"))
)
def test_the_quick_question_has_the_same_answer(text: str) -> None:
    assert is_address(text) == (parse_address(text) is not None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.COM", "anna@example.com"),
        ('"anna"@example.com', "anna@example.com"),
        ('"an\\na.b"@example.com', "anna.b@example.com"),
        ('"Anna \\b"@example.com', '"anna b"@example.com'),
        ("anna@Bücher.example", "ANNA@xn--bcher-kva.example"),
        ("jürgen@example.com", "JU\u0308RGEN@example.com"),
        ("a@XN--R8JZ45G.jp", "A@例え.jp"),
    ],
)
def test_addresses_that_are_one(one: str, other: str) -> None:
    assert fold_address(one) == fold_address(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@example.com", "anna+tag@example.com"),
        ("an.na@example.com", "anna@example.com"),
        ('"a b"@example.com', '"a\\\\b"@example.com'),
        ('"a.."@example.com', '"a."@example.com'),
        ("anna@example.com", "anna@mail.example.com"),
    ],
)
def test_addresses_that_are_two(one: str, other: str) -> None:
    assert None not in (fold_address(one), fold_address(other))
    assert fold_address(one) != fold_address(other)


@given(
    st.one_of(
        st.text(max_size=40).map(lambda local: f"{local}@Example.com"),
        st.emails(),
        st.from_regex(r'"([a-zA-Z. ]|\\[ -~]){1,20}"@bücher\.example', fullmatch=True),
    )
)
def test_a_folded_address_folds_to_itself(text: str) -> None:
    folded = fold_address(text)
    assert (folded is None) == (parse_address(text) is None)
    if folded is not None:
        assert fold_address(folded) == folded
