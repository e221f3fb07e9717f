"""What sections and values of the Guide Template Language look at while a template runs (ampscript.md §11).

Data is a stack: what a section is about lies on top, the message's attributes at the bottom.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import islice

from .faults import ValueFault
from .run import Run
from .values import DateTime, Row, RowSet, from_table, is_null, to_number, to_text

MOST_DEPTH = 64  # of JSON a datasource binds


class Frame:
    """One level of the stack: ``value`` and, within a list, where it stands."""

    __slots__ = ("index", "last", "value")

    def __init__(self, value: object, index: int = 0, last: bool = True) -> None:
        self.value = value
        self.index = index
        self.last = last


def guide_text(run: Run, path: str) -> str:
    """``{{path}}``: HTML-escaped, blank when unknown."""
    return escape(guide_raw(run, path), quote=True)


def guide_raw(run: Run, path: str) -> str:
    """``{{{path}}}``."""
    return to_text(find(run, path))


def section(run: Run, kind: str, path: str) -> Iterator[None]:
    """Once for every time the body of a section prints, with the stack as it is meant then."""
    value = _literal(path) if kind in {"case", "switch"} else find(run, path)
    if kind == "switch":
        value = find(run, path)
    if kind in {"inverted", "unless"}:
        if not truthy(value):
            yield
    elif kind == "if":
        if truthy(value):
            yield
    elif kind == "case":
        if _matches(run, value):
            yield
    elif kind == "default":
        if _matches(run, None, default=True):
            yield
    elif kind == "switch":
        yield from _within(run, Frame(_Switch(value)))
    elif kind == "each" or (kind == "section" and isinstance(value, (list, tuple, RowSet))):
        items = list(_items(value))
        for index, item in enumerate(items):
            run.step()
            yield from _within(run, Frame(item, index, index + 1 == len(items)))
    elif truthy(value):
        # with, and a section about one thing
        if isinstance(value, (Mapping, Row)) or kind == "with":
            yield from _within(run, Frame(value))
        else:
            yield


class _Switch:
    """What ``{{#switch}}`` compares; ``done`` once a case was taken."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.done = False


def _matches(run: Run, value: object, *, default: bool = False) -> bool:
    switch = run.guide[-1].value if run.guide and isinstance(run.guide[-1], Frame) else None
    if not isinstance(switch, _Switch) or switch.done:
        return False
    if default or to_text(switch.value) == to_text(value):
        switch.done = True
        return True
    return False


def _within(run: Run, frame: Frame) -> Iterator[None]:
    run.guide.append(frame)
    try:
        yield
    finally:
        run.guide.pop()


async def source(run: Run, options: Mapping[str, str], data: str) -> Sequence[object]:
    """What ``{{.datasource}}`` is about: a list of items from its JSON, a variable, a path or a data extension."""
    kind = options.get("type", "").lower()
    most = _whole(options.get("maxrows", "")) or run.dialect.limits.rows
    given = _loaded(data) if data.strip() else None
    target = str(given.get("target", "")) if isinstance(given, Mapping) else ""
    value: object
    if kind == "variable":
        value = run.variables.get(target.lstrip("@").casefold())
        value = _loaded(value) if isinstance(value, str) else value
    elif kind == "nested":
        value = find(run, target)
    elif kind in {"de", "dataextension", "data"}:
        run.count("lookups")
        rows = await run.data.find(target, (), limit=min(most, run.dialect.limits.rows))
        value = RowSet(rows.columns, rows.rows)
    else:
        value = given
    return list(islice(_items(value), most))


def bound(run: Run, items: Sequence[object]) -> Iterator[None]:
    """Once for every item of a datasource."""
    for index, item in enumerate(items):
        run.step()
        yield from _within(run, Frame(item, index, index + 1 == len(items)))


async def partial(run: Run, name: str) -> str:
    """``{{> name}}``: the content block of that name or key; blank when there is none."""
    block = await run.blocks.find("name", name) or await run.blocks.find("key", name)
    return "" if block is None else await run.render_text(block.source, f"content block {name}", block.identity)


def truthy(value: object) -> bool:
    """Whether a section prints: null, false, 0, NaN, "", {} and [] do not."""
    if is_null(value) or value is False or value == "":
        return False
    if isinstance(value, (Mapping, list, tuple, RowSet)):
        return len(value) > 0
    if isinstance(value, (str, bool, DateTime, Row)):
        return True
    number = to_number(value)
    return number == number and number != 0


def find(run: Run, path: str) -> object:
    """What ``path`` names: looked up from the top of the stack down, then among variables and attributes."""
    top = len(run.guide)
    while path.startswith("../"):
        path = path[3:]
        top -= 1
    here = run.guide[top - 1] if 0 < top <= len(run.guide) else None
    frame = here if isinstance(here, Frame) else None
    if path in {".", "this", ""}:
        return frame.value if frame is not None else None
    if path.startswith("@") and frame is not None and path.lower() in {"@index", "@first", "@last"}:
        return {"@index": frame.index, "@first": frame.index == 0, "@last": frame.last}[path.lower()]
    names = _names(path.removeprefix("this."))
    found, value = _first(run, names[0], top)
    for name in names[1:]:
        if not found:
            return None
        found, value = _member(value, name)
    return value if found else None


def _first(run: Run, name: str, top: int) -> tuple[bool, object]:
    for frame in reversed(run.guide[: max(top, 0)]):
        if isinstance(frame, Frame):
            found, value = _member(frame.value, name)
            if found:
                return True, value
    if name.startswith("@"):
        return True, run.variables.get(name[1:].casefold())
    return run.attribute(name)


def _names(path: str) -> list[str]:
    names: list[str] = []
    for part in path.replace("/", ".").split("["):
        if "]" in part:
            inner, _, rest = part.partition("]")
            names.append(inner.strip())
            part = rest
        names.extend(name for name in part.split(".") if name)
    return names or [path]


def _member(value: object, name: str) -> tuple[bool, object]:
    if isinstance(value, Mapping):
        if name in value:
            return True, value[name]
        folded = name.casefold()
        for key, member in value.items():
            if str(key).casefold() == folded:
                return True, member
        return False, None
    if isinstance(value, Row):
        return value.by_name(name)
    if isinstance(value, (list, tuple)):
        if name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(value):
            return True, value[int(name)]
        if name.lower() in {"length", "count"}:
            return True, len(value)
    return False, None


def _items(value: object) -> Iterator[object]:
    if isinstance(value, RowSet):
        yield from (value.row(number) for number in range(1, len(value) + 1))
    elif isinstance(value, (list, tuple)):
        yield from (from_table(item) if item is None else item for item in value)
    elif isinstance(value, Mapping) or not is_null(value):
        yield value


def _literal(text: str) -> object:
    return text[1:-1] if text[:1] in {'"', "'"} else text


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _loaded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueFault(f"the data source holds no JSON: {error}", code="BadJson") from None
