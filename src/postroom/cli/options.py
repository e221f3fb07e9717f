"""Every setting as an option of a verb, generated from the settings tree.

A verb is a function that takes `settings` first; `with_settings` gives it a command line where each setting is
an option, reads environment and file, and hands it the checked tree.
"""

import functools
import inspect
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.assembly.bounces import bounce_tls
from postroom.bounces.verdict import RulesRejected, read_rules
from postroom.delivery.routing.shaping import ShapingRejected, read_shaping
from postroom.delivery.routing.table import TableRejected
from postroom.delivery.routing.table_file import read_table
from postroom.delivery.smtp.target import RelayUrlError, parse_relay_url
from postroom.settings import Option, Settings, SettingsRejected, load_settings, options
from postroom.settings.templates import TemplateSettings
from postroom.settings.tree import group_options

SETTINGS_PANEL = "Settings"
"""The head that settings stand under in helps."""


# What a verb that only uses the database is most likely given; a help of all settings is longer than a screen.
_MOSTLY_GIVEN = ("data_dir", "database_url")


def with_settings(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with an option for each setting and `--config`, in place of its parameter `settings`. Its help shows
    those that say where the database is.

    Raises `SettingsRejected` before the verb runs.
    """
    return _with_options(verb, options(), read_settings, _MOSTLY_GIVEN)


def with_all_settings(verb: Callable[..., None]) -> Callable[..., None]:
    """As `with_settings`, for verbs that run processes: the help shows all."""
    return _with_options(verb, options(), read_settings)


def with_template_settings(verb: Callable[..., None]) -> Callable[..., None]:
    """As `with_settings`, for verbs that try templates: only the settings of templates are options. The others may
    stand in the environment and the file, as they do where mail is sent, and mean nothing."""
    return _with_options(verb, group_options(TemplateSettings), _load)


def _with_options(
    verb: Callable[..., None],
    taken: Sequence[Option],
    read: Callable[[Mapping[str, object]], Settings],
    shown: Collection[str] | None = None,
) -> Callable[..., None]:
    own = [p for p in inspect.signature(verb).parameters.values() if p.name != "settings"]

    @functools.wraps(verb)
    def command(**given: Any) -> None:
        mine = {parameter.name: given.pop(parameter.name) for parameter in own}
        verb(read(given), **mine)

    added = [
        _config_parameter(more=shown is not None),
        *(_parameter(option, hidden=shown is not None and option.name not in shown) for option in taken),
    ]
    parameters = [*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *added]
    # Typer reads a command's options from its signature.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def read_settings(given: Mapping[str, object], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from command line options (`config` is the TOML file), environment and file."""
    settings = _load(given, environ)
    if settings.delivery == "relay" and settings.relay is not None:
        try:
            parse_relay_url(settings.relay)
        except RelayUrlError as wrong:
            raise SettingsRejected([f"option {wrong}"]) from None
    _check_file("POSTROOM_ROUTES", settings.routes, read_table)
    _check_file("POSTROOM_SHAPING", settings.shaping, read_shaping)
    _check_file("POSTROOM_BOUNCE_RULES", settings.bounce_rules, read_rules)
    if settings.bounce_tls_certificate is not None:
        try:
            bounce_tls(settings)
        except OSError as wrong:
            raise SettingsRejected(
                [
                    f"option POSTROOM_BOUNCE_TLS_CERTIFICATE={settings.bounce_tls_certificate}: it can't be used with "
                    f"POSTROOM_BOUNCE_TLS_KEY={settings.bounce_tls_key} ({wrong}); name two PEM files that belong "
                    "together"
                ]
            ) from None
    return settings


def _check_file(variable: str, path: Path | None, read: Callable[[str], object]) -> None:
    if path is None:
        return
    where = f"option {variable}={path}"
    try:
        read(path.read_text(encoding="utf-8"))
    except (ShapingRejected, RulesRejected, TableRejected) as wrong:
        raise SettingsRejected([f"{where}: {wrong}"]) from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsRejected([f"{where}: it can't be read ({wrong}); name a file in UTF-8"]) from None


def _load(given: Mapping[str, object], environ: Mapping[str, str] | None = None) -> Settings:
    overrides = {name: value for name, value in given.items() if name != "config"}
    config = given.get("config")
    return load_settings(
        os.environ if environ is None else environ, None if config is None else Path(str(config)), overrides
    )


def _config_parameter(*, more: bool) -> inspect.Parameter:
    words = "A TOML file with settings"
    words += "; each of docs/settings.md is an option here, too." if more else "."
    option = typer.Option(
        "--config",
        metavar="FILE",
        help=f"{words} [POSTROOM_CONFIG]",
        show_default=False,
        rich_help_panel=SETTINGS_PANEL,
    )
    return inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _parameter(option: Option, *, hidden: bool) -> inspect.Parameter:
    metavar = "|".join(option.choices) if option.choices else (option.unit or "text").upper().replace(" ", "-")
    words = option.sentence.replace("`", "") + f" [{option.variable}]"
    typed = typer.Option(
        option.flag, metavar=metavar, help=words, show_default=False, rich_help_panel=SETTINGS_PANEL, hidden=hidden
    )
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, typed]
    )
