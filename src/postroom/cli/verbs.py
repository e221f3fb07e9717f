"""Verbs that are imported when they are asked for.

Every process of a server is a verb, and all of them together load three times what one of them needs.
"""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup


def verbs(**places: str) -> type[TyperGroup]:
    """A group of verbs in this order; each place is `module:name` of a function or a Typer with verbs of its own.

    An underscore in a verb's name stands for a hyphen.
    """
    known = {name.replace("_", "-"): place for name, place in places.items()}

    class Verbs(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(known)

        def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
            place = known.get(cmd_name)
            return None if place is None else _load(cmd_name, place)

        def resolve_command(
            self, ctx: Any, args: list[str]
        ) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:
            near = [] if not args or args[0] in known else get_close_matches(args[0], known)
            if near:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, near))}?")
            return super().resolve_command(ctx, args)  # type: ignore[return-value]

    return Verbs


def _load(name: str, place: str) -> TyperCommand | TyperGroup:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    # In a group of its own, since Typer gives a verb that stands alone options for completion.
    group = typer.Typer(add_completion=False)
    group.callback()(_nothing)
    if isinstance(found, typer.Typer):
        group.add_typer(found, name=name)
    else:
        group.command(name)(found)
    made = typer.main.get_command(group)
    assert isinstance(made, TyperGroup)
    verb = made.commands[name]
    assert isinstance(verb, TyperCommand | TyperGroup)
    _take_literally(verb)
    return verb


def _take_literally(verb: Any) -> None:
    """Square brackets in helps are Rich's markup, and left out of what is printed: ours say what a default is."""
    for parameter in verb.params:
        if getattr(parameter, "help", None):
            parameter.help = escape(parameter.help)
    for inner in getattr(verb, "commands", {}).values():
        _take_literally(inner)


def _nothing() -> None:
    """The group itself does nothing."""
