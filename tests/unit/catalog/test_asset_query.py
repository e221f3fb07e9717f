"""Conditions as SQL: whatever is asked, values are parameters and names are from the table."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.catalog.asset_query import Both, Comparison, Condition, Operator, QueryRejected, condition_sql

NAMES = [
    "id",
    "Name",
    "customerKey",
    "assetType.id",
    "createdDate",
    "description",
    "views.html.content",
    "nothing",
    "a'b",
]
SCALARS = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.just("2026-01-01"))
TESTS = st.builds(
    Comparison,
    st.sampled_from(NAMES) | st.text(max_size=20),
    st.sampled_from(get_args(Operator)),
    SCALARS | st.lists(SCALARS, max_size=4),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    TESTS, lambda inner: st.builds(Both, inner, st.sampled_from(["and", "or"]), inner), max_leaves=30
)

# All that the SQL may be made of: our names, our operators, casts, places of parameters and texts of our own.
_WORDS = re.compile(
    r"asset\.[a-z_]+|category\.[a-z_]+|file\.name|nullif|lower|coalesce|collate|case|when|then|end|is|not|null|like"
    r"|and|or|false|text|bigint|timestamptz|jsonb|\$\d+|'[A-Za-z]*'|\"C\"|\d+|::|->>|->|<=|>=|<>|[=<>(),\s]"
)


@given(CONDITIONS)
def test_no_value_and_no_foreign_name_gets_into_the_statement(condition: Condition) -> None:
    parameters: list[object] = [1]
    try:
        sql = condition_sql(condition, parameters)
    except QueryRejected:
        return
    assert _WORDS.sub("", sql) == ""
    places = {int(place) for place in re.findall(r"\$(\d+)", sql)}
    assert places == set(range(2, len(parameters) + 1))
    assert sql.count("(") == sql.count(")")


@pytest.mark.parametrize(
    ("text", "pattern"), [("a_b", r"%a\_b%"), ("a%b", r"a%b"), ("a\\b", r"%a\\b%"), ("%_%", r"%\_%")]
)
def test_only_the_percent_sign_of_like_is_special(text: str, pattern: str) -> None:
    parameters: list[object] = []
    condition_sql(Comparison("name", "like", text), parameters)
    assert parameters == [pattern]


def test_too_many_and_too_deep_conditions_are_refused() -> None:
    wide: Condition = Comparison("id", "equal", 1)
    for _ in range(8):
        wide = Both(wide, "or", wide)
    with pytest.raises(QueryRejected, match="100 conditions"):
        condition_sql(wide, [])
    deep: Condition = Comparison("id", "equal", 1)
    for _ in range(30):
        deep = Both(deep, "and", Comparison("id", "isnull"))
    with pytest.raises(QueryRejected, match="20 levels"):
        condition_sql(deep, [])
