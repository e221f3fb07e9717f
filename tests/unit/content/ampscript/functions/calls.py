"""Calling a function of the language in one line, for the tests of this folder."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from postroom.content.ampscript.engine import finished
from postroom.content.ampscript.functions.registry import build_functions
from postroom.content.ampscript.memory import MemoryBlocks, MemoryData
from postroom.content.ampscript.run import Account, Dialect, Image, Limits, Request, Response, Run, Services

FUNCTIONS = build_functions()
NOW = datetime(2026, 3, 4, 19, 52, 7, tzinfo=UTC)


class Site:
    """A Fetcher that gives what it is told to."""

    def __init__(self, *responses: Response) -> None:
        self.responses = list(responses)
        self.requests: list[Request] = []

    async def fetch(self, request: Request) -> Response:
        self.requests.append(request)
        return self.responses.pop(0)


def make_run(
    *,
    attributes: Mapping[str, object] | None = None,
    account: Account | None = None,
    data: MemoryData | None = None,
    blocks: Mapping[str, str] | None = None,
    images: Mapping[str, Image] | None = None,
    site: Site | None = None,
    dialect: Dialect | None = None,
    limits: Limits | None = None,
    clock: Callable[[], float] | None = None,
    send_time: datetime | None = None,
) -> Run:
    """A run whose texts are templates that print themselves in brackets."""
    known = attributes or {}

    async def render_text(run: Run, source: str, label: str, part: str) -> str:
        run.notes.append(f"{label} within {'/'.join(run.regions)}")
        return f"[{source}]"

    return Run(
        lambda name: (name in known, known.get(name)),
        NOW,
        Services(
            clock,
            data or MemoryData(),
            MemoryBlocks(by_key=blocks, by_id=blocks, by_name=blocks, images=images),
            site or Site(),
            account or Account(),
        ),
        dialect or Dialect(limits=limits or Limits()),
        render_text,
        seed="seed",
        send_time=send_time,
    )


def call(name: str, *arguments: object, run: Run | None = None) -> object:
    """What the function gives for evaluated arguments."""
    entry = FUNCTIONS[name.lower()]
    result = entry.call(run or make_run(), *arguments)
    return finished(result) if entry.asynchronous else result  # type: ignore[arg-type]
