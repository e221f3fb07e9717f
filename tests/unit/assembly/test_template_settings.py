"""The settings of templates are what the engine reads templates by, for every part of the server alike."""

from dataclasses import fields

import pytest

from postroom.assembly.delivery import worker_options
from postroom.assembly.rooms import dialect_of
from postroom.content.ampscript.dialect import Dialect, Limits
from postroom.settings import load_settings


def test_without_settings_the_engine_is_as_its_own_defaults_say() -> None:
    assert dialect_of(load_settings({})) == Dialect()


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_each_limit_is_a_setting(name: str) -> None:
    given = {f"POSTROOM_TEMPLATE_{name.upper()}": "10" if "seconds" in name else "5"}
    if name in {"source", "output", "text", "attached_bytes", "nodes"}:
        given = dict.fromkeys(given, "2048")
    dialect = worker_options(load_settings(given), owner="w", replaces=None).dialect
    assert float(getattr(dialect.limits, name)) == float(*given.values())
    others = [field.name for field in fields(Limits) if field.name != name]
    assert [getattr(dialect.limits, other) for other in others] == [getattr(Limits(), other) for other in others]


@pytest.mark.parametrize("name", [field.name for field in fields(Dialect) if isinstance(field.default, bool)])
def test_each_contested_point_is_a_setting(name: str) -> None:
    usual = getattr(Dialect(), name)
    settings = load_settings({f"POSTROOM_TEMPLATE_{name.upper()}": "no" if usual else "yes"})
    got = dialect_of(settings)
    assert getattr(got, name) is not usual
    assert [field.name for field in fields(Dialect) if getattr(got, field.name) != getattr(Dialect(), field.name)] == [
        name
    ]
