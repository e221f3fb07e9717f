"""Names are compared without case; values print as the vendor prints them."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.attributes import fold_name, merge_attributes, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "True"),
        (False, "False"),
        (0, "0"),
        (-7, "-7"),
        (2**63, "9223372036854775808"),
        (10 / 3, "3.33333333333333"),
        (0.1 + 0.2, "0.3"),
        (12.0, "12"),
        (12.5, "12.5"),
        (-0.0, "0"),
        (1e20, "1E+20"),
        (1.5e-7, "1.5E-07"),
        (123456789012345.0, "123456789012345"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "NaN"),
        (Decimal("1.50"), "1.50"),
        ("as it is ", "as it is "),
        ([1, "é", None], '[1,"é",null]'),
        ({"a": {"b": True}}, '{"a":{"b":true}}'),
    ],
)
def test_value_text(value: object, text: str) -> None:
    assert value_text(value) == text


def test_an_integer_longer_than_python_prints() -> None:
    assert value_text(10**5000) == "1" + "0" * 5000


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_every_json_value_has_a_text(value: object) -> None:
    assert isinstance(value_text(value), str)


def test_the_recipient_wins_over_the_request_even_with_null() -> None:
    merged = merge_attributes({"First Name": "A", "City": "B", "Zip": 1}, {"FIRST NAME": "C", "city ": None})
    assert merged == {"first name": "C", "city": None, "zip": 1}
    assert merge_attributes(None, None) == {}


def test_names_ignore_case_and_blanks_around_them() -> None:
    assert fold_name(" First Name ") == fold_name("FIRST name")
