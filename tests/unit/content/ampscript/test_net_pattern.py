"""Regular expressions as .NET reads them, and what a hostile one may cost."""

import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.content.ampscript.faults import LimitFault, ValueFault
from postroom.content.ampscript.net_pattern import compile_pattern


def first(text: str, pattern: str, group: str = "0", *options: str, seconds: float = 0.2) -> str:
    return compile_pattern(pattern, options).first(text, group, seconds)


@pytest.mark.parametrize(
    ("text", "pattern", "group", "found"),
    [
        ("order-4821-eu", "order-([0-9]+)-([a-z]+)", "2", "eu"),
        ("order-4821", "order-(?<n>[0-9]+)", "n", "4821"),
        ("order-4821", "order-(?'n'[0-9]+)", "n", "4821"),
        ("order-4821", "order-(?<n>[0-9]+)", "N", ""),
        ("order-4821", "order-(?<n>[0-9]+)", "9", ""),
        ("a1", r"(?<x>a)(\d)", "1", "1"),
        ("a1", r"(?<x>a)(\d)", "2", "a"),
        ("ORDER", "order", "0", ""),
        ("ab", "(a)|(b)", "2", ""),
        ("aabb", r"(a)\1", "0", "aa"),
        ("a1a", r"(?<q>a)\d\k<q>", "0", "a1a"),
        ("a1a", r"(?<q>a)(\d)\k'q'", "0", "a1a"),
        ("ab\n", r"b\Z", "0", "b"),
        ("ab\n", r"b\z", "0", ""),
        ("ab\n", "b$", "0", "b"),
        ("a{x}", "a{x}", "0", "a{x}"),
        ("aaaa", "a{2,3}?", "0", "aa"),
        ("aaaa", "a{2,}", "0", "aaaa"),
        ("[[x", "[[]+", "0", "[["),
        ("a]b", "[]a]+", "0", "a]"),
        ("a-b", r"[\w-]+", "0", "a-b"),
        ("a&&b", "[a&&b]+", "0", "a&&b"),
        ("bcdef", "[a-z-[aeiou]]+", "0", "bcd"),
        ("café", r"caf\u00e9|\x41", "0", "café"),
        ("a\x01", r"a\cA", "0", "a\x01"),
        ("a\x08", r"a[\b]", "0", "a\x08"),
        ("a\x1b!", r"a\e\041", "0", "a\x1b!"),
        ("Ünï", r"\p{L}+", "0", "Ünï"),
        ("x Ä", r"\p{Lu}", "0", "Ä"),
        ("y=2", r"(?<=y=)\d", "0", "2"),
        ("ab", "a(?!c)(?>b)(?#note)", "0", "ab"),
        ("aXb", "a(?i)x(?-i)b", "0", "aXb"),
        ("aXB", "a(?i:x)b", "0", ""),
        ("ab", "(?n)(a)(b)", "1", ""),
        ("ab", "(?nx) ( a ) # first", "0", "a"),
        ("a b", "(a)\\ b", "0", "a b"),
        ("a.b+c", r"a\.b\+c", "0", "a.b+c"),
        ("aa", "(?(x)a|b)(?<x>a)", "x", ""),
        ("ba", "(?<x>a)?b(?(x)c|a)", "0", "ba"),
        ("", "[0-9]+", "0", ""),
        ("ß", "ß", "0", "ß"),
    ],
)
def test_match(text: str, pattern: str, group: str, found: str) -> None:
    assert first(text, pattern, group) == found


@pytest.mark.parametrize(
    ("text", "pattern", "options", "found"),
    [
        ("ORDER", "order", ("ignorecase",), "ORDER"),
        ("strasse", "straße", ("IgnoreCase",), ""),
        ("a\nb", "^b", ("Multiline",), "b"),
        ("a\nb", "a.b", ("SingleLine",), "a\nb"),
        ("ab", "a b # both", ("IgnorePatternWhitespace",), "ab"),
        ("ab12", r"\d", ("RightToLeft",), "2"),
        ("é", r"\w", ("ECMAScript",), ""),
        ("ab", "(a)b", (" none ", "Compiled", "CultureInvariant", "ExplicitCapture"), "ab"),
    ],
)
def test_options(text: str, pattern: str, options: tuple[str, ...], found: str) -> None:
    assert first(text, pattern, "0", *options) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "a)", "[", "[]", "[a", "*", "a**", "a++", "a{2}+", "a{2}{3}", "(?", "(?x", "(?<", "(?<n", "(?<1n>a)",
        "(?<a-b>c)", "(?<2>a)", "(?R)", "(?1)", "(?&n)", "(?P<n>a)", "(?|a|b)", "(?#open", r"\1", r"(a)\2", r"\k<x>",
        r"\kx", r"\p", r"\p{L", r"\p{Nope}", r"\p{\}}", r"\x1", r"\uZZZZ", r"\u00g0", r"\c1", r"\q", r"\X",
        r"\K", r"\08",
        "\\", "[z-a]", "a{99999}", "a{2,1}", "[\\", "(?(n)a)", "(?(1)a|b)", "(?<n>a", "x" * 3_000, "(" * 60 + ")" * 60,
        "[a-" * 60,
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_read_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueFault):
        compile_pattern(pattern)


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(ValueFault, match="NotAnOption"):
        compile_pattern("a", ["NotAnOption"])


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a|aa)+$", "a" * 60 + "!"),
        (r"^(\w+\s?)*$", "word " * 30 + "!"),
        ("(((a{1,100}){1,100}){1,100}){1,100}b", "a" * 5_000),
        (r"(.*)*(.*)*(.*)*\1\2\3z", "ab" * 500),
        ("(?=(a+))a*b\\1", "a" * 20_000 + "c"),
        ("(?<=(a|aa)+)c$", "a" * 5_000),
    ],
)
def test_redos_a_catastrophic_pattern_ends_in_time(pattern: str, text: str) -> None:
    started = time.monotonic()
    try:
        first(text, pattern, seconds=0.1)
    except LimitFault as fault:
        outcome = fault.code
    else:
        outcome = "ended"
    assert outcome in {"ended", "PatternTimeLimit"}
    assert time.monotonic() - started < 3


def test_redos_is_told_apart_by_its_code() -> None:
    with pytest.raises(LimitFault, match=r"longer than 0\.05 s") as limit:
        first("a" * 100 + "!", "(a|aa)+$", seconds=0.05)
    assert limit.value.code == "PatternTimeLimit"


@given(
    st.text(alphabet="ab01(){}[]<>?*+|^$.\\-,:=!#'\"kpdwxuiPnL~&@ _{", max_size=24),
    st.text(alphabet="ab01 \n", max_size=20),
)
@example("(?<n>a)(?(n)b|c)", "ab")
@example("[a-z-[a-c-[b]]]", "b")
def test_any_pattern_matches_or_is_refused(pattern: str, text: str) -> None:
    with suppress(ValueFault, LimitFault):
        assert isinstance(first(text, pattern, seconds=0.1), str)
