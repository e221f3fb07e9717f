"""Templates at random for as long as it is asked for: what goes wrong is printed with the seed that brings it back.

    python -m tests.unit.content.ampscript.fuzzing [--minutes 5] [--seed TEXT]

The golden cases are cut up, spliced and spoiled, with values at random; each source goes through lexer, parser,
compiler and run time in two dialects. It must give output, problems with places, or a fault with one, and soon.
`make fuzz` runs it; what Hypothesis tries in every test run is in test_fuzz.py.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.unit.content.ampscript.test_fuzz import NAMES, survive

CASES = Path(__file__).parents[3] / "conformance" / "ampscript" / "cases.jsonl"
SLOW_SECONDS = 10.0
LONGEST = 4_000
WORDS = (
    "%%[", "]%%", "%%=", "=%%", "%%A%%", "SET @x =", "IF", "THEN", "ELSEIF", "ELSE", "ENDIF", "FOR @i = 1 TO 9 DO",
    "NEXT", "AND", "OR", "NOT", "@x", "[A]", "'", '"', "1", "-2.5", "==", "<", "(", ")", ",", "/*", "*/", "<!--", "-->",
    "\u201c", "&quot;", "<br>", "{{", "}}", "{{#each A}}", "{{/each}}", "{{.data}}", "\0", "\ud800", "\U0001d11e", "\n",
    "9" * 400, "'%%=v(@x)=%%'", "<script runat=server language=ampscript>", "</script>",
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 2**63, 1e308, 0.1, "", "a", "A" * 300, "2026-03-04", "12.50", "(a+)+b", "<a><b>1</b></a>",
    '{"a":[1,{"b":2}]}', "\ud800", "\0", "\U0001d11e", [1, [2]], {"a": {"b": 1}}, "%%=v(1)=%%",
)  # fmt: skip


def spoiled(templates: Sequence[str], chance: random.Random) -> str:
    """One to three templates, spliced, with up to eight changes."""
    source = "".join(chance.choice(templates) for _ in range(chance.randint(1, 3)))[:LONGEST]
    for _ in range(chance.randint(0, 8)):
        begin = chance.randint(0, len(source))
        end = min(len(source), begin + chance.randint(0, 12))
        piece = chance.choice(
            (
                "",
                source[begin:end] * 2,
                chance.choice(WORDS),
                f"{chance.choice(NAMES)}(",
                chr(chance.randrange(0x250)),
            )
        )
        source = source[:begin] + piece + source[end:]
    return source


def main() -> None:
    parser = argparse.ArgumentParser(description="Templates at random, for some minutes")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
    parser.add_argument("--seed", default=f"{time.time_ns():x}", help="brings the same templates again")
    options = parser.parse_args()
    templates = [json.loads(line)["template"] for line in CASES.read_text(encoding="utf-8").splitlines() if line]
    deadline = time.monotonic() + options.minutes * 60
    number = 0
    print(f"seed {options.seed}", flush=True)
    while time.monotonic() < deadline:
        number += 1
        chance = random.Random(f"{options.seed}:{number}")
        source = spoiled(templates, chance)
        attributes: dict[str, object] = {name: chance.choice(VALUES) for name in ("A", "B", "C", "FirstName", "Items")}
        begin = time.process_time()
        try:
            survive(source, attributes)
            took = time.process_time() - begin
            assert took < SLOW_SECONDS, f"it took {took:.1f} s"
        except BaseException:
            print(f"template {number} of seed {options.seed}: {source!r} with {attributes!r}", file=sys.stderr)
            raise
    print(f"{number:,} templates in {options.minutes:g} minutes: output, or problems with places, every time")


if __name__ == "__main__":
    main()
