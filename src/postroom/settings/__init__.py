"""Every setting of Postroom in one frozen, typed tree, and how it is read.

A value comes from, strongest first: a command line option, an environment variable (`POSTROOM_` and the
field's name in capitals), a TOML file (the same names, long or short), the default. A name nobody knows is
an error, and all errors are reported at once as `SettingsRejected`: one line each, with the option, the value
it has and what to write instead.

Each file beside this one but `option`, `tree` and `loading` is a group of settings. The reference page
docs/settings.md is generated from them, so each setting carries its sentence, its unit and its default.
"""

from postroom.settings.loading import (
    Machine,
    SettingsRejected,
    default_public_url,
    load_settings,
    settings_environ,
    this_machine,
)
from postroom.settings.option import Address, Option, hide_password, parse_address
from postroom.settings.tree import Settings, options

__all__ = [
    "Address",
    "Machine",
    "Option",
    "Settings",
    "SettingsRejected",
    "default_public_url",
    "hide_password",
    "load_settings",
    "options",
    "parse_address",
    "settings_environ",
    "this_machine",
]
