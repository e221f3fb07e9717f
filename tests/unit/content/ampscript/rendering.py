"""Rendering a template in one line, for the tests of this folder."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from postroom.content.ampscript.cases import new_run
from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.memory import MemoryBlocks, MemoryData
from postroom.content.ampscript.run import Dialect, Run, Services
from postroom.content.attributes import merge_attributes

ENGINE = Engine()
NOW = datetime(2026, 3, 4, 19, 52, 7, tzinfo=UTC)


def make_run(
    engine: Engine = ENGINE,
    attributes: Mapping[str, object] | None = None,
    *,
    data: Mapping[str, object] | None = None,
    blocks: Mapping[str, str] | None = None,
    clock: Callable[[], float] | None = None,
) -> Run:
    services = Services(clock, MemoryData.load(data or {}), MemoryBlocks(by_key=blocks, by_name=blocks))
    return new_run(engine, merge_attributes(attributes, None), now=NOW, services=services, seed="seed")


def render(
    source: str,
    attributes: Mapping[str, object] | None = None,
    *,
    dialect: Dialect | None = None,
    data: Mapping[str, object] | None = None,
    blocks: Mapping[str, str] | None = None,
    clock: Callable[[], float] | None = None,
) -> str:
    """What ``source``, as an HTML part, prints."""
    engine = ENGINE if dialect is None else Engine(dialect, ENGINE.functions)
    run = make_run(engine, attributes, data=data, blocks=blocks, clock=clock)
    return engine.compile({"html": source}).render(run)["html"]
