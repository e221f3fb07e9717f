"""The whole tree of settings, put together from its groups; each group is a file beside this one."""

import dataclasses
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from postroom.settings.bounces import BounceSettings
from postroom.settings.delivery import DeliverySettings
from postroom.settings.option import Address, Option, parse_address, parse_dns_servers
from postroom.settings.retention import RetentionSettings
from postroom.settings.sandbox import SandboxSettings
from postroom.settings.sending import SendingSettings
from postroom.settings.server import ServerSettings
from postroom.settings.templates import TemplateSettings
from postroom.settings.tracking import TrackingSettings
from postroom.settings.transport import TransportSettings
from postroom.settings.webhooks import WebhookSettings

GROUPS: tuple[type, ...] = (
    ServerSettings,
    SandboxSettings,
    SendingSettings,
    TemplateSettings,
    DeliverySettings,
    BounceSettings,
    TransportSettings,
    TrackingSettings,
    WebhookSettings,
    RetentionSettings,
)
"""In the order of the reference."""


@dataclass(frozen=True, kw_only=True)
class Settings(
    ServerSettings,
    SandboxSettings,
    SendingSettings,
    TemplateSettings,
    DeliverySettings,
    BounceSettings,
    TransportSettings,
    TrackingSettings,
    WebhookSettings,
    RetentionSettings,
):
    """All settings of one Postroom. `load_settings` builds, checks and completes it."""

    @property
    def http_address(self) -> Address:
        """`http` as host and port."""
        return parse_address(self.http)

    @property
    def dns_server_addresses(self) -> tuple[Address, ...]:
        """`dns_servers` as addresses and ports; empty for those of the machine."""
        return parse_dns_servers(self.dns_servers) if self.dns_servers else ()

    @property
    def bounce_smtp_address(self) -> Address | None:
        """`bounce_smtp` as host and port."""
        return None if self.bounce_smtp is None else parse_address(self.bounce_smtp)

    @property
    def sandbox_smtp_address(self) -> Address:
        """`sandbox_smtp` as host and port."""
        return parse_address(self.sandbox_smtp)


def options() -> tuple[Option, ...]:
    """All settings in the order of the reference."""
    return tuple(option for group in GROUPS for option in group_options(group))


def group_options(group: type) -> tuple[Option, ...]:
    """The settings of one group, in its order."""
    hints = get_type_hints(group, include_extras=True)
    return tuple(_option(field, hints[field.name]) for field in dataclasses.fields(group))


def _option(field: dataclasses.Field[Any], hint: Any) -> Option:
    bare, meta = get_args(hint)
    choices: tuple[str, ...] = ()
    optional = get_origin(bare) in (Union, UnionType)
    if optional:
        bare = next(part for part in get_args(bare) if part is not type(None))
    if get_origin(bare) is Literal:
        choices, bare = get_args(bare), str
    extra = meta.extra or {}
    return Option(
        name=field.name,
        kind=bare,
        sentence=meta.description or "",
        unit=extra["unit"],
        default=None if field.default is dataclasses.MISSING else field.default,
        default_text=extra["default"],
        optional=optional,
        choices=choices,
        low=meta.ge,
        high=meta.le,
        above=meta.gt,
    )
