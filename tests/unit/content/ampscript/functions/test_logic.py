"""Emptiness, nulls, attributes, variables, and the end of a rendering."""

import pytest
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import Raised, ValueFault
from postroom.content.ampscript.run import Dialect
from postroom.content.ampscript.values import DATABASE_NULL, EMPTY_ROW


@pytest.mark.parametrize(
    ("value", "empty"),
    [(None, True), ("", True), (DATABASE_NULL, True), (EMPTY_ROW, True), (" ", False), (0, False), (False, False)],
)
def test_empty(value: object, empty: bool) -> None:
    assert call("Empty", value) is empty


def test_only_the_null_of_a_table_is_null() -> None:
    assert call("IsNull", DATABASE_NULL) is True
    assert call("IsNull", None) is False
    assert call("IsNull", "") is False
    assert call("IsNull", None, run=make_run(dialect=Dialect(null_when_unset=True))) is True


def test_the_default_of_is_null_default_is_a_setting() -> None:
    assert call("IsNullDefault", 5, "x") == 5
    assert call("IsNullDefault", None, "x") == ""
    assert call("IsNullDefault", None, "x", run=make_run(dialect=Dialect(null_default=True))) == "x"


def test_attribute_value() -> None:
    run = make_run(attributes={"first name": "Ada", "gone": None})
    assert call("AttributeValue", " First NAME ", run=run) == "Ada"
    assert call("AttributeValue", "gone", run=run) is None
    assert call("AttributeValue", "nope", run=run) is None
    with pytest.raises(ValueFault, match="empty"):
        call("AttributeValue", " ", run=run)


def test_raise_error_carries_what_it_was_given() -> None:
    with pytest.raises(Raised) as raised:
        call("RaiseError", "no stock", "true", "E1", 7, 1)
    fault = raised.value
    assert (fault.message, fault.skip, fault.api_code, fault.api_number) == ("no stock", True, "E1", "7")
    assert fault.keep_writes
    with pytest.raises(Raised) as raised:
        call("RaiseError", "stop")
    assert not raised.value.skip


def test_get_and_set_value() -> None:
    run = make_run()
    assert call("SetValue", "@Total", 5, run=run) == ""
    assert call("GetValue", "total", run=run) == 5
    assert call("GetValue", "other", run=run) is None
    with pytest.raises(ValueFault, match="variable"):
        call("SetValue", "a b", 1, run=run)
