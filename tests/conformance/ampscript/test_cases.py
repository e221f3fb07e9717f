"""Every golden case of the language: restated from public references and probes of live accounts."""

from pathlib import Path

import pytest

from postroom.content.ampscript.cases import check_case, read_cases
from postroom.content.ampscript.engine import Engine

CASES = list(read_cases((Path(__file__).parent / "cases.jsonl").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_no_case_went_missing() -> None:
    assert len({str(case["id"]) for case in CASES}) == len(CASES) == 524


@pytest.mark.parametrize("case", CASES, ids=[str(case["id"]) for case in CASES])
def test_case(case: dict[str, object], engine: Engine) -> None:
    failure = check_case(case, engine)
    assert failure is None, f"expected {failure.expected}, got {failure.got}"
