"""When soft bounces suppress, from the settings."""

from datetime import timedelta

from postroom.assembly.bounces import soft_bounce_rule
from postroom.assembly.delivery import worker_options
from postroom.audience.soft_bounces import SoftBounceRule
from postroom.settings import load_settings


def test_soft_bounces_never_suppress_unless_asked_to() -> None:
    assert soft_bounce_rule(load_settings({})) is None


def test_the_rule_reaches_delivery() -> None:
    settings = load_settings({"POSTROOM_SOFT_BOUNCES": "3"})
    assert soft_bounce_rule(settings) == SoftBounceRule(3, timedelta(days=15))
    assert worker_options(settings, owner="w", replaces=None).soft == soft_bounce_rule(settings)
