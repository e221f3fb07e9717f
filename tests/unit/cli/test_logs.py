"""Log lines: one JSON object or one readable line, with the process's name, from us and from libraries alike."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from postroom.cli.logs import configure_logs
from postroom.settings import Machine, load_settings

MACHINE = Machine(cores=1, root=True, terminal=False)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def written(log_format: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    environ = {"POSTROOM_LOG_FORMAT": log_format, "POSTROOM_LOG_LEVEL": level}
    configure_logs(load_settings(environ, machine=MACHINE), "deliver-1", stream)
    return stream


def test_a_json_line_carries_the_process_and_its_values() -> None:
    stream = written("json")
    structlog.get_logger("x").info("mail sent", count=3, to="Zoë")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["process"], line["level"], line["count"], line["to"]) == (
        "mail sent",
        "deliver-1",
        "info",
        3,
        "Zoë",
    )
    assert line["timestamp"].endswith("Z")


def test_lines_of_libraries_look_the_same() -> None:
    stream = written("json")
    logging.getLogger("uvicorn.error").warning("socket %s", "gone")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["process"], line["level"]) == ("socket gone", "deliver-1", "warning")


def test_log_injection_by_a_line_break_in_a_value() -> None:
    for log_format in ("json", "console"):
        stream = written(log_format)
        structlog.get_logger("x").info("refused", reply="550 no\n2026-01-01 [error] forged line")
        assert len(stream.getvalue().splitlines()) == 1, log_format


def test_lines_below_the_level_are_not_written() -> None:
    stream = written("console", level="warning")
    structlog.get_logger("x").info("quiet")
    structlog.get_logger("x").warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
    assert "deliver-1" in stream.getvalue()


def test_a_traceback_is_inside_its_json_line() -> None:
    stream = written("json")
    try:
        raise ZeroDivisionError("by nought")
    except ZeroDivisionError:
        structlog.get_logger("x").exception("failed")
    line = json.loads(stream.getvalue())
    assert "ZeroDivisionError: by nought" in line["exception"]
