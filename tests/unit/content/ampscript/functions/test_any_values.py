"""Whatever a function is given, it gives a value that prints, or a fault: never another exception."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.ampscript.functions.calls import FUNCTIONS, Site, call, make_run

from postroom.content.ampscript.faults import Fault
from postroom.content.ampscript.functions.registry import Function, Reference
from postroom.content.ampscript.run import Response
from postroom.content.ampscript.values import DATABASE_NULL, EMPTY_ROW, DateTime, RowSet, to_text

ROWS = RowSet(("a", "b"), [("1", None), (2, datetime(2026, 1, 1))])  # noqa: DTZ001
WORDS = (
    "", "5", "-1.5", "1,2", "2026-03-04", "2026-03-04 13:52:07", "aes", "en-US", "de", "N2", "yyyy", "[*]", "$.a",
    "<a/>", "//a", "{}", "[1,2]", "%%x%%", "\ud800", "😀", "\0", "Y", "MI", "UTF-16", "HS256",
    "https://e.example/?a=b c", "0102030405060708", "(a|b)+", "IgnoreCase", "x" * 300,
)  # fmt: skip
values = st.one_of(
    st.sampled_from(WORDS),
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 3),
    st.floats(),
    st.decimals(allow_nan=False, allow_infinity=False, places=4),
    st.text(max_size=12),
    st.datetimes().map(DateTime),
    st.sampled_from(
        [DATABASE_NULL, EMPTY_ROW, ROWS, ROWS.row(1), RowSet((), ()), Decimal("1E+27"), [1], {"a": 1}, 10**30]
    ),
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Function, list[object]]:
    entry = draw(st.sampled_from(list(FUNCTIONS.values())))
    most = entry.minimum + 4 if entry.maximum is None else entry.maximum
    arguments = draw(st.lists(values, min_size=entry.minimum, max_size=most))
    if entry.pairs is not None and len(arguments) > entry.pairs and (len(arguments) - entry.pairs) % 2:
        arguments.append(draw(values))
    return entry, arguments


@settings(max_examples=1_000)
@given(calls())
def test_any_call_gives_a_value_or_a_fault(called: tuple[Function, list[object]]) -> None:
    entry, arguments = called
    run = make_run(site=Site(*[Response(503, b"x", headers=[("a", "b")])] * 4))
    for number in entry.references:
        if number < len(arguments):
            arguments[number] = Reference(run.variables, "r")
    with suppress(Fault):
        assert isinstance(to_text(call(entry.name, *arguments, run=run)), str)
