"""Medians, percentiles, goals and the table."""

import pytest
from benchmarks.figures import Case, Goal, Result, Run, median_interval, medians, number, percentile, result_rows, table
from hypothesis import given
from hypothesis import strategies as st

FINITE = st.floats(min_value=0, max_value=1e9)


async def _nothing(number: int) -> Run:
    return {"rate": float(number)}


def test_the_median_is_taken_of_each_figure_over_the_runs_that_have_it() -> None:
    runs = [{"rate": 10.0, "p99": 3.0}, {"rate": 30.0}, {"rate": 20.0, "p99": 5.0}]
    assert medians(runs) == {"rate": 20.0, "p99": 4.0}


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (0.99, 4), (1.0, 4)])
def test_percentile(share: float, expected: float) -> None:
    assert percentile([4, 1, 3, 2], share) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@given(st.lists(FINITE, min_size=1), st.floats(min_value=0.01, max_value=1))
def test_at_least_its_share_of_the_values_is_no_larger_than_the_percentile(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


@pytest.mark.parametrize(
    ("value", "text"), [(40_000, "40,000"), (1234.5, "1,234"), (17.42, "17.4"), (6.014, "6.01"), (3.0, "3"), (0, "0")]
)
def test_numbers_are_readable(value: float, text: str) -> None:
    assert number(value) == text


def test_a_goal_is_reached_at_its_value_and_not_below() -> None:
    assert Goal("end to end", 6.0, 6.0, "times").reached
    missed = Goal("single sends", 2499.9, 2500, "requests/s")
    assert not missed.reached
    assert missed.line() == "single sends: 2,500 requests/s, goal 2,500: NOT reached"


def test_the_table_aligns_words_left_and_the_second_column_right() -> None:
    lines = table([["case", "median", "unit"], ["accept", "9", "x"], ["b", "12,345"]]).splitlines()
    assert lines == [
        "case    median  unit",
        "------  ------  ----",
        "accept       9  x",
        "b       12,345",
    ]


def test_a_result_shows_median_runs_and_the_other_figures() -> None:
    case = Case("accept", "durable accept", "rate", "recipients/s", _nothing)
    result = Result(
        case, [{"rate": 100.0, "p99 ms": 1.5}, {"rate": 300.0, "p99 ms": 2.5}, {"rate": 200.0, "p99 ms": 2}]
    )
    assert result.value == 200.0
    assert result_rows([result])[1] == ["durable accept", "200", "recipients/s", "100 300 200", "p99 ms 2"]


def test_the_interval_of_a_median_is_of_order_statistics() -> None:
    # The table of the sign test: of 12 values the third and the tenth, 96.1 %; five are too few for 95 %.
    low, high, sure = median_interval([float(value) for value in range(1, 13)])
    assert (low, high, round(sure, 3)) == (3.0, 10.0, 0.961)
    assert median_interval([3.0, 1.0, 2.0, 5.0, 4.0]) == (1.0, 5.0, 1 - 2 / 32)
    assert median_interval([7.0]) == (7.0, 7.0, 0.0)
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
