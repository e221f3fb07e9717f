"""Texts: UTF-16 lengths, cases ignored letter by letter, limits before memory is spent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import LimitFault, ValueFault
from postroom.content.ampscript.run import Dialect, Limits
from postroom.content.ampscript.values import DATABASE_NULL


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("Concat", ("only",), "only"),
        ("Concat", (1, 2.5, None, DATABASE_NULL, True, "x"), "12.5Truex"),
        ("Concat", ("\ud83d", "\ude00"), "😀"),
        ("Length", ("",), 0),
        ("Length", ("a😀b",), 4),
        ("Length", (None,), 0),
        ("Lowercase", ("ÀB",), "àb"),
        ("Lowercase", ("ΟΔΟΣ",), "οδοσ"),
        ("Uppercase", ("straße",), "STRAßE"),
        ("ProperCase", ("O'NEILL-SMITH  mcDONALD",), "O'neill-smith  Mcdonald"),
        ("ProperCase", ("a\u00a0b\tc",), "A\u00a0B\tC"),
        ("Trim", (" \u00a0\u2003a b\u3000\r\n",), "a b"),
        ("Trim", ("\u001ca\u200b",), "\u001ca\u200b"),
        ("Substring", ("Hello World", 7), "World"),
        ("Substring", ("Hello", -3, 2), "He"),
        ("Substring", ("Hello", 99), ""),
        ("Substring", ("Hello", 2.0, "3"), "ell"),
        ("Substring", ("Hello", 1, 0), ""),
        ("Substring", ("a😀b", 2, 2), "😀"),
        ("Substring", ("a😀b", 2, 1), "\ud83d"),
        ("Substring", ("a😀b", 4), "b"),
        ("IndexOf", ("Hello World", "WORLD"), 7),
        ("IndexOf", ("😀x", "x"), 3),
        ("IndexOf", ("banana", "na", 2), 5),
        ("IndexOf", ("banana", "na", 0), 3),
        ("IndexOf", ("banana", "na", -1), 5),
        ("IndexOf", ("banana", "na", 9_000_000_000), 0),
        ("IndexOf", ("aaaa", "aa", 2), 3),
        ("IndexOf", ("straße", "SS"), 0),
        ("IndexOf", ("", "a"), 0),
        ("IndexOf", ("a", ""), 0),
        ("Replace", ("Cat cat", "CAT", "dog"), "dog dog"),
        ("Replace", ("aaa", "aa", "a"), "aa"),
        ("Replace", ("abc", "b"), "ac"),
        ("Replace", ("abc", "", "x"), "abc"),
        ("Replace", ("xİx", "i", "y"), "xİx"),
        ("ReplaceList", ("abc", "-", "bc", "ab"), "a-"),
        ("ReplaceList", ("abc", "b", "a", "bb"), "bc"),
        ("Char", (65,), "A"),
        ("Char", (65 + 65_536, 3), "AAA"),
        ("Char", ("34",), '"'),
        ("Char", (65, 0), ""),
    ],
)
def test_result(name: str, arguments: tuple[object, ...], result: object) -> None:
    assert call(name, *arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Substring", ("abc", 1, -1)),
        ("Substring", ("abc", 1.5)),
        ("Substring", ("abc", "one")),
        ("Substring", ("abc", True)),
        ("IndexOf", ("abc", "b", "x")),
        ("Char", (65, -1)),
        ("Char", (65.5,)),
        ("Char", ("A",)),
        ("Char", (None,)),
    ],
)
def test_a_bad_position_or_count_is_an_error(name: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(ValueFault):
        call(name, *arguments)


def test_whether_a_digit_starts_a_word_is_a_setting() -> None:
    run = make_run(dialect=Dialect(digits_start_words=True))
    assert call("ProperCase", "a1b2 c", run=run) == "A1B2 C"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Concat", ("x" * 600, "y" * 600)),
        ("Char", (65, 9_000_000_000_000)),
        ("Replace", ("a" * 900, "a", "bb")),
        ("ReplaceList", ("a" * 900, "bb", "a")),
    ],
)
def test_amplification_a_text_that_grows_too_long_is_never_built(name: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(LimitFault, match="longer than 1,000"):
        call(name, *arguments, run=make_run(limits=Limits(text=1_000)))


@given(st.text(), st.text(max_size=3))
def test_index_and_substring_agree(text: str, find: str) -> None:
    at = call("IndexOf", text, find)
    assert isinstance(at, int)
    if at:
        part = call("Substring", text, at, call("Length", find))
        assert call("Uppercase", part) == call("Uppercase", find)


@given(st.text(), st.text(min_size=1, max_size=3))
def test_what_was_replaced_is_gone_unless_its_pieces_meet(text: str, find: str) -> None:
    result = call("Replace", text, find, "\0")
    assert call("IndexOf", result, find) == 0 or "\0" in find


@given(st.text())
def test_cases_keep_the_length(text: str) -> None:
    for name in ("Uppercase", "Lowercase", "ProperCase"):
        assert len(str(call(name, text))) == len(text)
