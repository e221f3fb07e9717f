"""The table of functions: all of them, each described, each taking what it says."""

import inspect

import pytest
from tests.unit.content.ampscript.functions.calls import FUNCTIONS

from postroom.content.ampscript.functions.registry import Function


def test_all_159_functions_are_there() -> None:
    assert len(FUNCTIONS) == 159


@pytest.mark.parametrize("entry", FUNCTIONS.values(), ids=lambda entry: entry.name)
def test_every_function_is_described_and_takes_what_it_says(entry: Function) -> None:
    assert entry.doc.endswith((".", ")"))
    assert entry.category
    assert entry.minimum == 0 or entry.params
    assert entry.maximum is None or entry.minimum <= entry.maximum
    assert "|" not in entry.params + entry.doc + entry.differences
    parameters = inspect.signature(entry.call)
    parameters.bind(None, *[None] * entry.minimum)
    parameters.bind(None, *[None] * (entry.minimum + 4 if entry.maximum is None else entry.maximum))
    if entry.refused:
        assert not entry.refused.endswith(".")


def test_what_waits_says_what_it_reaches() -> None:
    for entry in FUNCTIONS.values():
        assert entry.needs or not entry.asynchronous, entry.name
