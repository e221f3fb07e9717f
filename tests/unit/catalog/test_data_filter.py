"""Filters of data extensions: what is written is what is meant, and nothing else is taken."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import DataExtension
from postroom.catalog.data_filter import parse_query
from postroom.catalog.data_query import Query, QueryRejected

COLUMNS = tuple(Column(name=name, type="Text") for name in ("A", "B", "and", "in"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = DataExtension(1, 1, UUID(int=1), "t", "t", "", COLUMNS, None, 0, NOW, NOW)

values = st.sampled_from(["x", "y", "it's", "(z)", "a,b", "or", " "])
leaves = st.tuples(st.sampled_from(["a", "b", "and", "in"]), st.sampled_from(["eq", "neq"]), values)
trees = st.recursive(leaves, lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner), max_leaves=6)
rows = st.fixed_dictionaries({column.folded: values for column in COLUMNS})


def written(tree: tuple[str, ...]) -> str:
    """A tree as a client writes it."""
    if tree[0] in ("and", "or") and isinstance(tree[1], tuple):
        return f"({written(tree[1])} {tree[0]} {written(tree[2])})"
    return f"[{tree[0]}] {tree[1]} '" + tree[2].replace("'", "''") + "'"


def holds(tree: tuple[str, ...], row: dict[str, str]) -> bool:
    """What the tree says of a row."""
    if tree[0] in ("and", "or") and isinstance(tree[1], tuple):
        left, right = holds(tree[1], row), holds(tree[2], row)
        return (left and right) if tree[0] == "and" else (left or right)
    return (row[tree[0]] == tree[2]) is (tree[1] == "eq")


def answers(query: Query, row: dict[str, str]) -> bool:
    """What the parsed query says of it."""
    return any(
        all((row[each.column.folded] == each.text) is (each.operator == "eq") for each in group)
        for group in query.any_of
    )


@given(tree=trees, row=rows)
def test_a_filter_means_what_is_written(tree: tuple[str, ...], row: dict[str, str]) -> None:
    assert answers(parse_query(TABLE, written(tree), None), row) == holds(tree, row)


@given(st.text(alphabet="ab' ()[],\"\0=", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_filter_or_rejected(text: str) -> None:
    with suppress(QueryRejected):
        parse_query(TABLE, text, text)


def test_and_binds_closer_than_or() -> None:
    query = parse_query(TABLE, "a eq x or a eq y and b eq z", None)
    assert [len(group) for group in query.any_of] == [1, 2]


def test_a_filter_that_stands_for_too_much_is_rejected() -> None:
    pair = "(a eq x or b eq y)"
    with pytest.raises(QueryRejected, match="more than 200 alternatives"):
        parse_query(TABLE, " and ".join([pair] * 9), None)
    with pytest.raises(QueryRejected, match="more than 500 values"):
        parse_query(TABLE, f"a in ({','.join(['x'] * 501)})", None)


def test_deep_parentheses_are_rejected_not_crashed_on() -> None:
    with pytest.raises(QueryRejected):
        parse_query(TABLE, "(" * 5000 + "a eq x", None)
