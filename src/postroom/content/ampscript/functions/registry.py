"""How a function of the language is written, and the table of them all.

A function is a Python callable ``(run, *arguments) -> value`` with evaluated arguments, marked by ``@function``. One
that has to wait (data extensions, content blocks, HTTP) is an ``async def``; a template without any runs
synchronously. What a caller must not evaluate first (V, IIf, Output, OutputLine) is a *form*: the compiler writes
its code itself and the callable is never called.

The mark stays on the callable; ``build_functions`` collects the marks of every module beside this one.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

Kind = Literal["String", "Number", "Boolean", "Date", "Rowset", "Row", "Any", "None"]
Needs = Literal["", "data", "blocks", "writes", "http"]

_MARK = "__ampscript_functions__"
_Callable = TypeVar("_Callable", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    ``minimum`` and ``maximum`` count arguments (None: any number). ``params``, ``doc`` and ``differences`` are its
    line in the reference. ``needs`` says what it reaches outside the template. ``refused``, when not empty, is why
    email templates cannot call it: then calling it is a compile error. ``references`` lists the arguments (from 0)
    where a plain ``@variable`` arrives as a Reference instead of its value. ``pairs``: when not None, the number of
    arguments after this many must be even. ``blank_booleans``: a literal true or false prints nothing in it.
    """

    name: str
    call: Callable[..., object]
    minimum: int
    maximum: int | None
    params: str
    doc: str
    differences: str
    kind: Kind
    category: str
    needs: Needs
    refused: str
    references: tuple[int, ...]
    pairs: int | None
    blank_booleans: bool
    form: bool
    asynchronous: bool


class Reference:
    """An ``@variable`` handed to a function that may set it; ``name`` is folded and has no ``@``."""

    __slots__ = ("_variables", "name")

    def __init__(self, variables: "dict[str, object]", name: str) -> None:
        self._variables = variables
        self.name = name

    def get(self) -> object:
        """The value now; None when it was never set."""
        return self._variables.get(self.name)

    def set(self, value: object) -> None:
        self._variables[self.name] = value


def function(
    name: str,
    *,
    minimum: int = 0,
    maximum: int | None = None,
    params: str = "",
    doc: str,
    differences: str = "",
    kind: Kind = "String",
    category: str,
    needs: Needs = "",
    refused: str = "",
    references: tuple[int, ...] = (),
    pairs: int | None = None,
    blank_booleans: bool = False,
    form: bool = False,
) -> Callable[[_Callable], _Callable]:
    """Mark a callable as the function ``name``; may be stacked where several names share one callable."""

    def mark(call: _Callable) -> _Callable:
        entry = Function(
            name, call, minimum, maximum, params, doc, differences, kind, category, needs, refused, references, pairs,
            blank_booleans, form, inspect.iscoroutinefunction(call),
        )  # fmt: skip
        marks: tuple[Function, ...] = getattr(call, _MARK, ())
        setattr(call, _MARK, (*marks, entry))
        return call

    return mark


def build_functions() -> Mapping[str, Function]:
    """Every function by its name in lower case, read from the modules of this package; unchangeable."""
    package = importlib.import_module(__package__)
    found: dict[str, Function] = {}
    for module in pkgutil.iter_modules(package.__path__):
        members = vars(importlib.import_module(f"{__package__}.{module.name}"))
        for member in members.values():
            for entry in getattr(member, _MARK, ()):
                if found.setdefault(entry.name.lower(), entry) is not entry:
                    raise ValueError(f"two functions are named {entry.name}")
    return MappingProxyType(dict(sorted(found.items())))


def arity_fault(entry: Function, count: int) -> str:
    """Why ``count`` arguments are wrong for ``entry``, or an empty text."""
    if count < entry.minimum or (entry.maximum is not None and count > entry.maximum):
        if entry.maximum is None:
            wanted = f"at least {entry.minimum}"
        elif entry.minimum == entry.maximum:
            wanted = str(entry.minimum)
        else:
            joint = "or" if entry.maximum == entry.minimum + 1 else "to"
            wanted = f"{entry.minimum} {joint} {entry.maximum}"
        noun = "argument" if wanted in {"1", "at least 1"} else "arguments"
        return f"{entry.name} takes {wanted} {noun} ({entry.name}({entry.params})), not {count}"
    if entry.pairs is not None and count > entry.pairs and (count - entry.pairs) % 2:
        return f"{entry.name}({entry.params}) takes pairs after argument {entry.pairs}; one half is missing"
    return ""
