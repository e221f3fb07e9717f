"""Verbs that are imported when they are asked for.

Every process of a server is a verb, and all of them together load three times what one of them needs.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from postroom.cli.exit_codes import INTERRUPTED, UNREAD, UNUSABLE
from postroom.cli.usage_errors import not_utf8, usage_lines


class Verb(NamedTuple):
    """Where a verb is, `module:name` of a function or of a Typer with verbs of its own; what a list of verbs says of
    it, and under which head."""

    place: str
    summary: str
    head: str


def verbs(known: Mapping[str, Verb]) -> type[TyperGroup]:
    """A group of verbs in this order."""

    class Verbs(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(known)

        def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
            # For lists and completion: what is run or asked for its help is loaded by resolve_command.
            verb = known.get(cmd_name)
            return None if verb is None else TyperCommand(cmd_name, help=verb.summary, rich_help_panel=verb.head)

        def main(
            self,
            args: Sequence[str] | None = None,
            prog_name: str | None = None,
            complete_var: str | None = None,
            standalone_mode: bool = True,
            windows_expand_args: bool = True,
            **extra: Any,
        ) -> Any:
            words = (args, prog_name, complete_var, False, windows_expand_args)
            if not standalone_mode:
                return super().main(*words, **extra)
            strange = not_utf8(sys.argv[1:] if args is None else args)
            if strange:
                typer.echo(strange, err=True)
                sys.exit(UNUSABLE)
            try:
                code = super().main(*words, **extra)
            except TyperException as wrong:
                # Asked for nothing, it has printed its help.
                if type(wrong).__name__ != "NoArgsIsHelpError":
                    for line in usage_lines(wrong):
                        typer.echo(line, err=True)
                sys.exit(wrong.exit_code)
            except typer.Abort:
                sys.exit(INTERRUPTED)
            sys.exit(code if isinstance(code, int) else 0)

        def make_context(self, *args: Any, **extra: Any) -> Any:
            # Helps are printed here.
            with _until_nobody_reads():
                return super().make_context(*args, **extra)

        def invoke(self, ctx: Any) -> Any:
            with _until_nobody_reads():
                return super().invoke(ctx)

        def resolve_command(
            self, ctx: Any, args: list[str]
        ) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:
            if args and args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
                near = " or ".join(map(repr, get_close_matches(args[0], known)))
                ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near}?" if near else ""))
            if args and args[0] in known:
                return args[0], load_verb(args[0], known[args[0]].place), args[1:]
            return super().resolve_command(ctx, args)  # type: ignore[return-value]

    return Verbs


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # What is left in its buffer must not complain at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit(UNREAD) from None
    except SystemExit as ended:
        # Rich, which prints helps, has done so already, and ends with 1.
        if isinstance(ended.__context__, BrokenPipeError):
            raise typer.Exit(UNREAD) from None
        raise


def load_verb(name: str, place: str) -> TyperCommand | TyperGroup:
    """The verb with its arguments, imported now."""
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
