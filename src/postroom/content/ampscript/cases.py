"""Golden cases: a template, what goes in, and what must come out (``postroom ampscript test``, and our own suite).

One case is one JSON object:

    id, template        required; the template is the HTML part
    attributes          of the recipient
    data                more of them, nested, for templates of the Guide Template Language
    data_extensions     as MemoryData.load reads them
    content_blocks      {"by_key": {…}, "by_id": {…}, "by_name": {…}}
    parts               further parts: preheader, text, subject
    now                 ISO time of the send; without an offset it is UTC
    expect              the text the HTML part must print
    expect_regex        or a pattern that must match all of it
    expect_parts        the texts of further parts
    expect_de_rows      {data extension: number of rows afterwards}
    expect_de_values    {data extension: {key: {column: value}}} afterwards
    error               compile, runtime or raise_error: there must be no output, for this reason
    skip_subscriber     with raise_error: whether only this recipient is left out
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from postroom.content.attributes import merge_attributes
from postroom.content.model import ContentRejected, Context
from postroom.content.names import names_of

from .engine import ORDER, Engine
from .faults import Fault, Raised
from .memory import MemoryBlocks, MemoryData, TablesRejected
from .run import Run, Services
from .values import compare, from_table, to_text

DEFAULT_NOW = datetime(2026, 3, 4, 19, 52, 7, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1900, 9998
"""Of the time of a send; the language reckons in zones to both sides of it."""

_BLOCKS = ("by_key", "by_id", "by_name")
_ERRORS = ("compile", "runtime", "raise_error")
_OBJECTS = (
    "attributes", "data", "data_extensions", "content_blocks", "parts", "expect_parts", "expect_de_rows",
    "expect_de_values",
)  # fmt: skip
_EXPECTATIONS = ("expect", "expect_regex", "expect_parts", "expect_de_rows", "expect_de_values", "error")
_KEYS = frozenset(
    {"id", "template", "attributes", "data", "data_extensions", "content_blocks", "parts", "now", "skip_subscriber"}
) | frozenset(_EXPECTATIONS)
_IGNORED = frozenset({"source", "evidence", "note", "context", "tracking", "dialect", "system_timezone"})


class CasesRejected(Exception):
    """A file of cases cannot be read; the message names line and field."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What one case should have given and what it gave."""

    case: str
    expected: str
    got: str


def read_cases(text: str) -> Iterator[dict[str, object]]:
    """The cases of a JSON-lines text; blank lines are skipped. Raises CasesRejected."""
    found = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
        except json.JSONDecodeError as error:
            raise CasesRejected(
                f"line {number} column {error.colno}: this is not JSON ({error.msg}); write one case a line"
            ) from None
        except (ValueError, RecursionError):
            raise CasesRejected(f"line {number}: it is nested too deeply, or holds too long a number") from None
        if not isinstance(case, dict):
            raise CasesRejected(f'line {number}: a case is an object; write {{"id": …, "template": …, "expect": …}}')
        for key in ("id", "template"):
            if not isinstance(case.get(key), str):
                raise CasesRejected(f'line {number}: the case has no "{key}"; give it a text')
        unknown = sorted(set(case) - _KEYS - _IGNORED)
        if unknown:
            raise CasesRejected(f'line {number}: "{unknown[0]}" is no key of a case; use {", ".join(sorted(_KEYS))}')
        if not any(key in case for key in _EXPECTATIONS):
            raise CasesRejected(f"line {number}: the case expects nothing; give it expect or error")
        problem = _misshapen(case)
        if problem:
            raise CasesRejected(f"line {number}: {problem}")
        found = True
        yield case
    if not found:
        raise CasesRejected('there is no case in it; write one a line, {"id": …, "template": …, "expect": …}')


def _misshapen(case: Mapping[str, object]) -> str:
    """Which value of a case has not the form it must have, and what that is."""
    for key in _OBJECTS:
        if not isinstance(case.get(key, {}), Mapping):
            return f'"{key}" is no object; write {{"{key}": {{"name": …}}}}'
    for key in ("expect", "expect_regex", "now"):
        if not isinstance(case.get(key, ""), str):
            return f'"{key}" is no text; put it in quotes'
    for key in ("parts", "expect_parts"):
        for part, text in _mapping(case, key).items():
            if part not in ORDER or not isinstance(text, str):
                return f'"{key}" has a text for each of {", ".join(ORDER)}, and nothing else; "{part}" is wrong'
    blocks = _mapping(case, "content_blocks")
    for kind, texts in blocks.items():
        wrong = kind not in _BLOCKS or not isinstance(texts, Mapping)
        if wrong or not all(isinstance(text, str) for text in texts.values()):  # type: ignore[attr-defined]
            return f'"content_blocks" has an object of texts for each of {", ".join(_BLOCKS)}; "{kind}" is wrong'
    for table, rows in _mapping(case, "expect_de_values").items():
        if not isinstance(rows, Mapping) or not all(isinstance(columns, Mapping) for columns in rows.values()):
            return f'"expect_de_values" of "{table}" is not {{key: {{column: value}}}}'
    if "error" in case and case["error"] not in _ERRORS:
        return f'"error" is {_shown(case["error"])}; use {", ".join(_ERRORS)}'
    if "expect_regex" in case:
        try:
            re.compile(str(case["expect_regex"]))
        except re.error as wrong_pattern:
            return f'"expect_regex" is no pattern: {wrong_pattern}'
    try:
        year = datetime.fromisoformat(str(case["now"])).year if "now" in case else FIRST_YEAR
    except ValueError:
        year = 0
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return f'"now" is {_shown(case.get("now"))}; write an ISO time such as 2026-03-04T13:52:07-06:00'
    return ""


def check_case(
    case: Mapping[str, object], engine: Engine, *, clock: Callable[[], float] | None = None
) -> Failure | None:
    """None when ``case`` gives what it expects; ``clock`` gives monotonic seconds for the limit on time."""
    identity = str(case["id"])
    expected = _expectation(case)
    try:
        data = MemoryData.load(_mapping(case, "data_extensions"))
        blocks = _mapping(case, "content_blocks")
        store = MemoryBlocks(*(_texts(blocks.get(name)) for name in _BLOCKS))
        now = datetime.fromisoformat(str(case["now"])) if "now" in case else DEFAULT_NOW
    except (TablesRejected, ValueError) as wrong:
        return Failure(identity, expected, f"the case cannot be read: {wrong}")
    parts = {"html": str(case["template"]), **_texts(case.get("parts"))}
    try:
        program = engine.compile(parts)
    except ContentRejected as rejected:
        got = f"error: compile ({rejected})"
        return None if case.get("error") == "compile" else Failure(identity, expected, got)
    attributes = merge_attributes(_mapping(case, "data"), _mapping(case, "attributes"))
    run = new_run(engine, attributes, now=now, services=Services(clock, data, store), seed=identity)
    try:
        printed = program.render(run)
    except Raised as raised:
        skipped = f", skip_subscriber {str(raised.skip).lower()}"
        wanted = case.get("error") == "raise_error" and case.get("skip_subscriber", raised.skip) is raised.skip
        return None if wanted else Failure(identity, expected, f"error: raise_error{skipped} ({raised})")
    except Fault as fault:
        return None if case.get("error") == "runtime" else Failure(identity, expected, f"error: runtime ({fault})")
    if "error" in case:
        return Failure(identity, expected, _shown(printed["html"]))
    try:
        return _compared(case, printed, data)
    except Fault as fault:
        return Failure(identity, expected, f"what it expects of data extensions cannot be looked up: {fault}")


def new_run(
    engine: Engine,
    attributes: Mapping[str, object],
    *,
    now: datetime,
    services: Services,
    seed: str,
    address: str = "",
) -> Run:
    """A run outside of a send: ``attributes`` are keyed by folded names; footer names nobody set print nothing."""
    if now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    context = Context(
        address=address or to_text(attributes.get("emailaddr", "")),
        contact_key=to_text(attributes.get("_subscriberkey", "")),
        message_key=seed,
        attributes=attributes,
        profile={},
        system={},
        accepted_at=now.astimezone(UTC),
        message_id=f"{seed}@localhost",
    )
    return Run(names_of(context), context.accepted_at, services, engine.dialect, engine.render_text, seed=seed)


def _compared(case: Mapping[str, object], printed: Mapping[str, str], data: MemoryData) -> Failure | None:
    identity = str(case["id"])
    if "expect" in case and printed["html"] != case["expect"]:
        return Failure(identity, _shown(case["expect"]), _shown(printed["html"]))
    if "expect_regex" in case and re.search(str(case["expect_regex"]), printed["html"]) is None:
        return Failure(identity, f"a match of {case['expect_regex']}", _shown(printed["html"]))
    for part, text in _mapping(case, "expect_parts").items():
        if printed.get(part) != text:
            return Failure(identity, f"{part}: {_shown(text)}", f"{part}: {_shown(printed.get(part))}")
    for name, count in _mapping(case, "expect_de_rows").items():
        rows = len(data.table(name).rows)
        if rows != count:
            return Failure(identity, f"{name}: {count} rows", f"{name}: {rows} rows")
    for name, wanted in _mapping(case, "expect_de_values").items():
        table = data.table(name)
        key = next((column.name for column in table.columns if column.key), table.names[0])
        for value, columns in (wanted if isinstance(wanted, Mapping) else {}).items():
            rows_found = table.match([(key, value)])
            for column, held in columns.items():
                got = from_table(rows_found[0][table.number(column)]) if rows_found else None
                if not compare("==", got, from_table(held)):
                    where = f"{name} {value} {column}"
                    return Failure(identity, f"{where}: {_shown(held)}", f"{where}: {_shown(to_text(got))}")
    return None


def _expectation(case: Mapping[str, object]) -> str:
    if "error" in case:
        return f"error: {case['error']}"
    return _shown(case["expect"]) if "expect" in case else f"a match of {case.get('expect_regex')}"


def _mapping(case: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = case.get(key)
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, Mapping) else {}


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
