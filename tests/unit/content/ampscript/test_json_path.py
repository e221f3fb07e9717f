"""JSONPath: what is selected, what is refused, what a hostile query may cost."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.budget import Budget
from postroom.content.ampscript.faults import Fault, LimitFault, ValueFault
from postroom.content.ampscript.json_path import select_json

SHOP = {
    "items": [
        {"sku": "A", "price": 5, "tags": ["x", "y"]},
        {"sku": "B", "price": 12.5, "gift": True},
        {"sku": "C", "price": None},
    ],
    "two words": 1,
    "deep": {"items": [7]},
}


def select(path: str) -> list[object]:
    return select_json(SHOP, path, Budget(None, 1))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.items[*].sku", ["A", "B", "C"]),
        ("items[*].sku", ["A", "B", "C"]),
        ("$['items'][0]['sku']", ["A"]),
        ('$["two words"]', [1]),
        ("$['items','two words'][0].sku", ["A"]),
        ("$.items[-1].sku", ["C"]),
        ("$.items[0,2].sku", ["A", "C"]),
        ("$.items[1:].sku", ["B", "C"]),
        ("$.items[:-1].sku", ["A", "B"]),
        ("$.items[::2].sku", ["A", "C"]),
        ("$.items[::-1].sku", ["C", "B", "A"]),
        ("$.items[9]", []),
        ("$.nope.x[0]", []),
        ("$..sku", ["A", "B", "C"]),
        ("$..items[0]", [SHOP["items"][0], 7]),  # type: ignore[index]
        ("$.deep.*", [[7]]),
        ("$.deep..*", [[7], 7]),
        ("$.items[?(@.price > 4 && @.price <= 12.5)].sku", ["A", "B"]),
        ("$.items[?(@.sku == 'B' || @.sku=='C')].sku", ["B", "C"]),
        ('$.items[?(@.sku != "A")].sku', ["B", "C"]),
        ("$.items[?(@.gift)].sku", ["B"]),
        ("$.items[?(!@.gift)].sku", ["A", "C"]),
        ("$.items[?(@.gift == true)].sku", ["B"]),
        ("$.items[?(@.price == null)].sku", ["C"]),
        ("$.items[?((@.price < 6 || @.gift) && @.sku >= 'A')].sku", ["A", "B"]),
        ("$.items[?(@.tags[0] == 'x')].sku", ["A"]),
        ("$.items[?(@.sku === $.items[1].sku)].sku", ["B"]),
        ("$.items[?(@.price == '5')].sku", []),
        ("$.items[?(@.price == 1)].sku", []),
        ("$", [SHOP]),
    ],
)
def test_selection(path: str, found: list[object]) -> None:
    assert select(path) == found


@pytest.mark.parametrize(
    "path",
    [
        "$.", "$..", "$[", "$[]", "$[a]", "$.items[", "$.items[0", "$.items[?]", "$.items[?(]", "$.items[?(@.a]", "$$",
        "$ x",
        "$.items[?(@.a ==)]", "$.items[?(nope)]", "$.items[::0]", "$['a", "$.items[?(@.a == 1]", "x" * 3_000,
        "$.a[?(" + "(" * 100 + "@.b" + ")" * 102 + "]", "$.a[?(" + "!" * 100 + "@.b)]",
        "$" + "[?(@" * 100,
    ],
)  # fmt: skip
def test_a_path_that_cannot_be_read_is_an_error(path: str) -> None:
    with pytest.raises(ValueFault):
        select(path)


@pytest.mark.parametrize("path", ["$..*..*..*..*", "$[*][?($..* == 1)]", "$..[?(@..x == $..y)]"])
def test_exhaustion_a_path_that_looks_at_too_much_is_left(path: str) -> None:
    document = [[[[1] * 20] * 20] * 20] * 20
    with pytest.raises(LimitFault) as limit:
        select_json(document, path, Budget(None, 1))
    assert limit.value.code == "QueryLimit"


def test_exhaustion_the_clock_counts_as_well() -> None:
    ticks = iter(range(1_000_000))
    with pytest.raises(LimitFault):
        select_json([[1] * 100] * 100, "$..*", Budget(lambda: float(next(ticks)), 0.5))


@given(st.text(alphabet="$.[]()*?@'\"=<>!&|:,-01 items", max_size=24))
def test_any_path_selects_or_is_refused(path: str) -> None:
    with suppress(Fault):
        assert isinstance(select(path), list)
