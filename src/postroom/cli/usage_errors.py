"""What is wrong with a command line, in one line or two: the argument, its value, what to write instead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer
from typer.exceptions import TyperException

from postroom.delivery.smtp.reply import printable

_KINDS = {"int_parsing": "a whole number", "float_parsing": "a number", "bool_parsing": "yes or no"}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_LONGEST = 800

# The parser's own words, where they are not those of the rest.
_OURS = (
    ("No such command", "there is no command"),
    (". Did you mean", "; did you mean"),
    ("Got unexpected extra argument(s) ", "there is more than it takes: "),
)


def usage_lines(wrong: TyperException) -> list[str]:
    """The lines for standard error. Where the parser says it, and not a verb, the second names the page of help."""
    context: Any = getattr(wrong, "ctx", None)
    parameter: Any = getattr(wrong, "param", None)
    own = isinstance(wrong, typer.BadParameter) and parameter is None
    sentence = _sentence(wrong, parameter)
    if len(sentence) > _LONGEST:
        sentence = f"{sentence[: _LONGEST // 2]} … {sentence[-_LONGEST // 2 :]}"
    lines = [f"postroom: {printable(sentence)}"]
    if context is not None and not own:
        lines.append(f"postroom: {context.command_path} --help tells what it takes")
    return lines


def not_utf8(arguments: Sequence[str]) -> str:
    """The line about an argument that is no text, which Python tells by surrogates; empty without one."""
    for number, argument in enumerate(arguments, 1):
        if any("\ud800" <= character <= "\udfff" for character in argument):
            shown = ascii(argument[:60])
            return f"postroom: argument {number}, {shown}, is not UTF-8; write it so, and see to the terminal's locale"
    return ""


def _sentence(wrong: TyperException, parameter: Any) -> str:
    if parameter is not None and type(wrong).__name__ == "MissingParameter":
        name = _name(parameter)
        given = f"{name} is missing; give " + (f"{name} {_placeholder(parameter)}" if "-" in name[:1] else "one")
        return f"{given}: {parameter.help.rstrip('.')}" if getattr(parameter, "help", None) else given
    if parameter is not None and isinstance(wrong, typer.BadParameter):
        return f"{_name(parameter)}: {'; '.join(_problems(wrong))}"
    if isinstance(wrong, typer.BadParameter):
        hint = wrong.param_hint
        return f"{hint}: {wrong.message}" if isinstance(hint, str) else wrong.message
    option = getattr(wrong, "option_name", None)
    if option is not None and type(wrong).__name__ == "NoSuchOption":
        near = [each for each in getattr(wrong, "possibilities", None) or () if each != "--help"]
        return f"there is no option {option}" + (f"; did you mean {' or '.join(near)}?" if near else "")
    text = wrong.format_message()
    for theirs, ours in _OURS:
        text = text.replace(theirs, ours)
    return text.rstrip(".")


def _problems(wrong: typer.BadParameter) -> Iterator[str]:
    """What pydantic, with which the parser converts values, has against one."""
    tell = getattr(wrong.__cause__, "errors", None)
    found: list[Mapping[str, Any]] = tell() if callable(tell) else []
    for error in found[:1]:
        value, kind = error.get("input"), error.get("type", "")
        if kind in _KINDS:
            yield f"{value!r} is not {_KINDS[kind]}"
            return
        if kind in _BOUNDS:
            bound, words = _BOUNDS[kind]
            yield f"{value} is out of range; write {words} {error['ctx'][bound]}"
            return
    yield wrong.message.removeprefix("Value error, ").rstrip(".")


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper()).rstrip(".").strip("[]")
    return str(max(parameter.opts, key=len))


def _placeholder(parameter: Any) -> str:
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", str)
    return str(parameter.metavar or ("NUMBER" if kind is int else "TEXT"))
