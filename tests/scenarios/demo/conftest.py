from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenarios.demo.running import Demo

Start = Callable[..., Demo]


@pytest.fixture
def start_demo(reachable_tmp_path: Path) -> Iterator[Start]:
    started: list[Demo] = []

    def start(*arguments: str, environ: dict[str, str] | None = None) -> Demo:
        started.append(Demo(reachable_tmp_path, arguments, environ))
        return started[-1]

    yield start
    for demo in started:
        demo.close()
