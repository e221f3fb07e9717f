"""Sealed page parameters: they come back whole, and nothing else opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.page_parameters import open_parameters, seal_parameters

SECRET = b"0123456789abcdef"
words = st.text(max_size=20)


@given(st.lists(st.tuples(words, words), max_size=5), words)
def test_what_was_sealed_opens(parameters: list[tuple[str, str]], page: str) -> None:
    assert open_parameters(SECRET, page, seal_parameters(SECRET, page, parameters)) == dict(parameters)


def test_the_same_parameters_give_the_same_address() -> None:
    assert seal_parameters(SECRET, "1", [("a", "b")]) == seal_parameters(SECRET, "1", [("a", "b")])


def test_forgery_nothing_else_opens() -> None:
    sealed = seal_parameters(SECRET, "1", [("user", "5")])
    assert open_parameters(b"another secret of 16", "1", sealed) is None
    assert open_parameters(SECRET, "2", sealed) is None
    for at in range(len(sealed)):
        forged = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        assert open_parameters(SECRET, "1", forged) in (None, {"user": "5"} if forged[:-1] == sealed[:-1] else None)
    for nonsense in ("", "x", "☃", "%%%", sealed[:-4], sealed + "AAAA"):
        assert open_parameters(SECRET, "1", nonsense) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        seal_parameters(b"short", "1", [])
