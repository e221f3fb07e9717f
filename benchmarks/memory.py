"""Memory over a million renderings: resident megabytes at the start, after 100,000 and at the end.

    python -m benchmarks.memory [--renders N] [--most-growth MB]

Every message has values that no other has, so that whatever keeps them shows. Seven in ten are the order mail of
`benchmarks.ampscript`; the others use look-ups, content blocks, texts evaluated with TreatAsContent that were never
seen before, JSON, XML, regular expressions and formatting, and fail on purpose. A new version of each template is
compiled every 10,000 messages, as definitions change. One process, one core; exit code 1 when the growth after the
first 100,000 is larger than allowed.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.ampscript import ampscript_template, contexts

from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.memory import MemoryBlocks, MemoryData
from postroom.content.ampscript.run import Services
from postroom.content.compiler import compile_content
from postroom.content.model import Content, Context, Mail, NotComposed
from postroom.content.plan import Plan

EVERYTHING = """%%[
SET @shop = Lookup("Shops", "City", "Id", Shop)
SET @rows = BuildRowsetFromJSON(Json, "$[*]", 0)
SET @nodes = BuildRowSetFromXML(Concat("<a><b>", OrderNumber, "</b></a>"), "//b", 1)
FOR @i = 1 TO RowCount(@rows) DO
  SET @sum = Add(IIf(Empty(@sum), 0, @sum), Field(Row(@rows, @i), "price"))
NEXT @i
]%%<p>%%=v(@shop)=%% %%=FormatCurrency(@sum, "de-DE")=%% %%=FormatDate(Now(), "d MMMM yyyy")=%%
%%=Field(Row(@nodes, 1), "Value")=%% %%=RegExMatch(OrderNumber, "\\d+", 0)=%% %%=SHA256(OrderNumber)=%%
%%=ContentBlockByKey("foot")=%% %%=TreatAsContent(Concat("%", "%=v('", OrderNumber, "')=%", "%"))=%%
%%=FormatDate("2026-11-23", OrderNumber)=%% %%=GUID()=%%</p>"""
FAILING = "<p>%%=Add(OrderNumber, 1)=%%</p>"
BLOCK = "<hr>%%[ SET @seen = OrderNumber ]%%%%=v(@seen)=%%"
WARM_UP = 5_000
FIRST = 100_000
_PAGE_MB = 4096 / 1e6


def resident_mb() -> float:
    """The resident memory of this process, after a collection."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


def messages(renders: int) -> Iterator[Context]:
    """Contexts whose values never come again."""
    (model,) = contexts(1)
    for number in range(renders):
        attributes = {
            **model.attributes,
            "ordernumber": f"A-{number}",
            "tracking": f"JD{number:012d}",
            "shop": str(number % 3),
            "json": f'[{{"price": {number % 1000}}}, {{"price": 2.5, "note": "n{number}"}}]',
        }
        yield replace(model, attributes=attributes, message_id=f"{number}.1@shop.example.com")


def compiled(engine: Engine, version: int) -> list[Plan]:
    """The three templates as this version has them."""
    return [
        compile_content(
            Content(f"Order %%OrderNumber%% v{version}", html, None, from_address="a@x.example"), engine=engine
        )
        for html in (ampscript_template(), EVERYTHING, FAILING)
    ]


async def measure(renders: int) -> list[tuple[int, float]]:
    """Resident megabytes after so many renderings."""
    engine = Engine()
    blocks = MemoryBlocks(by_key={"foot": BLOCK})
    rows = [{"Id": str(number), "City": f"City {number}"} for number in range(3)]
    found: list[tuple[int, float]] = []
    plans = compiled(engine, 0)
    for number, context in enumerate(messages(renders)):
        if number % 10_000 == 0 and number:
            plans = compiled(engine, number)
        kind = number % 10
        plan = plans[0 if kind < 7 else 1 if kind < 9 else 2]
        services = Services(time.monotonic, MemoryData.load({"Shops": rows}) if kind >= 7 else MemoryData({}), blocks)
        outcome = await plan.compose_async(context, services) if plan.asynchronous else plan.compose(context, services)
        if isinstance(outcome, Mail) is (kind == 9):
            raise SystemExit(f"message {number}: {outcome.reason if isinstance(outcome, NotComposed) else 'a mail'}")
        if number + 1 in {WARM_UP, FIRST, renders // 2, renders}:
            found.append((number + 1, resident_mb()))
            print(f"{number + 1:>11,} renderings: {found[-1][1]:7.1f} MB", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Resident memory over many renderings")
    parser.add_argument("--renders", type=int, default=1_000_000, help="how many (default 1,000,000)")
    parser.add_argument("--most-growth", type=float, default=3.0, help="allowed after the first 100,000, in MB")
    options = parser.parse_args()
    begin = time.process_time()
    found = asyncio.run(measure(options.renders))
    print(f"{(time.process_time() - begin) / options.renders * 1e6:.0f} us of processor time each")
    base = next((mb for number, mb in found if number >= min(FIRST, options.renders)), found[-1][1])
    growth = found[-1][1] - base
    print(f"growth after the first {FIRST:,}: {growth:.1f} MB (allowed: {options.most_growth:g})")
    if growth > options.most_growth:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
