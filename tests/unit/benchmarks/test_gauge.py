"""What the gauge says of a stretch of time."""

from pathlib import Path

import pytest
from benchmarks.gauge import mean_cost, piece


def test_the_mean_is_of_the_pieces_that_ended_in_between(tmp_path: Path) -> None:
    output = tmp_path / "gauge.log"
    output.write_text("100.000 9000\n101.000 10000\n102.000 14000\n103.000 90000\n104.0")
    assert mean_cost(output, 100.5, 102.5) == 12_000.0
    with pytest.raises(ValueError, match="measured nothing"):
        mean_cost(output, 200.0, 300.0)


def test_every_piece_is_the_same_work() -> None:
    assert piece() == piece() == 3_001
