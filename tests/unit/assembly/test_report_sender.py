"""Who reports TLS, from the settings."""

import pytest

from postroom.assembly.delivery import report_sender, reporting_options
from postroom.settings import SettingsRejected, load_settings


def given(**settings: str) -> dict[str, str]:
    on = {"delivery": "mx", "tls_reports": "on", "tls_report_from": "tls@example.com", **settings}
    return {f"POSTROOM_{name.upper()}": value for name, value in on.items()}


def test_nobody_reports_unless_asked_to() -> None:
    assert reporting_options(load_settings({})) is None
    assert reporting_options(load_settings(given(tls_reports="off"))) is None


def test_organization_and_contact_follow_from_the_sender() -> None:
    options = reporting_options(load_settings(given()))
    assert options is not None
    assert (options.sender.wire, options.organization, options.contact) == (
        "tls@example.com",
        "example.com",
        "tls@example.com",
    )
    options = reporting_options(
        load_settings(given(tls_report_organization="Shop", tls_report_contact="a@example.com"))
    )
    assert options is not None
    assert (options.organization, options.contact) == ("Shop", "a@example.com")


@pytest.mark.parametrize("sender", ["tls@localhost", "tüls@example.com", "tls@192.0.2.1"])
def test_a_sender_that_not_every_system_takes_stops_the_start(sender: str) -> None:
    with pytest.raises(SettingsRejected, match=r"POSTROOM_TLS_REPORT_FROM=.*write tls-reports@example.com"):
        report_sender(load_settings(given(tls_report_from=sender)))
